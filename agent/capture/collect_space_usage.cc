// SPDX-License-Identifier: Apache-2.0
// space_usage: who fills the filesystem that is full. Only for incidents of resource.threshold.
//
// What processes have open comes first, as it costs least; the walk over the files ends when its
// budget is spent. A filesystem of a network is not walked: its server has the same to tell, and
// every one of its nodes would ask for all of it at once.
#include <sys/statvfs.h>

#include <algorithm>
#include <chrono>
#include <string_view>

#include "base/fs.h"
#include "base/json_line.h"
#include "base/mountinfo.h"
#include "capture/collector.h"
#include "capture/space_usage.h"

namespace ffdc {
namespace {

constexpr size_t kMaxFilesystems = 3;
constexpr size_t kMaxFolders = 100;
constexpr int64_t kRecentNs = 3'600'000'000'000;
constexpr std::string_view kMountPrefix = "mount:";

Result<> CollectorSpaceUsage(CollectContext& context) { return CollectSpaceUsage(context, {}); }
FFDC_REGISTER_COLLECTOR("space_usage", std::chrono::seconds(25), CollectorSpaceUsage);

// The mount points that this node's events of the kind name; of one that is mounted at several, the first.
std::vector<std::string> FullPoints(const v1::CaptureJob& job) {
  std::vector<std::string> points;
  for (const v1::Event& event : job.incident().events()) {
    if (event.kind() != "resource.threshold" || event.node() != job.manifest().node()) continue;
    std::string point = event.subject().type() == "filesystem" ? event.subject().name() : std::string();
    for (const std::string& id : event.related_ids()) {
      if (point.empty() && id.starts_with(kMountPrefix)) point = id.substr(kMountPrefix.size());
    }
    if (point.starts_with('/') && std::find(points.begin(), points.end(), point) == points.end())
      points.push_back(std::move(point));
  }
  return points;
}

class Report {
 public:
  Report(CollectContext& context, CaptureFile& file, const KernelRoots& roots)
      : context_(context), file_(file), roots_(roots) {}

  void Filesystem(const MountList& mounts, const std::string& point) {
    const Mount* mount = MountOfPath(mounts, point);
    const bool local = mount != nullptr && (!mount->dev.starts_with("0:") || mount->type == "tmpfs" ||
                                            mount->type == "btrfs" || mount->type == "zfs");
    if (!local)
      return AddNote(context_, "space_usage.network",
                     point + " is not walked: it is of another machine or process, or not mounted");
    Begin("filesystem", point);
    line_.Field("type", mount->type);
    struct statvfs info {};
    if (statvfs(point.c_str(), &info) == 0) {
      line_.Field("used_bytes", uint64_t{info.f_blocks - info.f_bfree} * info.f_frsize);
      line_.Field("available_bytes", uint64_t{info.f_bavail} * info.f_frsize);
      line_.Field("used_inodes", uint64_t{info.f_files - info.f_ffree});
      line_.Field("free_inodes", uint64_t{info.f_ffree});
    }
    End();
    const WalkBudget budget;
    const OpenFiles open = FindOpenFiles(roots_.proc, point, budget);
    Files("deleted_open_file", point, open.deleted);
    Files("open_file", point, open.named);
    if (open.cut) AddCut(point + ": not all open files were looked at");
    file_.Flush();
    std::set<std::string> mount_points;
    for (const Mount& other : mounts.mounts) mount_points.insert(other.point);
    const int64_t now = SystemClock().RealtimeNs();
    const SpaceWalk walk = WalkSpace(point, mount_points, now - kRecentNs, budget);
    Folders(point, walk);
    Files("recent_file", point, walk.recent);
    Files("file", point, walk.files);
    if (walk.cut)
      AddCut(point + ": the walk ended after " + std::to_string(walk.entries) +
             " entries: what lies deeper is not counted");
    file_.Flush();
  }

 private:
  void Begin(const char* kind, const std::string& point) {
    line_.Begin();
    line_.Field("kind", kind);
    line_.Field("mount", point);
  }
  void End() { file_.Write(line_.End()); }
  void AddCut(std::string what) { context_.AddLoss("space_usage.cut", 1, std::move(what)); }

  void Folders(const std::string& point, const SpaceWalk& walk) {
    std::vector<std::pair<std::string, UsedFolder>> sorted(walk.folders.begin(), walk.folders.end());
    std::sort(sorted.begin(), sorted.end(),
              [](const auto& a, const auto& b) { return a.second.bytes > b.second.bytes; });
    for (size_t i = 0; i < sorted.size() && i < kMaxFolders; ++i) {
      Begin("folder", point);
      line_.Field("path", (std::filesystem::path(point) / sorted[i].first).string());
      line_.Field("bytes", sorted[i].second.bytes);
      line_.Field("files", sorted[i].second.files);
      line_.Field("cut", walk.cut);
      End();
    }
  }

  void Files(const char* kind, const std::string& point, const LargestFiles& files) {
    for (const UsedFile& file : files.Sorted()) {
      Begin(kind, point);
      line_.Field("path", file.path);
      line_.Field("bytes", file.bytes);
      line_.Field("size_bytes", file.size_bytes);
      line_.Field("modified_wall_ns", file.modified_wall_ns);
      if (file.pid != 0) {
        line_.Field("pid", file.pid);
        line_.Field("fd", file.fd);
        line_.Field("comm", ReadLine(roots_.proc / std::to_string(file.pid) / "comm"));
      }
      End();
    }
  }

  CollectContext& context_;
  CaptureFile& file_;
  const KernelRoots& roots_;
  JsonLine line_;
};

}  // namespace

Result<> CollectSpaceUsage(CollectContext& context, const KernelRoots& roots) {
  const std::vector<std::string> points = FullPoints(context.job());
  if (points.empty()) return {};
  FFDC_ASSIGN(const MountList mounts, ReadMounts(roots.proc));
  FFDC_ASSIGN(CaptureFile * file, context.Create("space-usage.jsonl"));
  Report report(context, *file, roots);
  for (size_t i = 0; i < points.size(); ++i) {
    if (i < kMaxFilesystems) {
      report.Filesystem(mounts, points[i]);
    } else {
      context.AddLoss("space_usage.left_out", 1, points[i] + ": too many filesystems are full at once");
    }
  }
  return {};
}

}  // namespace ffdc
