// SPDX-License-Identifier: Apache-2.0
#include "store/verify.h"

#include <archive.h>
#include <archive_entry.h>

#include <cerrno>
#include <map>
#include <memory>
#include <string>

#include "base/fs.h"
#include "base/proto_json.h"
#include "base/spool_layout.h"
#include "store/archive_check.h"
#include "store/file_source.h"
#include "store/layout.h"

namespace ffdc {
namespace {

constexpr size_t kVerifyChunkBytes = 256u << 10;

void AddProblem(v1::VerifyReport* report, std::string file, std::string problem) {
  auto* entry = report->add_problems();
  entry->set_file(std::move(file));
  entry->set_problem(std::move(problem));
}

// Feeds libarchive and hashes what passes.
class HashedArchive {
 public:
  explicit HashedArchive(ByteSource& source) : source_(source), chunk_(kVerifyChunkBytes, '\0') {}

  Result<size_t> Next() {
    FFDC_ASSIGN(const size_t got, source_.Read(chunk_.data(), chunk_.size()));
    sha256_.Update(chunk_.data(), got);
    size_bytes_ += got;
    return got;
  }

  static la_ssize_t Read(struct archive* archive, void* self, const void** data) {
    auto* me = static_cast<HashedArchive*>(self);
    const auto got = me->Next();
    if (!got) {
      archive_set_error(archive, EIO, "%s", got.error().message.c_str());
      return -1;
    }
    *data = me->chunk_.data();
    return static_cast<la_ssize_t>(*got);
  }

  // Reads what libarchive left unread, and ends.
  Result<Digest> Finish() {
    for (;;) {
      FFDC_ASSIGN(const size_t got, Next());
      if (got == 0) return Digest{size_bytes_, sha256_.HexDigest(), {}};
    }
  }

 private:
  ByteSource& source_;
  std::string chunk_;
  Sha256 sha256_;
  uint64_t size_bytes_ = 0;
};

struct FreeArchive {
  void operator()(struct archive* archive) const { archive_read_free(archive); }
};
using ArchivePtr = std::unique_ptr<struct archive, FreeArchive>;

class CopyVerifier {
 public:
  CopyVerifier(const CaptureCopy& copy, v1::VerifyReport* report)
      : copy_(copy), report_(report), archive_name_(copy.node + "/" + copy.archive_name) {}

  void Run() {
    if (!ReadManifest()) return;
    if (!copy_.archive) {
      AddProblem(report_, archive_name_, copy_.archive.error().message);
      return;
    }
    HashedArchive source(**copy_.archive);
    const bool encrypted = manifest_.archive() == kEncryptedArchiveFile;
    const auto walked = encrypted ? Result<>() : Walk(source);
    const auto digest = source.Finish();
    report_->set_files_checked(report_->files_checked() + 1);
    if (!digest) {
      AddProblem(report_, archive_name_, digest.error().message);
      return;
    }
    report_->set_bytes_checked(report_->bytes_checked() + digest->size_bytes);
    if (const auto why = WhyNotSha256({manifest_.archive_bytes(), manifest_.archive_sha256(), {}}, *digest);
        !why.empty())
      AddProblem(report_, archive_name_, why);
    if (!walked) AddProblem(report_, archive_name_, "cannot be unpacked: " + walked.error().message);
    if (encrypted) {
      *report_->add_encrypted() = copy_.node;  // only its recipients can look inside
      return;
    }
    for (const auto& [name, file] : missing_)
      AddProblem(report_, name + " inside " + archive_name_, "missing, or beyond the damage");
  }

 private:
  bool ReadManifest() {
    const std::string name = copy_.node + "/" + kManifestFile;
    auto text = copy_.manifest ? ReadText(**copy_.manifest) : Unexpected(copy_.manifest.error());
    auto manifest = text ? ParseManifest(*text) : Unexpected(text.error());
    report_->set_files_checked(report_->files_checked() + 1);
    if (!manifest) {
      AddProblem(report_, name, manifest.error().message);
      return false;
    }
    report_->set_bytes_checked(report_->bytes_checked() + text->size());
    manifest_ = std::move(*manifest);
    if (manifest_.incident_id() != report_->incident_id())
      AddProblem(report_, name, "is of incident " + manifest_.incident_id());
    if (manifest_.node() != copy_.node) AddProblem(report_, name, "is of node '" + manifest_.node() + "'");
    for (const auto& file : manifest_.files()) missing_[file.name()] = &file;
    return true;
  }

  Result<> Walk(HashedArchive& source) {
    const ArchivePtr archive(archive_read_new());
    archive_read_support_filter_zstd(archive.get());
    archive_read_support_format_tar(archive.get());
    const auto failed = [&] {
      const char* text = archive_error_string(archive.get());
      return Fail(text != nullptr ? text : "unknown error");
    };
    if (archive_read_open(archive.get(), &source, nullptr, HashedArchive::Read, nullptr) != ARCHIVE_OK)
      return failed();
    for (;;) {
      struct archive_entry* entry = nullptr;
      const int code = archive_read_next_header(archive.get(), &entry);
      if (code == ARCHIVE_EOF) return {};
      if (code < ARCHIVE_WARN) return failed();
      FFDC_TRY(CheckEntry(archive.get(), entry));
    }
  }

  // An error ends the walk: libarchive cannot go on behind it.
  Result<> CheckEntry(struct archive* archive, struct archive_entry* entry) {
    const char* path = archive_entry_pathname(entry);
    const std::string name = path != nullptr ? path : "?";
    const std::string shown = name + " inside " + archive_name_;
    const auto expected = missing_.find(name);
    if (expected == missing_.end() || archive_entry_filetype(entry) != AE_IFREG) {
      AddProblem(report_, shown, "is not in the manifest");
      return {};
    }
    const v1::CapturedFile& file = *expected->second;
    missing_.erase(expected);
    FFDC_ASSIGN(const Digest digest, DigestOfEntry(archive, shown));
    report_->set_files_checked(report_->files_checked() + 1);
    if (auto why = WhyNotSha256({file.size_bytes(), file.sha256(), {}}, digest); !why.empty())
      AddProblem(report_, shown, std::move(why));
    return {};
  }

  Result<Digest> DigestOfEntry(struct archive* archive, const std::string& shown) {
    Sha256 sha256;
    Digest digest;
    std::string chunk(kVerifyChunkBytes, '\0');
    for (;;) {
      const la_ssize_t got = archive_read_data(archive, chunk.data(), chunk.size());
      if (got == 0) break;
      if (got < 0) {
        const char* text = archive_error_string(archive);
        AddProblem(report_, shown, std::string("cannot be read: ") + (text != nullptr ? text : "?"));
        return Fail(text != nullptr ? text : "unknown error");
      }
      sha256.Update(chunk.data(), static_cast<size_t>(got));
      digest.size_bytes += static_cast<uint64_t>(got);
    }
    digest.sha256 = sha256.HexDigest();
    return digest;
  }

  const CaptureCopy& copy_;
  v1::VerifyReport* report_;
  std::string archive_name_;
  v1::Manifest manifest_;
  std::map<std::string, const v1::CapturedFile*> missing_;  // in the manifest, not yet met
};

void VerifyIncident(const IncidentCopies& copies, v1::VerifyReport* report) {
  auto text = copies.incident ? ReadText(**copies.incident) : Unexpected(copies.incident.error());
  v1::Incident incident;
  const auto parsed = text ? FromJson(*text, &incident) : Unexpected(text.error());
  report->set_files_checked(report->files_checked() + 1);
  if (!parsed) {
    AddProblem(report, kIncidentFile, parsed.error().message);
    return;
  }
  report->set_bytes_checked(report->bytes_checked() + text->size());
  if (incident.id() != report->incident_id())
    AddProblem(report, kIncidentFile, "is of incident '" + incident.id() + "'");
}

}  // namespace

v1::VerifyReport Verify(const std::string& incident_id, IncidentCopies copies) {
  v1::VerifyReport report;
  report.set_incident_id(incident_id);
  VerifyIncident(copies, &report);
  for (const auto& copy : copies.captures) CopyVerifier(copy, &report).Run();
  if (!copies.store_problem.empty())
    AddProblem(&report, "store", "could not be asked for more captures: " + copies.store_problem);
  report.set_ok(report.problems().empty());
  return report;
}

}  // namespace ffdc
