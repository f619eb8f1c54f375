// SPDX-License-Identifier: Apache-2.0
#include "store/spool.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "base/crash_point.h"
#include "base/fs.h"
#include "base/spool_layout.h"
#include "base/uuid.h"
#include "store/file_source.h"
#include "store/layout.h"

namespace ffdc {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kOurPrefix = "ship-";
constexpr std::chrono::hours kHandedAge{24};

}  // namespace

bool Spool::Has(const std::string& path) const {
  std::error_code ignored;
  return fs::is_directory(At(path), ignored);
}

Result<v1::Manifest> Spool::ReadManifest(const std::string& path) const {
  const std::string incident_id = At(path).filename().string().substr(0, kUuidBytes);
  FFDC_ASSIGN(const std::string text, ReadText(At(path) / kManifestFile));
  auto manifest = ParseManifest(text);
  if (!manifest) return Unexpected(manifest.error().In(kManifestFile));
  if (manifest->incident_id() != incident_id)
    return Fail("manifest.json is of incident " + manifest->incident_id());
  return manifest;
}

Result<v1::Removal> Spool::SetAside(const std::string& incident_id, const std::string& why) const {
  FFDC_TRY(MakeDirs(root_ / kDamagedFolder));
  std::string name = incident_id;
  std::error_code ignored;
  if (fs::exists(root_ / kDamagedFolder / name, ignored)) name += "." + RandomSuffix();
  FFDC_TRY(RenameDurable(At(SealedPath(incident_id)), root_ / kDamagedFolder / name));
  v1::Removal removal;
  removal.set_id(name);
  removal.set_bytes(FolderBytes(root_ / kDamagedFolder / name));
  removal.set_reason("damaged in the spool: " + why + ": kept as " +
                     (root_ / kDamagedFolder / name).string());
  return removal;
}

Result<uint64_t> Spool::Remove(const std::string& path) const {
  const fs::path folder = root_ / path;
  const uint64_t bytes = FolderBytes(folder);
  FFDC_TRY(MakeDirs(root_ / kTmpFolder));
  const fs::path doomed =
      root_ / kTmpFolder / (std::string(kOurPrefix) + folder.filename().string() + "." + RandomSuffix());
  auto renamed = RenameDurable(folder, doomed);
  if (!renamed && renamed.error().code == ENOENT) return 0;
  FFDC_TRY(renamed);
  CrashPoint("ship.spool_set_aside");
  FFDC_TRY(RemoveAll(doomed));
  return bytes;
}

Result<> Spool::Recover(v1::StoreReply* reply) const {
  FFDC_TRY(MakeDirs(root_));
  // The capture runner clears its own leftovers: one of them may be in use.
  FFDC_ASSIGN(const auto leftovers, ListFolder(root_ / kTmpFolder));
  for (const auto& name : leftovers) {
    if (name.starts_with(kOurPrefix)) FFDC_TRY(RemoveAll(root_ / kTmpFolder / name));
  }
  FFDC_TRY(RecoverSealed(reply));
  FFDC_TRY(RecoverHanded(reply));
  FFDC_ASSIGN(const auto damaged, ListFolder(root_ / kDamagedFolder));
  for (const auto& name : damaged) {
    const auto known = [&](const v1::Removal& removal) { return removal.id() == name; };
    if (std::any_of(reply->damaged().begin(), reply->damaged().end(), known)) continue;
    auto* removal = reply->add_damaged();
    removal->set_id(name);
    removal->set_bytes(FolderBytes(root_ / kDamagedFolder / name));
  }
  return {};
}

Result<> Spool::RecoverSealed(v1::StoreReply* reply) const {
  FFDC_ASSIGN(const auto ids, ListFolder(root_ / kSealedFolder));
  for (const auto& id : ids) {
    auto manifest = CheckIncidentId(id) ? ReadManifest(SealedPath(id)) : Fail("not an incident's folder");
    if (manifest) {
      *reply->add_manifests() = std::move(*manifest);
      continue;
    }
    std::error_code ignored;
    if (!fs::exists(At(SealedPath(id)), ignored)) continue;  // removed meanwhile
    FFDC_ASSIGN(*reply->add_damaged(), SetAside(id, manifest.error().message));
  }
  return {};
}

// Whole ones go to the store. The rest is still at the peer, which offers it again, or has stored it itself.
Result<> Spool::RecoverHanded(v1::StoreReply* reply) const {
  FFDC_ASSIGN(const auto names, ListFolder(root_ / kHandedFolder));
  for (const auto& name : names) {
    const std::string path = std::string(kHandedFolder) + "/" + name;
    auto manifest = ReadManifest(path);
    std::error_code code;
    const bool whole =
        manifest && fs::file_size(At(path) / manifest->archive(), code) == manifest->archive_bytes() && !code;
    const bool old = fs::last_write_time(At(path), code) + kHandedAge < fs::file_time_type::clock::now();
    if (whole) {
      *reply->add_handed() = std::move(*manifest);
    } else if (!manifest || (old && !code)) {
      FFDC_TRY(Remove(path));
    }
  }
  return {};
}

}  // namespace ffdc
