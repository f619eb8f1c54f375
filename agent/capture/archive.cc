// SPDX-License-Identifier: Apache-2.0
#include "capture/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace ffdc {
namespace {

constexpr size_t kCopyBytes = 256u << 10;
constexpr unsigned kMaxThreads = 4;

struct EntryDeleter {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

}  // namespace

Result<std::unique_ptr<ArchiveWriter>> ArchiveWriter::Create(const std::string& path,
                                                             const std::vector<std::string>& encrypt_to) {
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!fd.valid()) return FailErrno("cannot create " + path);
  std::unique_ptr<ArchiveWriter> writer(new ArchiveWriter(std::move(fd), path));
  if (!encrypt_to.empty()) {
    FFDC_ASSIGN(writer->encryptor_, CmsEncryptor::Create(encrypt_to));
  }
  FFDC_TRY(writer->Open());
  return writer;
}

Result<> ArchiveWriter::Open() {
  archive_ = archive_write_new();
  if (archive_ == nullptr) return Fail("out of memory for " + path_, ENOMEM);
  if (archive_write_set_format_pax_restricted(archive_) != ARCHIVE_OK ||
      archive_write_add_filter_zstd(archive_) != ARCHIVE_OK ||
      archive_write_set_filter_option(archive_, "zstd", "compression-level", "3") != ARCHIVE_OK) {
    return Failed("cannot set up");
  }
  // Where this libzstd has threads; without them it is only slower. Each takes some MiB.
  const std::string threads =
      std::to_string(std::clamp(std::thread::hardware_concurrency(), 1u, kMaxThreads));
  archive_write_set_filter_option(archive_, "zstd", "threads", threads.c_str());
  // No zeros behind the last zstd frame: zstd calls them damage.
  archive_write_set_bytes_in_last_block(archive_, 1);
  if (archive_write_open(archive_, this, nullptr, &ArchiveWriter::Emit, nullptr) != ARCHIVE_OK) {
    return Failed("cannot begin");
  }
  return {};
}

ArchiveWriter::~ArchiveWriter() {
  if (archive_ == nullptr) return;
  // Given up: nothing may be written any more, not even the end of the archive.
  archive_write_fail(archive_);
  archive_write_free(archive_);
}

Unexpected ArchiveWriter::Failed(const std::string& what) const {
  const char* why = archive_error_string(archive_);
  return Fail(what + " " + path_ + ": " + (why != nullptr ? why : "unknown error"), archive_errno(archive_));
}

ssize_t ArchiveWriter::Emit(struct archive* archive, void* self, const void* data, size_t size) {
  auto* writer = static_cast<ArchiveWriter*>(self);
  const std::string_view bytes(static_cast<const char*>(data), size);
  if (auto written = writer->Write(bytes); !written) {
    archive_set_error(archive, written.error().code, "%s", written.error().message.c_str());
    return -1;
  }
  return static_cast<ssize_t>(size);
}

// Nothing of the plain text reaches the file where there are recipients.
Result<> ArchiveWriter::Write(std::string_view bytes) {
  std::string encrypted;
  if (encryptor_ != nullptr) {
    FFDC_ASSIGN(encrypted, encryptor_->Encrypt(bytes));
    bytes = encrypted;
  }
  return WriteOut(bytes);
}

Result<> ArchiveWriter::WriteOut(std::string_view bytes) {
  FFDC_TRY(WriteAll(fd_.get(), bytes, path_));
  sha256_.Update(bytes.data(), bytes.size());
  xxh3_.Update(bytes.data(), bytes.size());
  bytes_ += bytes.size();
  return {};
}

Result<Digest> ArchiveWriter::Add(const std::string& name, const Fd& fd, const std::string& source) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return FailErrno("cannot stat " + source);
  if (!S_ISREG(info.st_mode)) return Fail(source + " is not a regular file");

  const std::unique_ptr<archive_entry, EntryDeleter> entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), name.c_str());
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0640);
  archive_entry_set_size(entry.get(), info.st_size);
  archive_entry_set_mtime(entry.get(), info.st_mtim.tv_sec, 0);
  if (archive_write_header(archive_, entry.get()) != ARCHIVE_OK) return Failed("cannot add " + name + " to");
  FFDC_ASSIGN(Digest hashed, Copy(fd.get(), static_cast<uint64_t>(info.st_size), source));
  if (archive_write_finish_entry(archive_) != ARCHIVE_OK) return Failed("cannot add " + name + " to");
  return hashed;
}

// Exactly size_bytes: the header has promised them. A worker that hangs in the
// kernel may yet come back and append to its file.
Result<Digest> ArchiveWriter::Copy(int source_fd, uint64_t size_bytes, const std::string& source) {
  Sha256 digest;
  std::vector<char> chunk(kCopyBytes);
  for (uint64_t left = size_bytes; left > 0;) {
    const auto wanted = static_cast<size_t>(std::min<uint64_t>(left, chunk.size()));
    FFDC_ASSIGN(const size_t got, ReadSome(source_fd, chunk.data(), wanted, source));
    if (got == 0) return Fail(source + " shrank while it was archived");
    digest.Update(chunk.data(), got);
    const la_ssize_t put = archive_write_data(archive_, chunk.data(), got);
    if (put != static_cast<la_ssize_t>(got)) return Failed("cannot write");
    left -= got;
  }
  return Digest{size_bytes, digest.HexDigest(), {}};
}

Result<Digest> ArchiveWriter::Finish() {
  if (archive_write_close(archive_) != ARCHIVE_OK) return Failed("cannot complete");
  archive_write_free(archive_);
  archive_ = nullptr;
  if (encryptor_ != nullptr) {
    FFDC_ASSIGN(const std::string end, encryptor_->Finish());
    FFDC_TRY(WriteOut(end));
  }
  if (::fsync(fd_.get()) != 0) return FailErrno("cannot fsync " + path_);
  return Digest{bytes_, sha256_.HexDigest(), xxh3_.HexDigest()};
}

}  // namespace ffdc
