// SPDX-License-Identifier: Apache-2.0
#include "ctl/new_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/fd.h"
#include "base/fs.h"

namespace ffdc::ctl {
namespace {

Unexpected Explain(Error error) {
  if (error.code == EACCES || error.code == EPERM) error.message += ": run as root";
  return Unexpected(std::move(error));
}

Unexpected IsThere(const std::string& path) {
  return Fail(path + " exists already, and is not overwritten: move it away if nothing needs it any more",
              EEXIST);
}

}  // namespace

NewFiles::~NewFiles() {
  for (const std::string& path : paths_) unlink(path.c_str());
}

Result<> NewFiles::Add(const std::string& path, std::string_view text, mode_t mode) {
  const Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd.valid() && errno == EEXIST) return IsThere(path);
  if (!fd.valid()) return Explain(FailErrno("cannot make " + path).value());
  paths_.push_back(path);
  FFDC_TRY(WriteAll(fd.get(), text, path));
  if (fsync(fd.get()) != 0) return FailErrno("cannot fsync " + path);
  return FsyncPath(std::filesystem::path(path).parent_path());
}

Result<> CheckAbsent(const std::string& path) {
  std::error_code failed;
  const auto status = std::filesystem::symlink_status(path, failed);
  if (std::filesystem::exists(status)) return IsThere(path);
  return {};
}

Result<> MakeFolder(const std::string& path, mode_t mode) {
  if (auto made = MakeDirs(path, mode); !made) return Explain(std::move(made).error());
  return {};
}

Result<std::string> MoveAside(const std::string& path) {
  std::string aside = path + ".left";
  for (int number = 2; !CheckAbsent(aside); ++number) aside = path + ".left" + std::to_string(number);
  if (auto moved = RenameDurable(path, aside); !moved) return Explain(std::move(moved).error());
  return aside;
}

}  // namespace ffdc::ctl
