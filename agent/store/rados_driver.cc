// SPDX-License-Identifier: Apache-2.0
// rados://: a pool of a Ceph cluster. Objects are named as the files of a folder would be; an
// archive is a row of them (store/pieces.h). A pool cannot be listed without reading all of it, so
// there are indexes: one of the days, and one for each day with an entry a capture. A capture is in
// the store from the moment its entry says so, which is the last thing written; what an entry that
// says otherwise stands for is finished by the next try, or cleared.
#include "store/rados_driver.h"

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/spool_layout.h"
#include "store/ceph_module.h"
#include "store/ceph_text.h"
#include "store/file_source.h"
#include "store/layout.h"
#include "store/pieces.h"

namespace ffdc {
namespace {

// Nobody works on an upload for so long without beginning it anew.
constexpr uint64_t kHalfUploadAgeS = 3600;

using State = IndexEntry::State;

uint64_t NowS() { return static_cast<uint64_t>(SystemClock().RealtimeNs() / kNsPerSecond); }

const char* AdviceFor(int code) {
  switch (code) {
    case ENOSPC:
      return "is full: add OSDs, or remove incidents";
    case EDQUOT:
      return "is full: raise its quota ('ceph osd pool get-quota'), or remove incidents";
    case EPERM:
    case EACCES:
      return "does not let this node write: see 'ceph auth get' for its caps, and the user guide for those "
             "it needs";
    case ETIMEDOUT:
      return "does not answer: see 'ceph health detail'";
    case ESHUTDOWN:
      return "has shut this node out: see 'ceph osd blocklist ls'";
    case EOPNOTSUPP:
      return "cannot hold indexes: use a replicated pool, not an erasure-coded one";
    case ENOENT:
      return "lacks what was just there: see whether the pool still exists ('ceph osd pool ls')";
    default:
      return "does not work: see 'ceph health detail'";
  }
}

class SmallSource final : public ByteSource {
 public:
  explicit SmallSource(std::string data) : data_(std::move(data)) {}
  [[nodiscard]] uint64_t size_bytes() const override { return data_.size(); }
  Result<size_t> Read(char* buffer, size_t size) override {
    const size_t got = data_.copy(buffer, size, taken_);
    taken_ += got;
    return got;
  }

 private:
  std::string data_;
  size_t taken_ = 0;
};

class RadosDriver final : public StoreDriver {
 public:
  RadosDriver(std::shared_ptr<CephPool> pool, RadosUrl url, const std::string& cluster)
      : pool_(std::move(pool)),
        url_(std::move(url)),

        incidents_(ClusterFolder(cluster) + "/incidents") {}

  // The index of the days: it is there, and that the value is written anew shows that it can be.
  Result<> Init() override { return Explained(pool_->SetEntry(incidents_, kFormatKey, "1")); }

  // A full pool is not one that cannot be reached: what is there can be read, and room made.
  Result<> Prepare() override {
    auto written = Init();
    if (!written && (written.error().code == ENOSPC || written.error().code == EDQUOT)) return {};
    return written;
  }

  Result<StoreSpace> Space() override {
    auto answer = pool_->AskMonitor(R"({"prefix":"df","detail":"detail","format":"json"})");
    if (!answer) return Explain(answer.error());
    return ParsePoolSpace(*answer, url_.pool);
  }

  Result<std::string> PoolId() override { return "ceph:" + pool_->fsid() + "/" + url_.pool; }

  Result<> PutCapture(const std::string& folder, const v1::Manifest& manifest, Transfer& transfer) override {
    const auto former = Entry(manifest.incident_id(), manifest.node());
    if (!former) return Explain(former.error());
    if (former->state == State::kStored)
      return Fail("there is a capture of incident " + manifest.incident_id() + " by " + manifest.node(),
                  EEXIST);
    return Explained(Put(folder, manifest, transfer));
  }

  Result<> PutIncident(const std::string& incident_id, std::string_view json) override {
    return Explained(pool_->Replace(Folder(incident_id) + "/" + kIncidentFile, json));
  }

  Result<std::vector<StoredCapture>> List() override {
    std::vector<StoredCapture> captures;
    auto visited = ForEachEntry([&](const IndexKey& key, const IndexEntry& entry) -> Result<> {
      if (entry.state == State::kStored) captures.push_back({key.incident_id, key.node, entry.bytes});
      return {};
    });
    if (!visited) return Explain(visited.error());
    return captures;
  }

  Result<std::vector<std::string>> Nodes(const std::string& incident_id) override {
    std::vector<std::string> nodes;
    auto entries = pool_->Entries(Day(incident_id), incident_id + "/");
    if (!entries) return Explain(entries.error());
    for (const auto& [text, value] : *entries) {
      const auto key = ParseIndexKey(text);
      const auto entry = ParseIndexEntry(value);
      if (key && entry && entry->state == State::kStored) nodes.push_back(key->node);
    }
    return nodes;
  }

  Result<std::unique_ptr<ByteSource>> Open(const std::string& incident_id, const std::string& node,
                                           const std::string& file) override {
    const std::string name = Folder(incident_id) + (node.empty() ? "/" : "/" + node + "/") + file;
    auto source = file == kArchiveFile ? OpenPieces(pool_, name) : OpenSmall(name);
    if (!source && source.error().code != ENOENT) return Explain(source.error());
    return source;
  }

  Result<uint64_t> Remove(const std::string& incident_id, const std::string& node) override {
    auto removed = RemoveAll(incident_id, node);
    if (!removed) return Explain(removed.error());
    return removed;
  }

  // own makes no difference: what a former try of this node has left is where its next one goes on.
  Result<> RemoveHalfUploads(bool /*own*/, const std::set<std::string>& /*wanted*/) override {
    return Explained(ForEachEntry([&](const IndexKey& key, const IndexEntry& entry) -> Result<> {
      const bool given_up = entry.state == State::kUploading && entry.since_s + kHalfUploadAgeS < NowS();
      if (entry.state != State::kRemoving && !given_up) return {};
      return RemoveOne(key.incident_id, key.node, entry);
    }));
  }

 private:
  static constexpr char kFormatKey[] = "format";

  std::string Folder(const std::string& incident_id) const {
    return incidents_ + "/" + IncidentFolder(incident_id);
  }
  static std::string Date(const std::string& incident_id) {
    const std::string folder = IncidentFolder(incident_id);
    return folder.substr(0, folder.find('/'));
  }
  std::string Day(const std::string& incident_id) const { return incidents_ + "/" + Date(incident_id); }
  static std::string Key(const std::string& incident_id, const std::string& node) {
    return incident_id + "/" + node;
  }

  // None there: as one that is being removed, of which nothing is left.
  Result<IndexEntry> Entry(const std::string& incident_id, const std::string& node) {
    const std::string key = Key(incident_id, node);
    FFDC_ASSIGN(const auto entries, pool_->Entries(Day(incident_id), key));
    const auto found = entries.find(key);
    if (found == entries.end()) return IndexEntry();
    return ParseIndexEntry(found->second).value_or(IndexEntry());
  }

  template <class Visit>
  Result<> ForEachEntry(const Visit& visit) {
    FFDC_ASSIGN(const auto days, pool_->Entries(incidents_, {}));
    for (const auto& [day, unused] : days) {
      if (day == kFormatKey) continue;
      FFDC_ASSIGN(const auto entries, pool_->Entries(incidents_ + "/" + day, {}));
      for (const auto& [text, value] : entries) {
        const auto key = ParseIndexKey(text);
        const auto entry = ParseIndexEntry(value);
        // A stray one: its objects would not be found by its name.
        if (!key || !entry || Date(key->incident_id) != day) continue;
        FFDC_TRY(visit(*key, *entry));
      }
    }
    return {};
  }

  Result<> Put(const std::string& folder, const v1::Manifest& manifest, Transfer& transfer) {
    const std::string& id = manifest.incident_id();
    const std::string target = Folder(id) + "/" + manifest.node() + "/";
    IndexEntry entry{State::kUploading, manifest.archive_bytes(), NowS(), RandomSuffix()};
    const std::string uploading = FormatIndexEntry(entry);
    FFDC_TRY(pool_->SetEntry(incidents_, Date(id), {}));
    FFDC_TRY(pool_->SetEntry(Day(id), Key(id, manifest.node()), uploading));
    CrashPoint("ship.tmp_made");
    FFDC_ASSIGN(const Digest digest,
                PutPieces(*pool_, target + kArchiveFile, folder + "/" + kArchiveFile, transfer));
    CrashPoint("ship.archive_copied");
    if (const auto why = WhyNotArchive(digest, manifest); !why.empty())
      return Fail(folder + "/" + kArchiveFile + " is not what was sealed: " + why, EIO);
    CrashPoint("ship.verified");
    FFDC_ASSIGN(const auto source, FileSource::Open(folder + "/" + kManifestFile));
    FFDC_ASSIGN(const std::string text, ReadText(*source));
    FFDC_TRY(pool_->Replace(target + kManifestFile, text));
    FFDC_ASSIGN(const auto stored, OpenSmall(target + kManifestFile));
    FFDC_ASSIGN(const std::string found, ReadText(*stored));
    if (found != text) return Fail(target + kManifestFile + " reads back wrong", EIO);
    CrashPoint("ship.copied");
    entry = {State::kStored, digest.size_bytes + text.size(), 0, {}};
    auto shown = pool_->ReplaceEntry(Day(id), Key(id, manifest.node()), uploading, FormatIndexEntry(entry));
    if (!shown && shown.error().code == ECANCELED)
      return Fail("another one began to store or to remove " + target + " meanwhile: it is tried again",
                  EAGAIN);
    return shown;
  }

  Result<std::unique_ptr<ByteSource>> OpenSmall(const std::string& name) {
    FFDC_ASSIGN(const uint64_t size, pool_->Size(name));
    FFDC_ASSIGN(CephAnswer answer, pool_->Read(name, 0, size)->Wait());
    return std::unique_ptr<ByteSource>(std::make_unique<SmallSource>(std::move(answer.data)));
  }

  // Gone already is as good as removed.
  Result<> RemoveObject(const std::string& name) {
    auto removed = pool_->Remove(name);
    if (!removed && removed.error().code == ENOENT) return {};
    return removed;
  }

  // Out of sight in one step; what a crash leaves is cleared as a half upload.
  Result<> RemoveOne(const std::string& id, const std::string& node, const IndexEntry& entry) {
    const std::string target = Folder(id) + "/" + node + "/";
    FFDC_TRY(
        pool_->SetEntry(Day(id), Key(id, node), FormatIndexEntry({State::kRemoving, entry.bytes, 0, {}})));
    FFDC_TRY(RemoveObject(target + kManifestFile));
    FFDC_TRY(RemovePieces(*pool_, target + kArchiveFile, entry.bytes));
    return pool_->RemoveEntry(Day(id), Key(id, node));
  }

  Result<uint64_t> RemoveAll(const std::string& id, const std::string& node) {
    uint64_t bytes = 0;
    FFDC_ASSIGN(const auto entries, pool_->Entries(Day(id), node.empty() ? id + "/" : Key(id, node)));
    for (const auto& [text, value] : entries) {
      const auto key = ParseIndexKey(text);
      if (!key || (!node.empty() && key->node != node)) continue;
      const IndexEntry entry = ParseIndexEntry(value).value_or(IndexEntry());
      if (entry.state == State::kStored) bytes += entry.bytes;
      FFDC_TRY(RemoveOne(id, key->node, entry));
    }
    if (node.empty() && !entries.empty()) FFDC_TRY(RemoveObject(Folder(id) + "/" + kIncidentFile));
    return bytes;
  }

  Result<> Explained(Result<> result) const {
    if (!result) return Explain(result.error());
    return result;
  }

  Unexpected Explain(const Error& error) const {
    // A connection that is no good any more, or to a pool that was made anew.
    if (error.code == ESHUTDOWN || error.code == ENOENT || error.code == EPERM || error.code == EACCES)
      ForgetCeph();
    return Fail("store " + std::string(kRadosScheme) + url_.pool + " " + AdviceFor(error.code) + " (" +
                    error.message + ")",
                error.code);
  }

  std::shared_ptr<CephPool> pool_;
  RadosUrl url_;
  std::string incidents_;
};

}  // namespace

Result<std::unique_ptr<StoreDriver>> OpenRadosDriver(const std::string& url, const std::string& cluster) {
  FFDC_ASSIGN(const RadosUrl parsed, ParseRadosUrl(url));
  auto pool = ConnectCeph(parsed, url);
  if (!pool) return Unexpected(pool.error().In("store " + url));
  return MakeRadosDriver(std::move(*pool), parsed, cluster);
}

std::unique_ptr<StoreDriver> MakeRadosDriver(std::shared_ptr<CephPool> pool, const RadosUrl& url,
                                             const std::string& cluster) {
  return std::make_unique<RadosDriver>(std::move(pool), url, cluster);
}

}  // namespace ffdc
