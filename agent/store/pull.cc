// SPDX-License-Identifier: Apache-2.0
#include "store/pull.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <memory>

#include "base/freed.h"
#include "base/fs.h"
#include "base/proto_json.h"
#include "base/spool_layout.h"
#include "store/file_source.h"
#include "store/layout.h"

namespace ffdc {
namespace {

class TarStream {
 public:
  explicit TarStream(int fd) : fd_(fd), archive_(archive_write_new()) {}
  TarStream(const TarStream&) = delete;
  TarStream& operator=(const TarStream&) = delete;
  ~TarStream() {
    // Else libarchive would end the stream as if it were whole.
    if (!finished_) archive_write_fail(archive_.get());
  }

  Result<> Open() {
    archive_write_set_format_pax_restricted(archive_.get());
    archive_write_set_bytes_in_last_block(archive_.get(), 1);
    return Check(archive_write_open_fd(archive_.get(), fd_));
  }

  Result<> Add(const std::string& name, ByteSource& source) {
    FFDC_TRY(Begin(name, source.size_bytes()));
    uint64_t left = source.size_bytes();
    std::string chunk(256u << 10, '\0');
    while (left != 0) {
      FFDC_ASSIGN(const size_t got, source.Read(chunk.data(), std::min<uint64_t>(left, chunk.size())));
      if (got == 0) return Fail(name + " became shorter while it was read");
      if (archive_write_data(archive_.get(), chunk.data(), got) < 0) return Failed();
      left -= got;
    }
    return {};
  }

  Result<> AddText(const std::string& name, const std::string& text) {
    FFDC_TRY(Begin(name, text.size()));
    if (archive_write_data(archive_.get(), text.data(), text.size()) < 0) return Failed();
    return {};
  }

  Result<> Finish() {
    finished_ = true;
    return Check(archive_write_close(archive_.get()));
  }

 private:
  Result<> Begin(const std::string& name, uint64_t size_bytes) {
    const std::unique_ptr<struct archive_entry, Freed<archive_entry_free>> entry(archive_entry_new());
    archive_entry_set_pathname_utf8(entry.get(), name.c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0640);
    archive_entry_set_mtime(entry.get(), time(nullptr), 0);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size_bytes));
    return Check(archive_write_header(archive_.get(), entry.get()));
  }
  Unexpected Failed() const {
    if (archive_errno(archive_.get()) == EPIPE) return Fail("the reader went away", EPIPE);
    const char* text = archive_error_string(archive_.get());
    return Fail(text != nullptr ? text : "unknown error", archive_errno(archive_.get()));
  }
  Result<> Check(int code) const {
    if (code < ARCHIVE_WARN) return Failed();
    return {};
  }

  int fd_;
  std::unique_ptr<struct archive, Freed<archive_write_free>> archive_;
  bool finished_ = false;
};

}  // namespace

Timeline TimelineOf(const IncidentCopies& copies) {
  Timeline timeline;
  for (const auto& copy : copies.captures) {
    const auto text = copy.manifest ? ReadText(**copy.manifest) : Unexpected(copy.manifest.error());
    const auto manifest = text ? ParseManifest(*text) : Unexpected(text.error());
    if (manifest) timeline.AddCapture(*manifest);
  }
  v1::Incident incident;
  const auto text = copies.incident ? ReadText(**copies.incident) : Unexpected(copies.incident.error());
  if (text && FromJson(*text, &incident)) timeline.AddIncident(incident);
  for (const auto& copy : copies.captures) {
    if (copy.archive_name == kEncryptedArchiveFile) {
      timeline.Note("no kernel log of " + copy.node + ": its capture is encrypted");
    } else if (copy.archive) {
      timeline.AddArchive(copy.node, **copy.archive);
    }
  }
  return timeline;
}

Result<> Pull(const std::string& incident_id, const IncidentCopies& copies, Timeline timeline, int fd) {
  TarStream stream(fd);
  FFDC_TRY(stream.Open());
  if (copies.incident) FFDC_TRY(stream.Add(incident_id + "/" + kIncidentFile, **copies.incident));
  FFDC_TRY(stream.AddText(incident_id + "/timeline.txt", timeline.Text()));
  FFDC_TRY(stream.AddText(incident_id + "/timeline.jsonl", timeline.Jsonl()));
  for (const auto& copy : copies.captures) {
    const std::string folder = incident_id + "/" + copy.node + "/";
    if (!copy.manifest) return Unexpected(copy.manifest.error());
    FFDC_TRY(stream.Add(folder + kManifestFile, **copy.manifest));
    if (!copy.archive) return Unexpected(copy.archive.error());
    FFDC_TRY(stream.Add(folder + copy.archive_name, **copy.archive));
  }
  return stream.Finish();
}

}  // namespace ffdc
