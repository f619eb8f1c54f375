// SPDX-License-Identifier: Apache-2.0
#include "capture/seal.h"

#include <fcntl.h>
#include <google/protobuf/util/time_util.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/fs.h"
#include "base/proto_json.h"
#include "base/spool_layout.h"
#include "capture/archive.h"
#include "capture/cms.h"
#include "capture/manifest.h"
#include "capture/redact_record.h"
#include "capture/seal_lock.h"
#include "capture/spool.h"
#include "capture/staging.h"

namespace ffdc {
namespace fs = std::filesystem;

namespace {

using google::protobuf::util::TimeUtil;

struct StagedFiles {
  std::vector<std::string> names;
  uint64_t skipped = 0;
};

Result<StagedFiles> ListFiles(const std::string& staging_dir) {
  StagedFiles files;
  std::error_code code;
  for (fs::directory_iterator entry(staging_dir + "/files", code), end; !code && entry != end;
       entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    std::error_code gone;
    if (IsPlainFileName(name) && entry->symlink_status(gone).type() == fs::file_type::regular) {
      files.names.push_back(name);
    } else {
      ++files.skipped;
    }
  }
  if (code) return FailErrno("cannot list " + staging_dir + "/files", code.value());
  return files;
}

Result<> WriteSynced(const std::string& path, const google::protobuf::Message& message) {
  FFDC_ASSIGN(const std::string text, ToJson(message));
  return WriteFileSynced(path, text);
}

// What goes into the archive: the file itself or, if there are rules, what they leave of it.
class Source {
 public:
  // redactor: nullptr: there are none.
  Source(std::string folder, Redactor* redactor) : folder_(std::move(folder)), redactor_(redactor) {}

  // Fills what the manifest says of it.
  Result<Fd> Open(const std::string& path, v1::CapturedFile* file) {
    Fd plain(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!plain.valid()) return FailErrno("cannot open " + path);
    if (redactor_ == nullptr) return plain;
    // In the staging folder's tmpfs, and gone with this worker.
    Fd redacted(::open(folder_.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
    if (!redacted.valid()) return FailErrno("cannot create a file in " + folder_);
    FFDC_ASSIGN(const Redaction done, redactor_->Run(plain.get(), redacted.get(), path));
    file->set_redactions(done.redactions);
    file->set_lines_cut(done.lines_cut);
    file->set_not_redacted(!done.is_text);
    Fd& chosen = done.is_text ? redacted : plain;
    if (::lseek(chosen.get(), 0, SEEK_SET) != 0) return FailErrno("cannot seek " + path);
    return std::move(chosen);
  }
  void NameRules(v1::Manifest* manifest) const {
    if (redactor_ == nullptr) return;
    for (const std::string& name : redactor_->rules().names) manifest->add_redacted(name);
  }

 private:
  std::string folder_;
  Redactor* redactor_;
};

// Puts every file into the archive and its checksum into the manifest.
Result<> WriteArchive(const v1::CaptureJob& job, const std::string& dir, const v1::SealArgs& args,
                      Redactor* redactor, v1::Manifest* manifest) {
  Source source(job.staging_dir(), redactor);
  source.NameRules(manifest);
  const std::vector<std::string> encrypt_to(args.encrypt_to().begin(), args.encrypt_to().end());
  const char* name = encrypt_to.empty() ? kArchiveFile : kEncryptedArchiveFile;
  FFDC_ASSIGN(const auto writer, ArchiveWriter::Create(dir + "/" + name, encrypt_to));
  for (v1::CapturedFile& file : *manifest->mutable_files()) {
    const std::string path = job.staging_dir() + "/files/" + file.name();
    FFDC_ASSIGN(const Fd opened, source.Open(path, &file));
    FFDC_ASSIGN(Digest hashed, writer->Add(file.name(), opened, path));
    file.set_size_bytes(hashed.size_bytes);
    file.set_sha256(std::move(hashed.sha256));
  }
  FFDC_ASSIGN(Digest archive, writer->Finish());
  manifest->set_archive(name);
  manifest->set_archive_bytes(archive.size_bytes);
  manifest->set_archive_sha256(std::move(archive.sha256));
  manifest->set_archive_xxh3_128(std::move(archive.xxh3_128));
  for (const std::string& certificate : encrypt_to) {
    FFDC_ASSIGN(*manifest->add_encrypted_to(), DescribeRecipient(certificate));
  }
  return {};
}

class Sealer {
 public:
  Sealer(v1::CaptureJob job, SealLock lock, const v1::SealArgs& args)
      : job_(std::move(job)),
        args_(args),
        lock_(std::move(lock)),
        id_(job_.manifest().incident_id()),
        tmp_(job_.spool_dir() + "/" + kTmpFolder),
        sealed_(job_.spool_dir() + "/" + SealedPath(id_)) {}

  Result<v1::SealedCapture> Run(const StagedStatuses& statuses) {
    FFDC_TRY(MakeDirs(tmp_));
    FFDC_TRY(MakeDirs(job_.spool_dir() + "/" + kSealedFolder));
    FFDC_ASSIGN(const bool published, WasPublished());
    if (!published) {
      FFDC_TRY(Discard());
      auto renamed = Prepare(statuses);
      if (renamed) renamed = Rename();
      if (!renamed) {
        // The next attempt discards again, so nothing hangs on this one.
        (void)Discard();
        return Unexpected(std::move(renamed).error());
      }
      CrashPoint("seal.renamed");
    }
    // Also of an earlier attempt's rename, which may have ended before this.
    FFDC_TRY(FsyncPath(job_.spool_dir() + "/" + kSealedFolder));
    FFDC_TRY(FsyncPath(tmp_));
    CrashPoint("seal.published");
    (void)RemoveLeftovers();  // a damaged capture that was set aside
    RemoveStaging();
    return std::move(reply_);
  }

 private:
  // True if an earlier attempt went as far as the rename.
  Result<bool> WasPublished() {
    FFDC_ASSIGN(auto manifest, FindSealed(sealed_, id_));
    if (manifest) {
      *reply_.mutable_manifest() = std::move(*manifest);
      reply_.set_path(sealed_);
      return true;
    }
    if (lock_.publishing().empty()) return false;
    const std::string dir = tmp_ + "/" + lock_.publishing();
    struct stat info {};
    if (::lstat(dir.c_str(), &info) == 0) return false;
    if (errno != ENOENT) return FailErrno("cannot stat " + dir);
    // Neither here nor there: published, and by now the store has it.
    *reply_.mutable_manifest() = job_.manifest();
    return true;
  }

  // Undoes what attempts that did not publish did.
  Result<> Discard() {
    // While the lock holds a name, its absence means success; so the lock comes first.
    FFDC_TRY(lock_.SetPublishing(""));
    return RemoveLeftovers();
  }

  Result<> RemoveLeftovers() {
    FFDC_ASSIGN(const auto leftovers, ListTmp(job_.spool_dir(), id_ + "."));
    for (const std::string& name : leftovers) FFDC_TRY(RemoveAll(tmp_ + "/" + name));
    return {};
  }

  Result<> Prepare(const StagedStatuses& statuses) {
    prepared_ = tmp_ + "/" + id_ + ".XXXXXX";
    if (::mkdtemp(prepared_.data()) == nullptr) return FailErrno("cannot make a folder in " + tmp_);
    if (::chmod(prepared_.c_str(), 0750) != 0) return FailErrno("cannot set the mode of " + prepared_);
    CrashPoint("seal.begun");
    FFDC_ASSIGN(StagedFiles files, ListFiles(job_.staging_dir()));
    v1::Manifest manifest = AssembleManifest(job_, statuses, std::move(files.names));
    if (files.skipped > 0) {
      v1::Loss& loss = *manifest.add_losses();
      loss.set_what("capture.file_skipped");
      loss.set_count(files.skipped);
      loss.set_detail("not a regular file, or not named as one of the capture");
    }
    FFDC_ASSIGN(const auto redactor, MakeRedactor(args_.redact()));
    FFDC_TRY(WriteArchive(job_, prepared_, args_, redactor.get(), &manifest));
    CrashPoint("seal.archived");
    CountCollectorBytes(&manifest);
    *manifest.mutable_sealed_at() = TimeUtil::NanosecondsToTimestamp(SystemClock().RealtimeNs());
    FFDC_TRY(WriteDescriptions(redactor.get(), manifest));
    FFDC_TRY(FsyncPath(prepared_));
    CrashPoint("seal.synced");
    *reply_.mutable_manifest() = std::move(manifest);
    reply_.set_path(sealed_);
    return {};
  }

  // As others may read them; the agent itself goes on with what it knows.
  Result<> WriteDescriptions(Redactor* redactor, v1::Manifest manifest) {
    v1::Incident incident = job_.incident();
    if (redactor != nullptr) {
      RedactRecord(*redactor, &incident);
      RedactRecord(*redactor, &manifest);
    }
    FFDC_TRY(WriteSynced(prepared_ + "/" + kIncidentFile, incident));
    return WriteSynced(prepared_ + "/" + kManifestFile, manifest);
  }

  Result<> Rename() {
    if (struct stat info{}; ::lstat(sealed_.c_str(), &info) == 0) {
      // FindSealed found it damaged, and the staging folder is whole.
      FFDC_TRY(RenameDurable(sealed_, tmp_ + "/" + id_ + ".damaged"));
    }
    FFDC_TRY(lock_.SetPublishing(fs::path(prepared_).filename().string()));
    CrashPoint("seal.publishing");
    if (std::rename(prepared_.c_str(), sealed_.c_str()) != 0) {
      return FailErrno("cannot rename " + prepared_ + " to " + sealed_);
    }
    return {};
  }

  // The job goes first: a staging folder without one is never sealed. Failing is
  // harmless: the next attempt finds the capture published.
  void RemoveStaging() {
    (void)RemoveAll(job_.staging_dir() + "/job.pb");
    CrashPoint("seal.job_removed");
    (void)RemoveAll(job_.staging_dir());
  }

  v1::CaptureJob job_;
  const v1::SealArgs& args_;
  SealLock lock_;
  std::string id_;
  std::string tmp_;
  std::string sealed_;
  std::string prepared_;
  v1::SealedCapture reply_;
};

}  // namespace

Result<v1::SealedCapture> SealCapture(const v1::SealArgs& args) {
  const std::string id = fs::path(args.staging_dir()).filename().string();
  auto job = ReadJob(args.staging_dir(), args.spool_dir());
  if (!job) {
    // An attempt that was given up as hung may have finished after all.
    const std::string sealed_dir = args.spool_dir() + "/" + SealedPath(id);
    FFDC_ASSIGN(auto manifest, FindSealed(sealed_dir, id));
    if (!manifest) return Unexpected(std::move(job).error());
    v1::SealedCapture sealed;
    *sealed.mutable_manifest() = std::move(*manifest);
    sealed.set_path(sealed_dir);
    return sealed;
  }
  FFDC_ASSIGN(SealLock lock, SealLock::Acquire(args.staging_dir()));
  FFDC_ASSIGN(StagedStatuses statuses, ReadStatuses(args.staging_dir()));
  for (const v1::CollectorStatus& status : args.statuses()) {
    statuses.ended.insert({status.result().name(), status});
  }
  return Sealer(std::move(*job), std::move(lock), args).Run(statuses);
}

}  // namespace ffdc
