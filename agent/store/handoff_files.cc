// SPDX-License-Identifier: Apache-2.0
#include "store/handoff_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/fd.h"
#include "base/fs.h"
#include "base/name.h"
#include "base/spool_layout.h"
#include "store/archive_check.h"
#include "store/file_source.h"
#include "store/layout.h"
#include "store/spool.h"

namespace ffdc {
namespace fs = std::filesystem;

namespace {

Result<uint64_t> SizeOf(const fs::path& path) {
  std::error_code code;
  const uint64_t size = fs::file_size(path, code);
  if (!code) return size;
  if (code.value() == ENOENT) return uint64_t{0};
  return Fail("cannot look at " + path.string() + ": " + code.message(), code.value());
}

Result<> CheckHanded(const v1::StoreArgs& args) {
  FFDC_TRY(CheckIncidentId(args.incident_id()));
  if (!IsNodeName(args.handed_node())) return Fail("a capture of a node without a name", EINVAL);
  return {};
}

Result<v1::Manifest> ManifestOf(const v1::StoreArgs& args) {
  auto manifest = ParseManifest(args.manifest_json());
  if (!manifest) return Fail("the manifest: " + manifest.error().message, EINVAL);
  if (manifest->incident_id() != args.incident_id() || manifest->node() != args.handed_node() ||
      manifest->cluster() != args.cluster())
    return Fail("the manifest is not of node '" + args.handed_node() + "' and incident " + args.incident_id(),
                EINVAL);
  return manifest;
}

// Is that all of it? If it is all and yet wrong, it is emptied.
Result<v1::StoreReply> Look(const fs::path& archive, const v1::Manifest& manifest) {
  v1::StoreReply reply;
  FFDC_ASSIGN(const uint64_t size, SizeOf(archive));
  reply.set_archive_bytes(size);
  if (size < manifest.archive_bytes()) return reply;
  FFDC_ASSIGN(const auto source, FileSource::Open(archive));
  FFDC_ASSIGN(const std::string why, WhyNotArchive(*source, manifest));
  if (why.empty()) {
    *reply.add_handed() = manifest;
    return reply;
  }
  FFDC_TRY(RemoveAll(archive));
  reply.set_archive_bytes(0);
  return reply;
}

}  // namespace

Result<v1::StoreReply> DescribeSealed(const v1::StoreArgs& args) {
  const Spool spool(args.spool_dir());
  const std::string path = SealedPath(args.incident_id());
  v1::StoreReply reply;
  FFDC_ASSIGN(const v1::Manifest manifest, spool.ReadManifest(path));
  FFDC_ASSIGN(*reply.mutable_manifest_json(), ReadText(spool.At(path) / kManifestFile));
  FFDC_ASSIGN(*reply.mutable_incident_json(), ReadText(spool.At(path) / kIncidentFile));
  reply.set_archive_bytes(manifest.archive_bytes());
  *reply.add_manifests() = manifest;
  return reply;
}

Result<v1::StoreReply> ReadSealed(const v1::StoreArgs& args) {
  const Spool spool(args.spool_dir());
  const std::string path = SealedPath(args.incident_id());
  FFDC_ASSIGN(const v1::Manifest manifest, spool.ReadManifest(path));
  const fs::path archive = spool.At(path) / manifest.archive();
  const Fd fd(open(archive.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return FailErrno("cannot open " + archive.string());
  if (lseek(fd.get(), static_cast<off_t>(args.offset_bytes()), SEEK_SET) < 0)
    return FailErrno("cannot read " + archive.string());
  v1::StoreReply reply;
  std::string& data = *reply.mutable_data();
  data.resize(kHandoffPartBytes);
  size_t filled = 0;
  while (filled < data.size()) {
    FFDC_ASSIGN(const size_t got,
                ReadSome(fd.get(), data.data() + filled, data.size() - filled, archive.string()));
    if (got == 0) break;
    filled += got;
  }
  data.resize(filled);
  if (data.empty()) return Fail(archive.string() + " is shorter than its manifest says", EBADMSG);
  return reply;
}

Result<v1::StoreReply> BeginHanded(const v1::StoreArgs& args) {
  FFDC_TRY(CheckHanded(args));
  FFDC_ASSIGN(const v1::Manifest manifest, ManifestOf(args));
  const Spool spool(args.spool_dir());
  const std::string path = HandedPath(args.incident_id(), args.handed_node());
  const fs::path folder = spool.At(path);
  const auto known = ReadText(folder / kManifestFile);
  if (!known || *known != args.manifest_json()) {
    FFDC_ASSIGN([[maybe_unused]] const uint64_t freed, spool.Remove(path));
    FFDC_TRY(MakeDirs(folder));
    FFDC_TRY(WriteFile(folder / kIncidentFile, args.incident_json()));
    FFDC_TRY(WriteFile(folder / kManifestFile, args.manifest_json()));
  }
  return Look(folder / manifest.archive(), manifest);
}

Result<v1::StoreReply> AddToHanded(const v1::StoreArgs& args) {
  FFDC_TRY(CheckHanded(args));
  const Spool spool(args.spool_dir());
  const std::string path = HandedPath(args.incident_id(), args.handed_node());
  FFDC_ASSIGN(const v1::Manifest manifest, spool.ReadManifest(path));
  const fs::path archive = spool.At(path) / manifest.archive();
  FFDC_ASSIGN(const uint64_t size, SizeOf(archive));
  if (args.data().size() > manifest.archive_bytes() - std::min(size, manifest.archive_bytes()))
    return Fail("the part goes beyond the archive's " + std::to_string(manifest.archive_bytes()) + " bytes",
                EINVAL);
  v1::StoreReply reply;
  reply.set_archive_bytes(size);
  if (args.offset_bytes() != size) return reply;
  // Not synced: it is still with the peer until the store has it.
  const Fd fd(open(archive.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!fd.valid()) return FailErrno("cannot open " + archive.string());
  FFDC_TRY(WriteAll(fd.get(), args.data(), archive.string()));
  return Look(archive, manifest);
}

Result<> DropHanded(const v1::StoreArgs& args) {
  FFDC_TRY(CheckHanded(args));
  FFDC_ASSIGN([[maybe_unused]] const uint64_t freed,
              Spool(args.spool_dir()).Remove(HandedPath(args.incident_id(), args.handed_node())));
  return {};
}

}  // namespace ffdc
