// SPDX-License-Identifier: Apache-2.0
#include "capture/space_usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>

#include "base/fs.h"
#include "base/text.h"

namespace ffdc {
namespace {

constexpr size_t kMaxFiles = 50;
constexpr uint64_t kBlockBytes = 512;  // of stx_blocks
constexpr std::string_view kDeleted = " (deleted)";
using Steady = std::chrono::steady_clock;

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

Folder OpenFolder(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return nullptr;
  Folder folder(fdopendir(fd));
  if (!folder) close(fd);
  return folder;
}

bool IsDot(const char* name) { return name == std::string_view(".") || name == std::string_view(".."); }

uint64_t DevOf(const struct statx& info) { return uint64_t{info.stx_dev_major} << 32 | info.stx_dev_minor; }

// What is cached will do: a server that does not answer is not asked.
bool Look(int folder, const char* name, int flags, struct statx* info) {
  return statx(folder, name, flags | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, info) == 0;
}

UsedFile Describe(std::string path, const struct statx& info) {
  constexpr int64_t kNsPerSecond = 1'000'000'000;
  return {.path = std::move(path),
          .bytes = info.stx_blocks * kBlockBytes,
          .size_bytes = info.stx_size,
          .modified_wall_ns = info.stx_mtime.tv_sec * kNsPerSecond + info.stx_mtime.tv_nsec};
}

std::string Below(const std::string& folder, const char* name) {
  return folder + (folder.ends_with('/') ? "" : "/") + name;
}

class Walker {
 public:
  Walker(const std::set<std::string>& mount_points, int64_t recent_after_ns, const WalkBudget& budget)
      : mount_points_(mount_points),
        recent_after_ns_(recent_after_ns),
        max_entries_(budget.max_entries),
        end_(Steady::now() + budget.time) {}

  SpaceWalk Walk(const std::string& point) {
    struct statx info {};
    if (!Look(AT_FDCWD, point.c_str(), AT_SYMLINK_NOFOLLOW, &info)) return std::move(walk_);
    dev_ = DevOf(info);
    waiting_.push_back({point, ""});
    while (!waiting_.empty() && !walk_.cut) {
      const Waiting next = std::move(waiting_.front());
      waiting_.pop_front();
      Enter(next);
    }
    return std::move(walk_);
  }

 private:
  struct Waiting {
    std::string path;
    std::string top;  // the folder below the mount point that it counts for
  };

  void Enter(const Waiting& folder) {
    const Folder entries = OpenFolder(folder.path);
    if (!entries) return;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread has the stream, see readdir(3)
    while (const dirent* entry = readdir(entries.get())) {
      if (IsDot(entry->d_name)) continue;
      if (walk_.entries >= max_entries_ || Steady::now() >= end_) {
        walk_.cut = true;
        return;
      }
      ++walk_.entries;
      Take(folder, dirfd(entries.get()), entry->d_name);
    }
  }

  void Take(const Waiting& folder, int fd, const char* name) {
    std::string path = Below(folder.path, name);
    struct statx info {};
    if (mount_points_.contains(path) || !Look(fd, name, AT_SYMLINK_NOFOLLOW, &info) || DevOf(info) != dev_)
      return;
    if (info.stx_nlink > 1 && S_ISREG(info.stx_mode) && !linked_.insert(info.stx_ino).second) return;
    const bool is_folder = S_ISDIR(info.stx_mode);
    const std::string top = folder.top.empty() && is_folder ? name : folder.top;
    UsedFolder& used = walk_.folders[top];
    used.bytes += info.stx_blocks * kBlockBytes;
    if (is_folder) return waiting_.push_back({std::move(path), top});
    ++used.files;
    if (!S_ISREG(info.stx_mode)) return;
    UsedFile file = Describe(std::move(path), info);
    if (file.modified_wall_ns >= recent_after_ns_) walk_.recent.Offer(file);
    walk_.files.Offer(std::move(file));
  }

  const std::set<std::string>& mount_points_;
  int64_t recent_after_ns_;
  uint64_t max_entries_;
  Steady::time_point end_;
  uint64_t dev_ = 0;
  std::deque<Waiting> waiting_;
  std::set<uint64_t> linked_;  // those of several names, counted once
  SpaceWalk walk_{LargestFiles(kMaxFiles), LargestFiles(kMaxFiles), {}};
};

std::string ReadLink(int folder, const char* name) {
  std::array<char, 4096> target{};
  const ssize_t length = readlinkat(folder, name, target.data(), target.size());
  return length < 0 ? std::string() : std::string(target.data(), static_cast<size_t>(length));
}

}  // namespace

void LargestFiles::Offer(UsedFile file) {
  if (files_.size() >= max_files_ && file.bytes <= files_.begin()->first) return;
  const uint64_t bytes = file.bytes;
  files_.emplace(bytes, std::move(file));
  if (files_.size() > max_files_) files_.erase(files_.begin());
}

std::vector<UsedFile> LargestFiles::Sorted() const {
  std::vector<UsedFile> sorted;
  for (auto file = files_.rbegin(); file != files_.rend(); ++file) sorted.push_back(file->second);
  return sorted;
}

SpaceWalk WalkSpace(const std::string& point, const std::set<std::string>& mount_points,
                    int64_t recent_after_ns, const WalkBudget& budget) {
  return Walker(mount_points, recent_after_ns, budget).Walk(point);
}

OpenFiles FindOpenFiles(const std::filesystem::path& proc, const std::string& point,
                        const WalkBudget& budget) {
  OpenFiles found{LargestFiles(kMaxFiles), LargestFiles(kMaxFiles)};
  struct statx mount {};
  if (!Look(AT_FDCWD, point.c_str(), AT_SYMLINK_NOFOLLOW, &mount)) return found;
  const auto end = Steady::now() + budget.time;
  std::set<uint64_t> seen;  // a file that several have open is named once
  uint64_t entries = 0;
  for (const std::string& process : FolderEntries(proc)) {
    const auto pid = ParseNumber<uint32_t>(process);
    const Folder fds = pid ? OpenFolder((proc / process / "fd").string()) : nullptr;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): as above
    while (const dirent* entry = fds ? readdir(fds.get()) : nullptr) {
      const auto fd = ParseNumber<uint32_t>(entry->d_name);
      if (!fd) continue;
      found.cut = ++entries > budget.max_entries || Steady::now() >= end;
      if (found.cut) return found;
      std::string path = ReadLink(dirfd(fds.get()), entry->d_name);
      struct statx info {};
      if (!path.starts_with('/') || !Look(dirfd(fds.get()), entry->d_name, 0, &info)) continue;
      if (DevOf(info) != DevOf(mount) || !S_ISREG(info.stx_mode) || !seen.insert(info.stx_ino).second)
        continue;
      UsedFile file = Describe(std::move(path), info);
      file.pid = *pid;
      file.fd = *fd;
      file.deleted = info.stx_nlink == 0;
      if (file.deleted && file.path.ends_with(kDeleted)) file.path.resize(file.path.size() - kDeleted.size());
      (file.deleted ? found.deleted : found.named).Offer(std::move(file));
    }
  }
  return found;
}

}  // namespace ffdc
