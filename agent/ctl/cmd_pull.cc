// SPDX-License-Identifier: Apache-2.0
// incident pull: the archive appears under its name only when all of it is there.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "base/fd.h"
#include "base/fs.h"
#include "base/spool_layout.h"
#include "ctl/commands.h"
#include "ctl/format.h"
#include "ctl/interrupt.h"
#include "ctl/progress.h"
#include "ctl/text.h"

namespace ffdc::ctl {
namespace {

// FILE.part, which becomes FILE or goes away. What is there and no file (a device, a pipe) is written
// to as it is: it must not be replaced.
class PartFile {
 public:
  static Result<PartFile> Create(std::string path) {
    PartFile file;
    file.path_ = std::move(path);
    struct stat status {};
    if (stat(file.path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
      file.fd_ = Fd(open(file.path_.c_str(), O_WRONLY | O_CLOEXEC));
      if (!file.fd_.valid()) return FailErrno("cannot write " + file.path_);
      return file;
    }
    const std::string part = file.path_ + ".part";
    file.fd_ = Fd(open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
    if (!file.fd_.valid()) return FailErrno("cannot write " + part);
    file.part_ = part;
    return file;
  }
  PartFile(PartFile&& other) noexcept
      : path_(std::move(other.path_)), part_(std::exchange(other.part_, {})), fd_(std::move(other.fd_)) {}
  PartFile& operator=(PartFile&&) = delete;
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  ~PartFile() {
    if (!part_.empty()) unlink(part_.c_str());
  }

  [[nodiscard]] int fd() const { return fd_.get(); }
  Result<> Finish() {
    if (part_.empty()) return {};
    if (fsync(fd_.get()) != 0) return FailErrno("cannot write " + part_);
    if (rename(part_.c_str(), path_.c_str()) != 0)
      return FailErrno("cannot rename " + part_ + " to " + path_);
    part_.clear();
    return {};
  }

 private:
  PartFile() = default;

  std::string path_;
  std::string part_;
  Fd fd_;
};

Result<uint64_t> Receive(grpc::ClientContext& call, grpc::ClientReader<v1::PullChunk>& stream, int fd,
                         const std::string& name) {
  Progress progress(isatty(STDERR_FILENO) != 0 && isatty(STDOUT_FILENO) != 0);
  uint64_t total_bytes = 0;
  uint64_t bytes = 0;
  v1::PullChunk chunk;
  Result<> written;
  while (written && !Interrupted() && stream.Read(&chunk)) {
    total_bytes = std::max(total_bytes, chunk.total_bytes());
    written = WriteAll(fd, chunk.data(), name);
    bytes += chunk.data().size();
    progress.Update(bytes, total_bytes);
  }
  if (!written || Interrupted()) call.TryCancel();
  if (!written) return Unexpected(written.error());
  if (bytes < total_bytes && !Interrupted()) {
    return Fail("only " + std::to_string(bytes) + " of " + std::to_string(total_bytes) + " bytes came");
  }
  return bytes;
}

// Returns how many bytes came.
Result<uint64_t> Pull(Client& client, const std::string& id, int fd, const std::string& name) {
  const std::string what = "cannot pull incident '" + id + "'";
  grpc::ClientContext call;
  const auto stream = client.stub().PullIncident(&call, Ref(id));
  const auto received = Receive(call, *stream, fd, name);
  const grpc::Status status = stream->Finish();
  if (Interrupted()) return Fail(what + ": interrupted");
  const bool by_us = status.error_code() == grpc::StatusCode::CANCELLED;
  if (!status.ok() && !by_us) return Unexpected(client.ToError(status, what));
  if (!received) return Unexpected(received.error().In(what));
  if (!status.ok()) return Unexpected(client.ToError(status, what));
  return *received;
}

Result<v1::IncidentDetail> GetDetail(Client& client, const std::string& id) {
  return client.Call(&v1::Control::Stub::GetIncident, Ref(id), "cannot pull incident '" + id + "'",
                     kWorkLimit);
}

// The incident's full id, so that the file's name does not depend on how it was typed.
Result<std::string> DefaultName(const v1::IncidentDetail& detail, const std::string& id) {
  const std::string& full_id = detail.incident().id();
  if (full_id.empty() || full_id.find('/') != std::string::npos) {
    return Fail("cannot pull incident '" + id + "': the agent names no usable id: give a file with --output");
  }
  return ShortId(full_id) + ".tar";
}

// How to open what is encrypted. Its key is not for the agent, nor for this command.
std::string HowToOpen(const v1::IncidentDetail& detail) {
  std::string text;
  for (const v1::Manifest& manifest : detail.manifests()) {
    if (manifest.encrypted_to().empty()) continue;
    const std::string file = manifest.incident_id() + "/" + manifest.node() + "/" + kArchiveFile;
    text += "the capture of " + Printable(manifest.node()) + " is encrypted to " +
            Printable(manifest.encrypted_to(0).subject()) +
            (manifest.encrypted_to_size() > 1
                 ? " and " + std::to_string(manifest.encrypted_to_size() - 1) + " more"
                 : "") +
            "; unpack the tar, then open it with\n  openssl cms -decrypt -inform DER -in " + Printable(file) +
            ".cms -inkey KEY.pem -recip CERTIFICATE.pem -out " + Printable(file) + "\n";
  }
  return text;
}

}  // namespace

Result<> PullIncident(const Context& context, const std::string& id, const std::string& output) {
  if (output == "-" && isatty(STDOUT_FILENO) != 0) {
    return Fail("a tar archive is nothing for a terminal: redirect the output, or give --output FILE",
                kUsageError);
  }
  FFDC_ASSIGN(const auto client, context.Connect());
  CatchInterrupt();
  if (output == "-") {
    FFDC_TRY(Pull(*client, id, STDOUT_FILENO, "the standard output"));
    return {};
  }
  FFDC_ASSIGN(const v1::IncidentDetail detail, GetDetail(*client, id));
  std::string path = output;
  if (path.empty()) {
    FFDC_ASSIGN(path, DefaultName(detail, id));
  }
  FFDC_ASSIGN(PartFile file, PartFile::Create(path));
  FFDC_ASSIGN(const uint64_t bytes, Pull(*client, id, file.fd(), path + ".part"));
  FFDC_TRY(file.Finish());
  context.out << Printable(path) << ": " << FormatBytes(bytes) << "\n" << HowToOpen(detail);
  return {};
}

}  // namespace ffdc::ctl
