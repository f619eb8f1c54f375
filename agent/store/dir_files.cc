// SPDX-License-Identifier: Apache-2.0
#include "store/dir_files.h"

#include <fcntl.h>
#include <mntent.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/fs.h"
#include "base/mountinfo.h"
#include "base/proto_json.h"
#include "store/file_source.h"
#include "store/layout.h"
#include "store/small_files.h"

namespace ffdc {
namespace {

namespace fs = std::filesystem;

struct EndMntent {
  void operator()(FILE* file) const { endmntent(file); }
};

bool IsAtOrAbove(const std::string& folder, const std::string& path) {
  return path == folder || path.starts_with(folder + "/");
}

v1::StoreLease ReadLease(const fs::path& file) {
  const auto source = FileSource::Open(file);
  const auto text = source ? ReadText(**source) : Unexpected(source.error());
  return ParseLease(text ? *text : std::string());
}

}  // namespace

Result<> CreateFile(const fs::path& path, std::string_view text, const fs::path& temporary) {
  if (Exists(path)) return Fail(path.string() + " exists", EEXIST);
  auto made = WriteFileSynced(temporary, text);
  if (made && link(temporary.c_str(), path.c_str()) != 0) {
    made = FailErrno("cannot create " + path.string());
    // No hard links on this filesystem: all that is left is a rename, which replaces one made this moment.
    const int code = made.error().code;
    if (code == EPERM || code == EOPNOTSUPP || code == ENOSYS || code == EMLINK)
      return RenameDurable(temporary, path);
  }
  unlink(temporary.c_str());
  if (!made) return made;
  return FsyncPath(path.parent_path());
}

Result<std::string> UnmountedAbove(const fs::path& path, const fs::path& fstab, const fs::path& proc) {
  const std::unique_ptr<FILE, EndMntent> table(setmntent(fstab.c_str(), "re"));
  if (table == nullptr) return std::string();  // a container may have none
  FFDC_ASSIGN(const MountList list, ReadMounts(proc));
  std::error_code ignored;
  const fs::path resolved = fs::weakly_canonical(path, ignored);
  struct mntent entry {};
  char buffer[4096];
  while (getmntent_r(table.get(), &entry, buffer, sizeof buffer) != nullptr) {
    const std::string point = entry.mnt_dir;
    if (point == "/" || !point.starts_with('/')) continue;
    if (!IsAtOrAbove(point, path.string()) && !IsAtOrAbove(point, resolved.string())) continue;
    const auto is_here = [&](const Mount& mount) { return mount.point == point; };
    if (std::none_of(list.mounts.begin(), list.mounts.end(), is_here)) return point;
  }
  return std::string();
}

fs::path FileLease::Temporary() const { return temporary_ / ("lease." + node_ + "." + RandomSuffix()); }

Result<bool> FileLease::Create() {
  const v1::StoreLease lease = NewLease(node_);
  FFDC_ASSIGN(const std::string json, ToJson(lease));
  const auto created = CreateFile(file_, json, Temporary());
  if (!created && created.error().code == EEXIST) return false;
  FFDC_TRY(created);
  id_ = lease.id();
  return true;
}

Result<bool> FileLease::Acquire() {
  FFDC_ASSIGN(const bool created, Create());
  if (created) return true;
  const auto holder = ReadLease(file_);
  if (IsHeld(holder)) return false;
  return TakeOver(holder.id());
}

Result<bool> FileLease::TakeOver(const std::string& holding_id) {
  const fs::path expired = Temporary();
  if (rename(file_.c_str(), expired.c_str()) != 0) return false;  // another one was faster
  const bool is_other = ReadLease(expired).id() != holding_id;
  // It took the expired one's place between our look and our rename: it gets its own back.
  const bool lost = is_other && link(expired.c_str(), file_.c_str()) != 0 && errno != EEXIST;
  const int code = errno;
  unlink(expired.c_str());
  if (lost) return FailErrno("cannot give back " + file_.string(), code);
  if (is_other) return false;
  return Create();
}

void FileLease::Release() {
  if (ReadLease(file_).id() == id_) unlink(file_.c_str());
}

}  // namespace ffdc
