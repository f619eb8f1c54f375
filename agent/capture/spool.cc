// SPDX-License-Identifier: Apache-2.0
#include "capture/spool.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "base/fs.h"
#include "base/proto_json.h"
#include "base/spool_layout.h"
#include "base/uuid.h"

namespace ffdc {
namespace fs = std::filesystem;

Result<std::optional<v1::Manifest>> FindSealed(const std::string& dir, const std::string& incident_id) {
  auto text = ReadFile(dir + "/" + kManifestFile);
  if (!text && (text.error().code == ENOENT || text.error().code == ENOTDIR)) return std::nullopt;
  if (!text) return Unexpected(text.error());
  v1::Manifest manifest;
  if (!FromJson(*text, &manifest) || manifest.incident_id() != incident_id) return std::nullopt;
  if (!IsArchiveName(manifest.archive())) return std::nullopt;
  const std::string archive = dir + "/" + manifest.archive();
  struct stat info {};
  if (::stat(archive.c_str(), &info) != 0) {
    if (errno == ENOENT) return std::nullopt;
    return FailErrno("cannot stat " + archive);
  }
  if (static_cast<uint64_t>(info.st_size) != manifest.archive_bytes()) return std::nullopt;
  return manifest;
}

Result<std::vector<std::string>> ListTmp(const std::string& spool_dir, const std::string& prefix) {
  FFDC_ASSIGN(auto names, ListFolder(spool_dir + "/" + kTmpFolder));
  std::erase_if(names, [&](const std::string& name) { return !name.starts_with(prefix); });
  return names;
}

Result<> CleanSpool(const v1::SpoolCleanArgs& args) {
  FFDC_ASSIGN(const auto names, ListTmp(args.spool_dir(), ""));
  for (const std::string& name : names) {
    const std::string incident_id = name.substr(0, name.find('.'));
    if (!IsUuid(incident_id)) continue;  // not a seal's
    // A seal with a staging folder cleans up for itself, and may be running right now.
    std::error_code code;
    if (fs::exists(args.captures_dir() + "/" + incident_id + "/job.pb", code)) continue;
    FFDC_TRY(RemoveAll(args.spool_dir() + "/" + kTmpFolder + "/" + name));
  }
  return {};
}

}  // namespace ffdc
