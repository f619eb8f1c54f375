// SPDX-License-Identifier: Apache-2.0
#include "store/known_store.h"

#include <cerrno>
#include <filesystem>

#include "base/fs.h"
#include "base/proto_json.h"
#include "base/spool_layout.h"
#include "store/file_source.h"
#include "store/layout.h"

namespace ffdc {
namespace {

namespace fs = std::filesystem;

std::string MarkerName(const v1::StoreArgs& args) { return ClusterFolder(args.cluster()) + "/" + kStoreFile; }

Unexpected IsAnother(const v1::StoreArgs& args, const std::string& found) {
  return Fail("store " + args.store_url() + " is not the one this node knows: " + MarkerName(args) +
                  " has id " + found + " instead of " + args.known_store_id() +
                  ": mount or name the right one, or run 'ffdcctl store init' to go on with this one",
              ENOENT);
}

Unexpected IsMissing(const v1::StoreArgs& args, const StoreDriver& store) {
  return Fail("store " + args.store_url() + " is not there: its marker " + MarkerName(args) +
                  " is missing, so this may be " + store.InItsPlace() +
                  ", or run 'ffdcctl store init' if it was emptied on purpose",
              ENOENT);
}

Unexpected IsNew(const v1::StoreArgs& args) {
  return Fail("store " + args.store_url() + " has no marker " + MarkerName(args) +
                  ", and store.require_marker is set: mount or name the right one, or run 'ffdcctl store "
                  "init' if it is new",
              ENOENT);
}

Result<std::string> MakeReady(StoreDriver& store) {
  FFDC_TRY(store.Prepare());
  FFDC_TRY(store.Init());
  auto id = store.MarkerId();
  if (!id && id.error().code == EOPNOTSUPP) return std::string();
  return id;
}

}  // namespace

Result<std::unique_ptr<StoreDriver>> OpenKnownStore(const v1::StoreArgs& args, StoreUse use,
                                                    std::string* marker_id) {
  FFDC_ASSIGN(auto store, OpenStore(args.store_url(), args.cluster(), args.node()));
  auto id = store->MarkerId();
  const int code = id ? 0 : id.error().code;
  if (code == EOPNOTSUPP) return store;
  if (code == ENOENT) {
    if (!args.known_store_id().empty()) return IsMissing(args, *store);
    if (use == StoreUse::kRead) return store;
    if (args.require_marker()) return IsNew(args);
    FFDC_TRY(store->MayInit());
    id = MakeReady(*store);
  }
  if (!id) return Unexpected(std::move(id).error());
  if (!args.known_store_id().empty() && args.known_store_id() != *id) return IsAnother(args, *id);
  if (marker_id != nullptr) *marker_id = *id;
  return store;
}

Result<std::string> InitStore(const v1::StoreArgs& args) {
  FFDC_ASSIGN(const auto store, OpenStore(args.store_url(), args.cluster(), args.node()));
  return MakeReady(*store);
}

Result<std::string> ReadKnownStore(const v1::StoreArgs& args) {
  const auto source = FileSource::Open(fs::path(args.spool_dir()) / kStoreFile);
  if (!source && source.error().code == ENOENT) return std::string();
  auto text = source ? ReadText(**source) : Unexpected(source.error());
  if (!text) return Unexpected(std::move(text).error());
  v1::KnownStore known;
  // Damaged: as if it had never been seen; it is written anew once the store is reached.
  if (!FromJson(*text, &known)) return std::string();
  const bool is_same = known.url() == args.store_url() && known.cluster() == args.cluster();
  return is_same ? known.id() : std::string();
}

Result<> RememberStore(const v1::StoreArgs& args) {
  v1::KnownStore known;
  known.set_url(args.store_url());
  known.set_cluster(args.cluster());
  known.set_id(args.known_store_id());
  FFDC_ASSIGN(const std::string json, ToJson(known));
  const fs::path spool(args.spool_dir());
  FFDC_TRY(MakeDirs(spool / kTmpFolder));
  const fs::path temporary = spool / kTmpFolder / ("ship-store." + RandomSuffix());
  FFDC_TRY(WriteFileSynced(temporary, json));
  return RenameDurable(temporary, spool / kStoreFile);
}

}  // namespace ffdc
