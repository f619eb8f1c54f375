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
#include "base/progress.h"
#include "base/proto_json.h"
#include "base/spool_layout.h"
#include "store/archive_check.h"
#include "store/ceph_module.h"
#include "store/ceph_text.h"
#include "store/file_source.h"
#include "store/layout.h"
#include "store/name_claim.h"
#include "store/pieces.h"
#include "store/small_files.h"

namespace ffdc {
namespace {

// Far longer than a store is away before its administrator looks: others' half uploads wait for them. Nobody
// works on one for so long without beginning it anew.
constexpr uint64_t kHalfUploadAgeS = 86'400;

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
    case ESTALE:
      return "is another one now: see 'ceph osd pool ls detail'";
    case EBADMSG:
      return "does not give back what was written: see 'ceph health detail'";
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

// A full pool is not one that cannot be reached: what is there can be read, and room made.
Result<> UnlessFull(Result<> written) {
  if (!written && IsFull(written.error())) return {};
  return written;
}

class RadosDriver final : public StoreDriver {
 public:
  RadosDriver(std::shared_ptr<CephPool> pool, RadosUrl url, const std::string& cluster, std::string node)
      : pool_(std::move(pool)),
        url_(std::move(url)),
        cluster_(cluster),
        node_(std::move(node)),
        base_(ClusterFolder(cluster)),
        incidents_(base_ + "/incidents") {}

  Result<> Init() override {
    FFDC_ASSIGN(const std::string json, ToJson(NewMarker(cluster_, node_)));
    const auto made = pool_->Create(Marker(), json);
    if (!made && made.error().code != EEXIST) return Explain(made.error());
    CrashPoint("store.marked");
    return {};
  }

  Result<std::string> MarkerId() override {
    const auto source = OpenSmall(Marker());
    if (!source && source.error().code == ENOENT) {
      // Gone with its pool? The one of that name may be another one by now.
      if (const auto pool = pool_->CheckPool(); !pool) return Explain(pool.error());
      return Fail(source.error().message, ENOENT);
    }
    if (!source) return Explain(source.error());
    FFDC_ASSIGN(const std::string text, ReadText(**source));
    return MarkerIdOf(text, Marker());
  }

  [[nodiscard]] std::string InItsPlace() const override {
    return "another pool or cluster: correct store.url, or " + url_.conf;
  }

  // The index of the days: it is there, and that the value is written anew shows that it can be.
  Result<> Prepare() override { return Explained(UnlessFull(pool_->SetEntry(incidents_, kFormatKey, "1"))); }

  // The index alone may lie with an OSD that answers.
  Result<> CheckWriting() override {
    const std::string probe = base_ + "/check." + node_;
    auto written = pool_->Replace(probe, "x");
    if (written) written = RemoveObject(probe);
    return Explained(UnlessFull(std::move(written)));
  }

  Result<StoreSpace> Space() override {
    auto answer = pool_->AskMonitor(R"({"prefix":"df","detail":"detail","format":"json"})");
    if (!answer) return Explain(answer.error());
    return ParsePoolSpace(*answer, url_.pool);
  }

  Result<std::vector<std::string>> Servers() override {
    auto answer = pool_->AskMonitor(R"({"prefix":"mon dump","format":"json"})");
    if (!answer) return Explain(answer.error());
    return ParseMonitorMap(*answer);
  }

  Result<std::string> PoolId() override { return "ceph:" + pool_->fsid() + "/" + url_.pool; }

  Result<> PutCapture(const std::string& folder, const v1::Manifest& manifest, Transfer& transfer) override {
    const auto former = Entry(manifest.incident_id(), manifest.node());
    if (!former) return Explain(former.error());
    if (former->state == State::kStored)
      return Fail("there is a capture of incident " + manifest.incident_id() + " by " + manifest.node(),
                  EEXIST);
    const IndexEntry entry{State::kUploading, manifest.archive_bytes(), NowS(), RandomSuffix()};
    auto put = Put(folder, manifest, FormatIndexEntry(entry), transfer);
    // A full pool needs the room, and what is wrong is of no use to anybody. Else it stays for the next try.
    if (!put && (IsFull(put.error()) || put.error().code == EBADMSG)) {
      [[maybe_unused]] const auto dropped = RemoveIf(manifest.incident_id(), manifest.node(), entry);
    }
    return Explained(std::move(put));
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
    auto source = IsArchiveName(file) ? OpenPieces(pool_, name) : OpenSmall(name);
    if (!source && source.error().code != ENOENT) return Explain(source.error());
    return source;
  }

  Result<uint64_t> Remove(const std::string& incident_id, const std::string& node) override {
    auto removed = RemoveAll(incident_id, node);
    if (!removed) return Explain(removed.error());
    return removed;
  }

  Result<> RemoveHalfUploads(bool own, const std::set<std::string>& wanted) override {
    return Explained(ForEachEntry([&](const IndexKey& key, const IndexEntry& entry) -> Result<> {
      if (entry.state == State::kStored) return {};
      if (entry.state == State::kUploading) {
        const bool is_own = key.node == node_;
        if (is_own && wanted.contains(key.incident_id)) return {};
        if (!(own && is_own) && entry.since_s + kHalfUploadAgeS >= NowS()) return {};
      }
      auto removed = RemoveIf(key.incident_id, key.node, entry);
      if (!removed && removed.error().code == ECANCELED) return {};  // somebody goes on with it just now
      return removed;
    }));
  }

  Result<std::string> ClaimName() override {
    auto other = Claim();
    if (!other) return Explain(other.error());
    return other;
  }

  // An entry of an index that exists: it can be written in a full pool as well, which needs it most.
  Result<bool> AcquireLease() override {
    auto former = Value(incidents_, kLeaseKey);
    if (!former) return Explain(former.error());
    if (IsHeld(ParseLease(*former))) return false;
    FFDC_ASSIGN(std::string lease, ToJson(NewLease(node_)));
    const auto taken = pool_->ReplaceEntry(incidents_, kLeaseKey, *former, lease);
    if (!taken && taken.error().code == ECANCELED) return false;  // another one was faster
    if (!taken) return Explain(taken.error());
    lease_ = std::move(lease);
    return true;
  }

  // Where it cannot be given back, or is another one's by now, it stays until it expires.
  void ReleaseLease() override {
    if (lease_.empty()) return;
    [[maybe_unused]] const auto released = pool_->ReplaceEntry(incidents_, kLeaseKey, lease_, {});
    lease_.clear();
  }

 private:
  // In the index of the days, beside them.
  static constexpr char kFormatKey[] = "format";
  static constexpr char kLeaseKey[] = "lease";

  std::string Marker() const { return base_ + "/" + kStoreFile; }
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

  // Empty: none there.
  Result<std::string> Value(const std::string& index, const std::string& key) {
    FFDC_ASSIGN(const auto entries, pool_->Entries(index, key));
    const auto found = entries.find(key);
    return found == entries.end() ? std::string() : found->second;
  }

  // None there: as one that is being removed, of which nothing is left.
  Result<IndexEntry> Entry(const std::string& incident_id, const std::string& node) {
    FFDC_ASSIGN(const std::string value, Value(Day(incident_id), Key(incident_id, node)));
    return ParseIndexEntry(value).value_or(IndexEntry());
  }

  Result<std::string> Claim() {
    const std::string nodes = base_ + "/nodes";
    FFDC_ASSIGN(const std::string former, Value(nodes, node_));
    FFDC_ASSIGN(NameClaim claim, RenewClaim(former, node_));
    if (claim.text.empty()) return claim.other;
    auto written = former.empty() ? pool_->SetEntry(nodes, node_, claim.text)
                                  : pool_->ReplaceEntry(nodes, node_, former, claim.text);
    // Another one writes it just now: the next look tells who.
    if (!written && written.error().code == ECANCELED) return std::string();
    FFDC_TRY(UnlessFull(std::move(written)));
    return std::string();
  }

  template <class Visit>
  Result<> ForEachEntry(const Visit& visit) {
    FFDC_ASSIGN(const auto days, pool_->Entries(incidents_, {}));
    for (const auto& [day, unused] : days) {
      if (day == kFormatKey || day == kLeaseKey) continue;
      ReportProgress();
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

  // uploading: the entry meanwhile, which nobody else writes.
  Result<> Put(const std::string& folder, const v1::Manifest& manifest, const std::string& uploading,
               Transfer& transfer) {
    const std::string& id = manifest.incident_id();
    const std::string target = Folder(id) + "/" + manifest.node() + "/";
    FFDC_TRY(pool_->SetEntry(incidents_, Date(id), {}));
    FFDC_TRY(pool_->SetEntry(Day(id), Key(id, manifest.node()), uploading));
    CrashPoint("ship.tmp_made");
    const std::string archive = folder + "/" + manifest.archive();
    ArchiveCheck check(manifest);
    FFDC_TRY(PutPieces(*pool_, target + manifest.archive(), archive, transfer, check));
    CrashPoint("ship.archive_copied");
    if (const auto why = check.WhyNot(); !why.empty())
      return Fail(archive + " is not what was sealed: " + why, EBADMSG);
    FFDC_ASSIGN(const std::string text, ReadText(std::filesystem::path(folder) / kManifestFile));
    FFDC_TRY(pool_->Replace(target + kManifestFile, text));
    CrashPoint("ship.copied");
    FFDC_ASSIGN(const auto stored, OpenSmall(target + kManifestFile));
    FFDC_ASSIGN(const std::string found, ReadText(*stored));
    if (found != text) return Fail(target + kManifestFile + " reads back wrong", EBADMSG);
    CrashPoint("ship.verified");
    const IndexEntry stored_entry{State::kStored, manifest.archive_bytes() + text.size(), 0, {}};
    auto shown =
        pool_->ReplaceEntry(Day(id), Key(id, manifest.node()), uploading, FormatIndexEntry(stored_entry));
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

  static IndexEntry Removing(const IndexEntry& entry) { return {State::kRemoving, entry.bytes, 0, {}}; }

  // Out of sight in one step; what a crash leaves is cleared as a half upload.
  Result<> RemoveOne(const std::string& id, const std::string& node, const IndexEntry& entry) {
    FFDC_TRY(pool_->SetEntry(Day(id), Key(id, node), FormatIndexEntry(Removing(entry))));
    return RemoveObjects(id, node, entry);
  }

  // Only as long as that is its entry. Code ECANCELED: it is not.
  Result<> RemoveIf(const std::string& id, const std::string& node, const IndexEntry& entry) {
    FFDC_TRY(pool_->ReplaceEntry(Day(id), Key(id, node), FormatIndexEntry(entry),
                                 FormatIndexEntry(Removing(entry))));
    return RemoveObjects(id, node, entry);
  }

  Result<> RemoveObjects(const std::string& id, const std::string& node, const IndexEntry& entry) {
    const std::string target = Folder(id) + "/" + node + "/";
    FFDC_TRY(RemoveObject(target + kManifestFile));
    // The index does not tell which of the two it is; of a half upload nothing does.
    FFDC_TRY(RemovePieces(*pool_, target + kArchiveFile, entry.bytes));
    FFDC_TRY(RemovePieces(*pool_, target + kEncryptedArchiveFile, entry.bytes));
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
    if (error.code == ESHUTDOWN || error.code == ENOENT || error.code == ESTALE || error.code == EPERM ||
        error.code == EACCES)
      ForgetCeph();
    return Fail("store " + std::string(kRadosScheme) + url_.pool + " " + AdviceFor(error.code) + " (" +
                    error.message + ")",
                error.code);
  }

  std::shared_ptr<CephPool> pool_;
  RadosUrl url_;
  std::string cluster_;
  std::string node_;
  std::string base_;       // before the name of every object
  std::string incidents_;  // the index of the days
  std::string lease_;      // ours, as it was written; empty: none
};

}  // namespace

Result<std::unique_ptr<StoreDriver>> OpenRadosDriver(const std::string& url, const std::string& cluster,
                                                     const std::string& node) {
  FFDC_ASSIGN(const RadosUrl parsed, ParseRadosUrl(url));
  auto pool = ConnectCeph(parsed, url);
  if (!pool) return Unexpected(pool.error().In("store " + url));
  ReportProgress();
  return MakeRadosDriver(std::move(*pool), parsed, cluster, node);
}

std::unique_ptr<StoreDriver> MakeRadosDriver(std::shared_ptr<CephPool> pool, const RadosUrl& url,
                                             const std::string& cluster, const std::string& node) {
  return std::make_unique<RadosDriver>(std::move(pool), url, cluster, node);
}

}  // namespace ffdc
