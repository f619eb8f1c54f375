// SPDX-License-Identifier: Apache-2.0
#include "capture/seal_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/fs.h"

namespace ffdc {

Result<SealLock> SealLock::Acquire(const std::string& staging_dir) {
  const std::string path = staging_dir + "/sealing";
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!fd.valid()) return FailErrno("cannot open " + path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return Fail("an earlier attempt to seal it still hangs; the disk below the spool does not answer",
                  EWOULDBLOCK);
    }
    return FailErrno("cannot lock " + path);
  }
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return FailErrno("cannot stat " + path);
  if (info.st_nlink == 0) return Fail(path + " is gone: another attempt has sealed it", ENOENT);
  FFDC_ASSIGN(std::string publishing, ReadFile(path, 4096));
  return SealLock(std::move(fd), path, std::move(publishing));
}

Result<> SealLock::SetPublishing(const std::string& name) {
  if (::ftruncate(fd_.get(), 0) != 0) return FailErrno("cannot truncate " + path_);
  if (::lseek(fd_.get(), 0, SEEK_SET) != 0) return FailErrno("cannot seek " + path_);
  FFDC_TRY(WriteAll(fd_.get(), name, path_));
  publishing_ = name;
  return {};
}

}  // namespace ffdc
