// SPDX-License-Identifier: Apache-2.0
// Between stores of any two kinds: each capture passes through a folder in the spool, where it is checked
// before it goes on.
#include "store/migrate.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <string>

#include "base/fd.h"
#include "base/fs.h"
#include "base/spool_layout.h"
#include "store/archive_check.h"
#include "store/file_source.h"
#include "store/known_store.h"
#include "store/layout.h"
#include "store/pacer.h"
#include "store/progress_pipe.h"

namespace ffdc {
namespace {

namespace fs = std::filesystem;

// What a crash leaves of it is cleared with the spool's other leftovers.
class Staging {
 public:
  explicit Staging(const std::string& spool)
      : folder_(fs::path(spool) / kTmpFolder / ("ship-migrate." + RandomSuffix())) {}
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging() { [[maybe_unused]] const auto removed = RemoveAll(folder_); }

  [[nodiscard]] const fs::path& folder() const { return folder_; }

 private:
  fs::path folder_;
};

class PacedTransfer final : public Transfer {
 public:
  PacedTransfer(uint64_t max_bytes_per_second, ProgressPipe& pipe)
      : pacer_(max_bytes_per_second), pipe_(pipe) {}
  // That nobody listens any more shows itself at the next step.
  void Sent(uint64_t bytes) override {
    pipe_.next().set_bytes_done(pipe_.next().bytes_done() + bytes);
    [[maybe_unused]] const auto told = pipe_.Tell();
    pacer_.Sent(bytes);
  }

 private:
  Pacer pacer_;
  ProgressPipe& pipe_;
};

Result<> CopyOut(StoreDriver& store, const StoredCapture& capture, const std::string& name,
                 const fs::path& folder) {
  FFDC_ASSIGN(const auto source, store.Open(capture.incident_id, capture.node, name));
  const fs::path path = folder / name;
  const Fd target(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
  if (!target.valid()) return FailErrno("cannot create " + path.string());
  std::string chunk(1u << 20, '\0');
  for (;;) {
    FFDC_ASSIGN(const size_t got, source->Read(chunk.data(), chunk.size()));
    if (got == 0) return {};
    FFDC_TRY(WriteAll(target.get(), std::string_view(chunk).substr(0, got), path.string()));
  }
}

Result<v1::Manifest> ManifestOf(StoreDriver& store, const StoredCapture& capture) {
  FFDC_ASSIGN(const auto source, store.Open(capture.incident_id, capture.node, kManifestFile));
  FFDC_ASSIGN(const std::string text, ReadText(*source));
  FFDC_ASSIGN(auto manifest, ParseManifest(text));
  if (manifest.incident_id() != capture.incident_id || manifest.node() != capture.node)
    return Fail("is of incident " + manifest.incident_id() + " by node '" + manifest.node() + "'");
  return manifest;
}

class Migration {
 public:
  Migration(const v1::StoreArgs& args, StoreDriver& from, StoreDriver& to, ProgressPipe& pipe)
      : args_(args), from_(from), to_(to), pipe_(pipe), transfer_(args.max_bytes_per_second(), pipe) {}

  Result<> Run() {
    FFDC_ASSIGN(const auto captures, from_.List());
    if (captures.empty())
      return Fail("store " + args_.store_url() + " has no capture of cluster '" + args_.cluster() +
                      "': nothing to migrate: check the url",
                  ENOENT);
    pipe_.next().set_captures_total(captures.size());
    for (const auto& capture : captures)
      pipe_.next().set_bytes_total(pipe_.next().bytes_total() + capture.bytes);
    std::set<std::string> ids;
    for (const auto& capture : captures) {
      const uint64_t before = pipe_.next().bytes_done();
      FFDC_TRY(Move(capture));
      // What was there already is done, too.
      pipe_.next().set_bytes_done(std::max(before + capture.bytes, pipe_.next().bytes_done()));
      pipe_.next().set_captures_done(pipe_.next().captures_done() + 1);
      ids.insert(capture.incident_id);
      FFDC_TRY(pipe_.Tell());
    }
    for (const auto& id : ids) FFDC_TRY(MoveDescription(id));
    return {};
  }

 private:
  // An error is one of a store or the spool; what is wrong with one capture is told, and the others go on.
  Result<> Move(const StoredCapture& capture) {
    const auto manifest = ManifestOf(from_, capture);
    if (!manifest) return Tell(capture, kManifestFile, manifest.error().message);
    FFDC_ASSIGN(const bool there, IsThere(capture, *manifest));
    if (there) {
      pipe_.next().set_captures_skipped(pipe_.next().captures_skipped() + 1);
      return {};
    }
    const Staging staging(args_.spool_dir());
    FFDC_TRY(MakeDirs(staging.folder()));
    for (const std::string& name : {std::string(kManifestFile), manifest->archive()}) {
      auto copied = CopyOut(from_, capture, name, staging.folder());
      if (!copied && copied.error().code == ENOENT) return Tell(capture, name, "is missing");
      FFDC_TRY(copied);
    }
    FFDC_ASSIGN(const auto archive, FileSource::Open(staging.folder() / manifest->archive()));
    FFDC_ASSIGN(const std::string why, WhyNotArchive(*archive, *manifest));
    if (!why.empty()) return Tell(capture, manifest->archive(), why);
    auto put = to_.PutCapture(staging.folder().string(), *manifest, transfer_);
    if (!put && put.error().code == EEXIST)
      return Tell(capture, manifest->archive(),
                  "the other store has a capture of this name that is not the same");
    return put;
  }

  // The same capture, whole.
  Result<bool> IsThere(const StoredCapture& capture, const v1::Manifest& manifest) {
    const auto other = ManifestOf(to_, capture);
    if (!other || other->archive_sha256() != manifest.archive_sha256()) return false;
    const auto archive = to_.Open(capture.incident_id, capture.node, manifest.archive());
    if (!archive) return false;
    FFDC_ASSIGN(const std::string why, WhyNotArchive(**archive, manifest));
    if (why.empty()) return true;
    FFDC_TRY(to_.Remove(capture.incident_id, capture.node));  // damaged there, good here
    return false;
  }

  Result<> MoveDescription(const std::string& id) {
    if (to_.Open(id, {}, kIncidentFile)) return {};
    FFDC_ASSIGN(const auto nodes, to_.Nodes(id));
    const auto source = from_.Open(id, {}, kIncidentFile);
    if (nodes.empty() || !source) return {};  // a capture is worth more than its description
    FFDC_ASSIGN(const std::string json, ReadText(**source));
    return to_.PutIncident(id, json);
  }

  Result<> Tell(const StoredCapture& capture, const std::string& file, const std::string& problem) {
    auto* shown = pipe_.next().add_problems();
    shown->set_incident_id(capture.incident_id);
    shown->set_file(capture.node + "/" + file);
    shown->set_problem(problem);
    return {};
  }

  const v1::StoreArgs& args_;
  StoreDriver& from_;
  StoreDriver& to_;
  ProgressPipe& pipe_;
  PacedTransfer transfer_;
};

}  // namespace

Result<> MigrateBetween(StoreDriver& from, StoreDriver& to, const v1::StoreArgs& args, int fd) {
  ProgressPipe pipe(fd);
  FFDC_TRY(to.Prepare());
  FFDC_TRY(Migration(args, from, to, pipe).Run());
  return pipe.Finish();
}

Result<> MigrateStore(const v1::StoreArgs& args, int fd) {
  FFDC_ASSIGN(const auto from, OpenKnownStore(args, StoreUse::kRead));
  v1::StoreArgs target = args;
  target.set_store_url(args.to_store_url());
  target.clear_known_store_id();
  FFDC_ASSIGN(const auto to, OpenKnownStore(target, StoreUse::kWrite));
  return MigrateBetween(*from, *to, args, fd);
}

}  // namespace ffdc
