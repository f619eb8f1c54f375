// SPDX-License-Identifier: Apache-2.0
// dir:<path>: a folder, on a local disk or a mount. One rename publishes a
// capture, so that a reader never sees a half one.
#include "store/dir_driver.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/fs.h"
#include "base/progress.h"
#include "base/proto_json.h"
#include "base/spool_layout.h"
#include "base/uuid.h"
#include "store/archive_check.h"
#include "store/dir_files.h"
#include "store/file_source.h"
#include "store/layout.h"
#include "store/name_claim.h"
#include "store/resume_copy.h"
#include "store/small_files.h"

namespace ffdc {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSuffixBytes = 16;
// Far longer than a store is away before its administrator looks: others' half uploads wait for them.
constexpr auto kHalfUploadAge = std::chrono::hours(24);

// What it means for a store, and what a person can do about it.
struct Advice {
  const char* state;
  const char* todo;
};
Advice AdviceFor(int code) {
  switch (code) {
    case EROFS:
      return {"is not writable", "mount it read-write or change store.url"};
    case EACCES:
    case EPERM:
      return {"is not writable", "give ffdcd the right to read and write there or change store.url"};
    case ENOSPC:
    case EDQUOT:
      return {"is full", "free space there, or lower the limits in [store]"};
    case ENOTDIR:
    case EEXIST:
      return {"is not a folder", "remove the file in its way or change store.url"};
    case ENOENT:
    case ESTALE:
    case ENOTCONN:
      return {"is not there", "mount it or change store.url"};
    default:
      return {"does not work", "check its disk or mount"};
  }
}

// Reads back what was written, from the disk where the kernel lets us.
Result<> VerifyCopy(const fs::path& folder, const fs::path& copy, const v1::Manifest& manifest) {
  FFDC_ASSIGN(const auto archive, FileSource::Open(copy / manifest.archive(), Freshness::kFromDisk));
  FFDC_ASSIGN(const std::string why, WhyNotArchive(*archive, manifest));
  if (!why.empty()) return Fail("the copy of " + manifest.archive() + " reads back wrong: " + why, EBADMSG);
  FFDC_ASSIGN(const auto source, FileSource::Open(folder / kManifestFile));
  FFDC_ASSIGN(const auto target, FileSource::Open(copy / kManifestFile, Freshness::kFromDisk));
  FFDC_ASSIGN(const std::string expected, ReadText(*source));
  FFDC_ASSIGN(const std::string found, ReadText(*target));
  if (expected != found) return Fail("the copy of manifest.json reads back wrong", EBADMSG);
  return {};
}

// "<incident-id>.<node>.<random>": of this node?
bool IsUploadOf(const std::string& name, const std::string& node) {
  return name.size() == kUuidBytes + node.size() + kSuffixBytes + 2 && IsUuid(name.substr(0, kUuidBytes)) &&
         name.compare(kUuidBytes, node.size() + 2, "." + node + ".") == 0;
}

// Nothing in it was written for long. A folder's own time says nothing of a file that grows.
bool IsOld(const fs::path& path) {
  std::error_code code;
  auto changed = fs::last_write_time(path, code);
  if (code) return false;
  for (fs::directory_iterator entry(path, code), end; !code && entry != end; entry.increment(code)) {
    std::error_code ignored;
    changed = std::max(changed, fs::last_write_time(entry->path(), ignored));
  }
  return fs::file_time_type::clock::now() - changed > kHalfUploadAge;
}

class DirDriver final : public StoreDriver {
 public:
  DirDriver(const std::string& root, const std::string& cluster, std::string node)
      : root_(root),
        cluster_(cluster),
        node_(std::move(node)),
        base_(fs::path(root) / ClusterFolder(cluster)),
        incidents_(base_ / "incidents"),
        tmp_(base_ / "tmp"),
        lease_(base_ / "lease.json", tmp_, node_) {}

  Result<> Init() override {
    const v1::StoreMarker marker = NewMarker(cluster_, node_);
    FFDC_ASSIGN(const std::string json, ToJson(marker));
    auto made = MakeDirs(tmp_);
    if (made) made = CreateFile(base_ / kStoreFile, json, Temporary(marker.id()));
    if (!made && made.error().code != EEXIST) return Explain(made.error());
    CrashPoint("store.marked");
    return {};
  }

  Result<std::string> MarkerId() override {
    const auto source = FileSource::Open(base_ / kStoreFile);
    // A file in the way of the folder is no store either.
    if (!source && (source.error().code == ENOENT || source.error().code == ENOTDIR))
      return Fail(source.error().message, ENOENT);
    auto text = source ? ReadText(**source) : Unexpected(source.error());
    if (!text) return Explain(text.error());
    return MarkerIdOf(*text, base_ / kStoreFile);
  }

  Result<> MayInit() override {
    std::error_code code;
    if (fs::exists(incidents_, code)) return {};  // it has been used for longer than stores have markers
    FFDC_ASSIGN(const std::string point, UnmountedAbove(root_, "/etc/fstab", "/proc"));
    if (point.empty()) return {};
    return Fail(
        "store dir:" + root_ + " is not there: /etc/fstab has a mount at " + point +
            ", where nothing is mounted: mount it, or run 'ffdcctl store init' if the folder itself is meant",
        ENOENT);
  }

  Result<> CheckWriting() override {
    const fs::path probe = tmp_ / ("check." + node_ + "." + RandomSuffix());
    const auto written = WriteFileSynced(probe, "x");
    unlink(probe.c_str());
    if (!written) return Explain(written.error());
    return {};
  }

  Result<StoreSpace> Space() override {
    struct statvfs info {};
    if (statvfs(base_.c_str(), &info) != 0)
      return Explain({"cannot look at " + base_.string() + ": " + strerrordesc_np(errno), errno});
    StoreSpace space;
    space.total_bytes = info.f_blocks * info.f_frsize;
    space.used_bytes = (info.f_blocks - info.f_bfree) * info.f_frsize;
    return space;
  }

  Result<> Prepare() override {
    for (const auto& folder : {incidents_, tmp_}) {
      if (auto made = MakeDirs(folder); !made) return Explain(made.error());
      if (access(folder.c_str(), R_OK | W_OK | X_OK) != 0)
        return Explain({"cannot use " + folder.string() + ": " + strerrordesc_np(errno), errno});
    }
    struct statvfs info {};
    if (statvfs(tmp_.c_str(), &info) != 0)
      return Explain({"cannot look at " + tmp_.string() + ": " + strerrordesc_np(errno), errno});
    if ((info.f_flag & ST_RDONLY) != 0) return Explain({strerrordesc_np(EROFS), EROFS});
    if (info.f_blocks != 0 && info.f_bavail == 0) return Explain({strerrordesc_np(ENOSPC), ENOSPC});
    return {};
  }

  Result<> PutCapture(const std::string& folder, const v1::Manifest& manifest, Transfer& transfer) override {
    // Named by its content: a later try goes on with it, and whoever else uses that name writes the same
    // bytes.
    const fs::path copy = HalfUpload(manifest.incident_id(), manifest.archive_sha256());
    auto put = CopyIn(folder, copy, manifest, transfer);
    if (put) put = Publish(copy, manifest);
    if (put) return {};
    const int code = put.error().code;
    // A full store needs the room, and the others are of no use to anybody. Else it stays for the next try.
    if (code == ENOSPC || code == EDQUOT || code == EBADMSG || code == EEXIST) {
      [[maybe_unused]] const auto cleaned = RemoveAll(copy);
    }
    if (code == EEXIST) return put;
    return Explain(put.error());
  }

  Result<> PutIncident(const std::string& incident_id, std::string_view json) override {
    // Not beside its target: a crash must leave nothing in an incident's folder.
    const fs::path copy = Temporary(incident_id);
    auto put = WriteFileSynced(copy, json);
    if (put) put = MakeDirs(Folder(incident_id));
    if (put) put = RenameDurable(copy, Folder(incident_id) / kIncidentFile);
    if (put) return {};
    [[maybe_unused]] const auto cleaned = RemoveAll(copy);
    return Explain(put.error());
  }

  Result<std::vector<StoredCapture>> List() override {
    std::vector<StoredCapture> captures;
    auto dates = ListFolder(incidents_);
    if (!dates) return Explain(dates.error());
    for (const auto& date : *dates) {
      auto ids = ListFolder(incidents_ / date);
      if (!ids) continue;  // a stray file
      for (const auto& id : *ids) {
        if (!IsUuid(id) || IncidentFolder(id) != fs::path(date) / id) continue;
        ReportProgress();
        auto nodes = Nodes(id);
        if (!nodes) return Unexpected(std::move(nodes).error());
        for (const auto& node : *nodes) captures.push_back({id, node, FolderBytes(Folder(id) / node)});
      }
    }
    return captures;
  }

  Result<std::vector<std::string>> Nodes(const std::string& incident_id) override {
    std::vector<std::string> nodes;
    auto names = ListFolder(Folder(incident_id));
    if (!names) return Explain(names.error());
    for (auto& name : *names) {
      std::error_code ignored;
      if (CheckName("node name", name) && fs::is_directory(Folder(incident_id) / name, ignored))
        nodes.push_back(std::move(name));
    }
    return nodes;
  }

  Result<std::unique_ptr<ByteSource>> Open(const std::string& incident_id, const std::string& node,
                                           const std::string& file) override {
    return FileSource::Open(node.empty() ? Folder(incident_id) / file : Folder(incident_id) / node / file);
  }

  Result<uint64_t> Remove(const std::string& incident_id, const std::string& node) override {
    const fs::path folder = node.empty() ? Folder(incident_id) : Folder(incident_id) / node;
    std::error_code code;
    if (!fs::exists(folder, code) && !code) return 0;
    const uint64_t bytes = FolderBytes(folder);
    // Out of sight in one step; what a crash leaves is cleared as a half upload.
    const fs::path doomed = Temporary(incident_id);
    auto removed = RenameDurable(folder, doomed);
    if (!removed && removed.error().code == ENOENT) return 0;  // another node was faster
    if (removed) removed = RemoveAll(doomed);
    if (!removed) return Explain(removed.error());
    if (node.empty()) rmdir(folder.parent_path().c_str());  // the day's last one
    return bytes;
  }

  Result<> RemoveHalfUploads(bool own, const std::set<std::string>& wanted) override {
    auto names = ListFolder(tmp_);
    if (!names) return Explain(names.error());
    for (const auto& name : *names) {
      const bool is_own = IsUploadOf(name, node_);
      if (is_own && wanted.contains(name.substr(0, kUuidBytes))) continue;
      if (!(own && is_own) && !IsOld(tmp_ / name)) continue;
      // Out of its uploader's sight in one step, should there be one after all: it must not publish half of
      // it.
      const fs::path doomed = Temporary(name.substr(0, kUuidBytes));
      auto removed = RenameDurable(tmp_ / name, doomed);
      if (!removed && removed.error().code == ENOENT) continue;
      if (removed) removed = RemoveAll(doomed);
      if (!removed) return Explain(removed.error());
    }
    return {};
  }

  Result<std::string> ClaimName() override {
    auto other = ffdc::ClaimName(base_ / "nodes" / (node_ + ".json"),
                                 tmp_ / ("name." + node_ + "." + RandomSuffix()), node_);
    if (!other) return Explain(other.error());
    return other;
  }

  Result<bool> AcquireLease() override { return lease_.Acquire(); }
  void ReleaseLease() override { lease_.Release(); }

 private:
  fs::path Folder(const std::string& incident_id) const { return incidents_ / IncidentFolder(incident_id); }
  // The two have one form, so that what is left of either is known by its name.
  fs::path HalfUpload(const std::string& incident_id, const std::string& sha256) const {
    return tmp_ / (incident_id + "." + node_ + "." + sha256.substr(0, kSuffixBytes));
  }
  fs::path Temporary(const std::string& incident_id) const {
    return tmp_ / (incident_id + "." + node_ + "." + RandomSuffix());
  }

  static Result<> CopyIn(const fs::path& folder, const fs::path& copy, const v1::Manifest& manifest,
                         Transfer& transfer) {
    FFDC_TRY(MakeDirs(copy));
    CrashPoint("ship.tmp_made");
    FFDC_TRY(ResumeCopy(folder / manifest.archive(), copy / manifest.archive(), transfer));
    CrashPoint("ship.archive_copied");
    FFDC_TRY(ResumeCopy(folder / kManifestFile, copy / kManifestFile, transfer));
    FFDC_TRY(FsyncPath(copy));
    CrashPoint("ship.copied");
    FFDC_TRY(VerifyCopy(folder, copy, manifest));
    CrashPoint("ship.verified");
    return {};
  }

  Result<> Publish(const fs::path& copy, const v1::Manifest& manifest) const {
    const fs::path folder = Folder(manifest.incident_id());
    FFDC_TRY(MakeDirs(folder));
    auto renamed = RenameDurable(copy, folder / manifest.node());
    if (!renamed && (renamed.error().code == ENOTEMPTY || renamed.error().code == EEXIST))
      return Fail(renamed.error().message, EEXIST);
    return renamed;
  }

  Unexpected Explain(const Error& error) const {
    const Advice advice = AdviceFor(error.code);
    return Fail("store dir:" + root_ + " " + advice.state + ": " + error.message + ": " + advice.todo,
                error.code);
  }

  std::string root_;
  std::string cluster_;
  std::string node_;
  fs::path base_;
  fs::path incidents_;
  fs::path tmp_;
  FileLease lease_;
};

}  // namespace

std::unique_ptr<StoreDriver> MakeDirDriver(const std::string& root, const std::string& cluster,
                                           const std::string& node) {
  return std::make_unique<DirDriver>(root, cluster, node);
}

}  // namespace ffdc
