// SPDX-License-Identifier: Apache-2.0
// The file `sealing` of a staging folder. Its lock lets one process seal; a seal
// that hangs on a dead disk keeps it, so that no second one is sent after it. Its
// content is the name in <spool>/tmp that is about to be renamed into place: if
// that name is gone, the capture was published, even if the store has since taken
// it out of the spool.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace ffdc {

class SealLock {
 public:
  static Result<SealLock> Acquire(const std::string& staging_dir);
  // Empty: nothing was about to be published.
  [[nodiscard]] const std::string& publishing() const { return publishing_; }
  Result<> SetPublishing(const std::string& name);

 private:
  SealLock(Fd fd, std::string path, std::string publishing)
      : fd_(std::move(fd)), path_(std::move(path)), publishing_(std::move(publishing)) {}

  Fd fd_;
  std::string path_;
  std::string publishing_;
};

}  // namespace ffdc
