// SPDX-License-Identifier: Apache-2.0
// Who fills a filesystem, for the collector space_usage. Everything here blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "capture/collect_util.h"

namespace ffdc {

struct UsedFile {
  std::string path;
  uint64_t bytes = 0;       // that it takes on the disk
  uint64_t size_bytes = 0;  // as its readers see it
  int64_t modified_wall_ns = 0;
  // Of an open one, who has it open.
  uint32_t pid = 0;
  uint32_t fd = 0;
  bool deleted = false;
};

// The largest ones that were offered, largest first.
class LargestFiles {
 public:
  explicit LargestFiles(size_t max_files) : max_files_(max_files) {}
  void Offer(UsedFile file);
  [[nodiscard]] std::vector<UsedFile> Sorted() const;

 private:
  size_t max_files_;
  std::multimap<uint64_t, UsedFile> files_;  // by bytes
};

struct UsedFolder {
  uint64_t bytes = 0;
  uint64_t files = 0;
};

struct WalkBudget {
  uint64_t max_entries = 200'000;
  std::chrono::milliseconds time{5000};
};
struct SpaceWalk {
  LargestFiles files;
  LargestFiles recent;                        // written after recent_after_ns
  std::map<std::string, UsedFolder> folders;  // right below the mount point; "": itself
  uint64_t entries = 0;
  bool cut = false;  // the budget was spent before its end
};
// Breadth first, so that what is left out when it is cut lies deep. Stays on the mount's own
// filesystem, and does not touch what is mounted below it.
SpaceWalk WalkSpace(const std::string& point, const std::set<std::string>& mount_points,
                    int64_t recent_after_ns, const WalkBudget& budget);

// The largest of the files on the filesystem of `point` that processes have open; deleted: of those
// that have no name any more, which only their closing frees.
struct OpenFiles {
  LargestFiles named;
  LargestFiles deleted;
  bool cut = false;
};
OpenFiles FindOpenFiles(const std::filesystem::path& proc, const std::string& point,
                        const WalkBudget& budget);

Result<> CollectSpaceUsage(CollectContext& context, const KernelRoots& roots);

}  // namespace ffdc
