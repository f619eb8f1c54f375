// SPDX-License-Identifier: Apache-2.0
// The worker's hands in the spool: <spool>/sealed/<incident-id> (queued),
// <spool>/damaged/<incident-id> (not what its manifest says; kept for a person),
// <spool>/handed/<incident-id>.<node> (a peer's, which has lost the store),
// <spool>/tmp/ship-* (on its way out). The spool's disk may hang: in workers only.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/spool_layout.h"
#include "ffdc/v1/capture.pb.h"

namespace ffdc {

class Spool {
 public:
  explicit Spool(const std::string& root) : root_(root) {}

  // path, here and below: below the spool's root, "sealed/<incident-id>", "handed/<incident-id>.<node>".
  [[nodiscard]] std::filesystem::path At(const std::string& path) const { return root_ / path; }
  [[nodiscard]] bool Has(const std::string& path) const;

  // Reads the manifest. An error means: damaged.
  [[nodiscard]] Result<v1::Manifest> ReadManifest(const std::string& path) const;
  // Moves a sealed one to damaged/, where a person finds it.
  [[nodiscard]] Result<v1::Removal> SetAside(const std::string& incident_id, const std::string& why) const;
  // Gone in one step; returns the bytes freed.
  [[nodiscard]] Result<uint64_t> Remove(const std::string& path) const;
  // Clears what a crash left of ours, sets damaged captures aside, lists the rest.
  Result<> Recover(v1::StoreReply* reply) const;

 private:
  Result<> RecoverSealed(v1::StoreReply* reply) const;
  Result<> RecoverHanded(v1::StoreReply* reply) const;

  std::filesystem::path root_;
};

}  // namespace ffdc
