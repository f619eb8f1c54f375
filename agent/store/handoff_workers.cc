// SPDX-License-Identifier: Apache-2.0
#include "store/handoff_workers.h"

#include <cerrno>

namespace ffdc {
namespace {

constexpr std::chrono::milliseconds kDeadline{10000};  // without progress

}  // namespace

v1::StoreArgs HandoffWorkers::Args(const std::string& id, const std::string& node) const {
  v1::StoreArgs args;
  args.set_spool_dir(spool_dir_);
  args.set_cluster(cluster_);
  args.set_incident_id(id);
  args.set_handed_node(node);
  return args;
}

void HandoffWorkers::Run(const std::string& task, const v1::StoreArgs& args, Done done) {
  workers_.Start(task, args, kDeadline, [done = std::move(done)](StoreOutcome outcome) {
    if (!outcome.ok()) return done(Fail(outcome.error, outcome.hung() ? ETIMEDOUT : 0));
    done(std::move(outcome.reply));
  });
}

void HandoffWorkers::Describe(const std::string& id, Done done) {
  Run("store.describe_sealed", Args(id), std::move(done));
}

void HandoffWorkers::Read(const std::string& id, uint64_t offset_bytes, Done done) {
  auto args = Args(id);
  args.set_offset_bytes(offset_bytes);
  Run("store.read_sealed", args, std::move(done));
}

void HandoffWorkers::Begin(const std::string& node, const v1::CaptureOffer& offer, Done done) {
  auto args = Args(offer.incident_id(), node);
  args.set_manifest_json(offer.manifest_json());
  args.set_incident_json(offer.incident_json());
  Run("store.begin_handed", args, std::move(done));
}

void HandoffWorkers::Add(const std::string& node, const v1::CapturePart& part, Done done) {
  auto args = Args(part.incident_id(), node);
  args.set_offset_bytes(part.offset_bytes());
  args.set_data(part.data());
  Run("store.add_to_handed", args, std::move(done));
}

void HandoffWorkers::Drop(const std::string& node, const std::string& id) {
  Run("store.drop_handed", Args(id, node), [](const Result<v1::StoreReply>&) {});
}

}  // namespace ffdc
