// SPDX-License-Identifier: Apache-2.0
// dir:<path>: a folder, on a local disk or a mount. One rename publishes a
// capture, so that a reader never sees a half one.
#include "store/dir_driver.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "base/crash_point.h"
#include "base/fs.h"
#include "base/spool_layout.h"
#include "base/uuid.h"
#include "store/file_source.h"
#include "store/layout.h"

namespace ffdc {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSuffixBytes = 16;
constexpr auto kHalfUploadAge = std::chrono::hours(1);

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

Result<> CopyFile(const fs::path& from, const fs::path& to) {
  FFDC_ASSIGN(const auto source, FileSource::Open(from));
  const Fd target(open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
  if (!target.valid()) return FailErrno("cannot create " + to.string());
  std::string chunk(256u << 10, '\0');
  for (;;) {
    FFDC_ASSIGN(const size_t got, source->Read(chunk.data(), chunk.size()));
    if (got == 0) break;
    FFDC_TRY(WriteAll(target.get(), std::string_view(chunk).substr(0, got), to.string()));
  }
  if (fsync(target.get()) != 0) return FailErrno("cannot fsync " + to.string());
  return {};
}

// Reads back what was written, from the disk where the kernel lets us.
Result<> VerifyCopy(const fs::path& folder, const fs::path& copy, const v1::Manifest& manifest) {
  FFDC_ASSIGN(const auto archive, FileSource::Open(copy / kArchiveFile, Freshness::kFromDisk));
  FFDC_ASSIGN(const Digest digest, DigestOf(*archive));
  if (const auto why = WhyNotArchive(digest, manifest); !why.empty())
    return Fail("the copy of " + std::string(kArchiveFile) + " reads back wrong: " + why, EIO);
  FFDC_ASSIGN(const auto source, FileSource::Open(folder / kManifestFile));
  FFDC_ASSIGN(const auto target, FileSource::Open(copy / kManifestFile, Freshness::kFromDisk));
  FFDC_ASSIGN(const std::string expected, ReadText(*source));
  FFDC_ASSIGN(const std::string found, ReadText(*target));
  if (expected != found) return Fail("the copy of manifest.json reads back wrong", EIO);
  return {};
}

// "<incident-id>.<node>.<random>": of this node?
bool IsUploadOf(const std::string& name, const std::string& node) {
  return name.size() == kUuidBytes + node.size() + kSuffixBytes + 2 && IsUuid(name.substr(0, kUuidBytes)) &&
         name.compare(kUuidBytes, node.size() + 2, "." + node + ".") == 0;
}

bool IsOld(const fs::path& path) {
  std::error_code code;
  const auto changed = fs::last_write_time(path, code);
  return !code && fs::file_time_type::clock::now() - changed > kHalfUploadAge;
}

class DirDriver final : public StoreDriver {
 public:
  DirDriver(const std::string& root, const std::string& cluster, std::string node)
      : root_(root),
        node_(std::move(node)),
        incidents_(fs::path(root) / ClusterFolder(cluster) / "incidents"),
        tmp_(fs::path(root) / ClusterFolder(cluster) / "tmp") {}

  Result<> Init() override { return {}; }

  Result<StoreSpace> Space() override {
    struct statvfs info {};
    if (statvfs(root_.c_str(), &info) != 0)
      return Explain({"cannot look at " + root_ + ": " + strerrordesc_np(errno), errno});
    StoreSpace space;
    space.used_bytes = (info.f_blocks - info.f_bfree) * info.f_frsize;
    space.total_bytes = space.used_bytes + info.f_bavail * info.f_frsize;
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
    const fs::path copy = Temporary(manifest.incident_id());
    auto put = CopyIn(folder, copy, manifest);
    transfer.Sent(manifest.archive_bytes());
    if (put) put = Publish(copy, manifest);
    if (put) return {};
    [[maybe_unused]] const auto cleaned = RemoveAll(copy);  // else it is cleared as a half upload
    if (put.error().code == EEXIST) return put;
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
    if (removed) removed = RemoveAll(doomed);
    if (!removed) return Explain(removed.error());
    if (node.empty()) rmdir(folder.parent_path().c_str());  // the day's last one
    return bytes;
  }

  Result<> RemoveHalfUploads(bool own) override {
    auto names = ListFolder(tmp_);
    if (!names) return Explain(names.error());
    for (const auto& name : *names) {
      const bool clear = (own && IsUploadOf(name, node_)) || IsOld(tmp_ / name);
      if (!clear) continue;
      if (auto removed = RemoveAll(tmp_ / name); !removed) return Explain(removed.error());
    }
    return {};
  }

 private:
  fs::path Folder(const std::string& incident_id) const { return incidents_ / IncidentFolder(incident_id); }
  fs::path Temporary(const std::string& incident_id) const {
    return tmp_ / (incident_id + "." + node_ + "." + RandomSuffix());
  }

  static Result<> CopyIn(const fs::path& folder, const fs::path& copy, const v1::Manifest& manifest) {
    FFDC_TRY(MakeDirs(copy));
    CrashPoint("ship.tmp_made");
    FFDC_TRY(CopyFile(folder / kArchiveFile, copy / kArchiveFile));
    CrashPoint("ship.archive_copied");
    FFDC_TRY(CopyFile(folder / kManifestFile, copy / kManifestFile));
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
    if (!renamed && renamed.error().code == ENOTEMPTY) return Fail(renamed.error().message, EEXIST);
    return renamed;
  }

  Unexpected Explain(const Error& error) const {
    const Advice advice = AdviceFor(error.code);
    return Fail("store dir:" + root_ + " " + advice.state + ": " + error.message + ": " + advice.todo,
                error.code);
  }

  std::string root_;
  std::string node_;
  fs::path incidents_;
  fs::path tmp_;
};

}  // namespace

std::unique_ptr<StoreDriver> MakeDirDriver(const std::string& root, const std::string& cluster,
                                           const std::string& node) {
  return std::make_unique<DirDriver>(root, cluster, node);
}

}  // namespace ffdc
