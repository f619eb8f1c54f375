// SPDX-License-Identifier: Apache-2.0
#include "store/space_watch.h"

#include <utility>

#include "base/store_url.h"

namespace ffdc {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::chrono::seconds kLookEvery{60};
// Shortly after the shipper has looked at the store, whose worker is then still there, and connected.
constexpr std::chrono::seconds kFirst{5};
constexpr std::chrono::seconds kLookDeadline{20};

PoolFill Fill(const v1::StoreReply& reply, const std::string& pool) {
  const v1::StoreSpace& space = reply.space();
  PoolFill fill{.id = reply.pool_id(),
                .name = pool,
                .used_bytes = space.used_bytes(),
                .total_bytes = space.total_bytes(),
                .quota_bytes = space.quota_bytes(),
                .objects = space.objects(),
                .quota_objects = space.quota_objects()};
  for (const v1::PoolUse& use : space.largest_pools())
    fill.largest_pools.emplace_back(use.name(), use.stored_bytes());
  return fill;
}

}  // namespace

SpaceWatch::SpaceWatch(std::string store_url, std::string cluster, std::string node, Launcher& launcher,
                       Tell tell)
    : tell_(std::move(tell)), workers_(launcher) {
  if (const auto url = ParseRadosUrl(store_url)) pool_ = url->pool;
  args_.set_store_url(std::move(store_url));
  args_.set_cluster(std::move(cluster));
  args_.set_node(std::move(node));
  next_ = Steady::now() + kFirst;
}

void SpaceWatch::Tick(const std::string& store_problem) {
  if (pool_.empty()) return;
  // A new one; text that changes while it lasts is not.
  const bool is_new = store_problem_.empty() && !store_problem.empty();
  store_problem_ = store_problem;
  // While one that was given up has not ended, another one would only join it.
  if (asking_ || workers_.Abandoned() != 0) return;
  if (is_new || Steady::now() >= next_) Ask();
}

void SpaceWatch::Ask() {
  asking_ = true;
  next_ = Steady::now() + kLookEvery;
  workers_.Start("store.space", args_, kLookDeadline, [this](const StoreOutcome& outcome) {
    asking_ = false;
    problem_.clear();
    if (outcome.reply.servers_size() > 0)
      servers_ = {outcome.reply.servers().begin(), outcome.reply.servers().end()};
    if (outcome.ok() && outcome.reply.has_space()) return tell_(Fill(outcome.reply, pool_));
    // What is wrong with the store as a whole is told already.
    if (store_problem_.empty()) problem_ = "cannot tell how full pool " + pool_ + " is: " + outcome.error;
  });
}

}  // namespace ffdc
