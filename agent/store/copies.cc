// SPDX-License-Identifier: Apache-2.0
#include "store/copies.h"

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/spool_layout.h"
#include "store/file_source.h"
#include "store/known_store.h"
#include "store/layout.h"
#include "store/spool.h"

namespace ffdc {
namespace {

// Under whichever of its names it is there. Open: Result<std::unique_ptr<ByteSource>>(name).
CaptureCopy OpenCopy(const std::string& node, const auto& open) {
  CaptureCopy copy{node, open(kManifestFile), kArchiveFile, open(kArchiveFile)};
  if (copy.archive || copy.archive.error().code != ENOENT) return copy;
  auto encrypted = open(kEncryptedArchiveFile);
  if (!encrypted && encrypted.error().code == ENOENT) return copy;
  copy.archive_name = kEncryptedArchiveFile;
  copy.archive = std::move(encrypted);
  return copy;
}

struct SpoolCopy {
  Result<std::unique_ptr<ByteSource>> incident;
  CaptureCopy capture;
};

std::optional<SpoolCopy> OpenSpoolCopy(const v1::StoreArgs& args) {
  const Spool spool(args.spool_dir());
  const std::string path = SealedPath(args.incident_id());
  const auto folder = spool.At(path);
  SpoolCopy copy{
      FileSource::Open(folder / kIncidentFile),
      OpenCopy(args.node(), [&](const std::string& name) { return FileSource::Open(folder / name); })};
  if (!spool.Has(path)) return {};  // or it left between the lines above
  if (const auto manifest = spool.ReadManifest(path)) copy.capture.node = manifest->node();
  return copy;
}

Result<> AddStored(const v1::StoreArgs& args, IncidentCopies* copies) {
  FFDC_ASSIGN(const auto store, OpenKnownStore(args, StoreUse::kRead));
  FFDC_ASSIGN(const auto nodes, store->Nodes(args.incident_id()));
  if (nodes.empty()) return {};
  auto stored = OpenStored(*store, args.incident_id(), nodes);
  copies->incident = std::move(stored.incident);
  copies->captures = std::move(stored.captures);
  return {};
}

}  // namespace

IncidentCopies OpenStored(StoreDriver& store, const std::string& id, const std::vector<std::string>& nodes) {
  IncidentCopies copies;
  copies.incident = store.Open(id, {}, kIncidentFile);
  for (const auto& node : nodes)
    copies.captures.push_back(
        OpenCopy(node, [&](const std::string& name) { return store.Open(id, node, name); }));
  return copies;
}

Result<IncidentCopies> FindCopies(const v1::StoreArgs& args) {
  FFDC_TRY(CheckIncidentId(args.incident_id()));
  IncidentCopies copies;
  copies.store_problem = args.store_problem();
  // The spool first: a capture is in the store before it leaves the spool.
  auto spooled = OpenSpoolCopy(args);
  if (copies.store_problem.empty()) {
    if (const auto added = AddStored(args, &copies); !added) copies.store_problem = added.error().message;
  }
  if (spooled) {
    const auto is_same = [&](const CaptureCopy& copy) { return copy.node == spooled->capture.node; };
    if (std::none_of(copies.captures.begin(), copies.captures.end(), is_same))
      copies.captures.push_back(std::move(spooled->capture));
    if (!copies.incident) copies.incident = std::move(spooled->incident);
  }
  if (!copies.captures.empty()) return copies;
  if (!copies.store_problem.empty()) return Fail(copies.store_problem);
  return Fail(
      "neither the spool nor " + args.store_url() + " has a sealed capture of incident " + args.incident_id(),
      ENOENT);
}

}  // namespace ffdc
