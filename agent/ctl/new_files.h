// SPDX-License-Identifier: Apache-2.0
// Files that are not there yet, made together or not at all. Nothing is ever overwritten.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ffdc::ctl {

class NewFiles {
 public:
  NewFiles() = default;
  ~NewFiles();  // removes them, unless they are to be kept
  NewFiles(const NewFiles&) = delete;
  NewFiles& operator=(const NewFiles&) = delete;

  // Fsynced. EEXIST: there is one; EACCES: needs root.
  Result<> Add(const std::string& path, std::string_view text, mode_t mode = 0600);
  void Keep() { paths_.clear(); }

 private:
  std::vector<std::string> paths_;
};

Result<> CheckAbsent(const std::string& path);  // EEXIST: it is there
Result<> MakeFolder(const std::string& path, mode_t mode);
// Renames it to "<path>.left", or ".left2" and so on; returns its new name.
Result<std::string> MoveAside(const std::string& path);

}  // namespace ffdc::ctl
