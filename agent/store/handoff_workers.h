// SPDX-License-Identifier: Apache-2.0
// What a handoff reads from the spool, and writes to it. Loop thread only; done runs there.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/launcher.h"
#include "base/result.h"
#include "ffdc/v1/capture.pb.h"
#include "ffdc/v1/peer.pb.h"
#include "store/store_workers.h"

namespace ffdc {

class HandoffWorkers {
 public:
  using Done = std::function<void(Result<v1::StoreReply>)>;

  HandoffWorkers(Launcher& launcher, std::string spool_dir, std::string cluster)
      : workers_(launcher), spool_dir_(std::move(spool_dir)), cluster_(std::move(cluster)) {}

  // Of a sealed capture of this node: manifest_json, incident_json, archive_bytes.
  void Describe(const std::string& id, Done done);
  // data: the archive from there.
  void Read(const std::string& id, uint64_t offset_bytes, Done done);
  // Of a peer's: archive_bytes that are here; `handed`: it is whole. Code EINVAL: it makes no sense.
  void Begin(const std::string& node, const v1::CaptureOffer& offer, Done done);
  void Add(const std::string& node, const v1::CapturePart& part, Done done);
  void Drop(const std::string& node, const std::string& id);

 private:
  [[nodiscard]] v1::StoreArgs Args(const std::string& id, const std::string& node = {}) const;
  void Run(const std::string& task, const v1::StoreArgs& args, Done done);

  StoreWorkers workers_;
  std::string spool_dir_;
  std::string cluster_;
};

}  // namespace ffdc
