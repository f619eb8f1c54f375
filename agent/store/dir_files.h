// SPDX-License-Identifier: Apache-2.0
// What the directory store needs of a filesystem that many nodes write to. Blocks: in workers only.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ffdc {

// Durable, and whole from the moment it is there. Code EEXIST: there is one, which stays. temporary: a name
// of the caller's own on the same filesystem.
Result<> CreateFile(const std::filesystem::path& path, std::string_view text,
                    const std::filesystem::path& temporary);

// The mount point at or above the absolute path on which fstab(5) wants a filesystem that is not mounted
// now; empty: none.
Result<std::string> UnmountedAbove(const std::filesystem::path& path, const std::filesystem::path& fstab,
                                   const std::filesystem::path& proc);

// One node at a time, by a file that names its holder.
class FileLease {
 public:
  // temporary: a folder on the same filesystem.
  FileLease(std::filesystem::path file, std::filesystem::path temporary, std::string node)
      : file_(std::move(file)), temporary_(std::move(temporary)), node_(std::move(node)) {}

  Result<bool> Acquire();  // false: somebody else holds it
  void Release();

 private:
  [[nodiscard]] std::filesystem::path Temporary() const;
  Result<bool> Create();
  Result<bool> TakeOver(const std::string& holding_id);

  std::filesystem::path file_;
  std::filesystem::path temporary_;
  std::string node_;
  std::string id_;  // of our holding
};

}  // namespace ffdc
