// SPDX-License-Identifier: Apache-2.0
// The worker's hands in the spool: <spool>/sealed/<incident-id> (queued),
// <spool>/damaged/<incident-id> (not what its manifest says; kept for a person),
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

  [[nodiscard]] std::filesystem::path Sealed(const std::string& incident_id) const {
    return root_ / SealedPath(incident_id);
  }
  [[nodiscard]] bool HasSealed(const std::string& incident_id) const;

  // Reads the manifest. An error means: damaged.
  [[nodiscard]] Result<v1::Manifest> ReadManifest(const std::string& incident_id) const;
  // Moves it to damaged/, where a person finds it.
  [[nodiscard]] Result<v1::Removal> SetAside(const std::string& incident_id, const std::string& why) const;
  // path: below the spool's root, "sealed/<id>". Gone in one step; returns the bytes freed.
  [[nodiscard]] Result<uint64_t> Remove(const std::string& path) const;
  // Clears what a crash left of ours, sets damaged captures aside, lists the rest.
  Result<> Recover(v1::StoreReply* reply) const;

 private:
  Result<> RecoverSealed(v1::StoreReply* reply) const;

  std::filesystem::path root_;
};

}  // namespace ffdc
