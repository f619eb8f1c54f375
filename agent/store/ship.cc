// SPDX-License-Identifier: Apache-2.0
#include "store/ship.h"

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/crash_point.h"
#include "base/fs.h"
#include "base/proto_json.h"
#include "base/spool_layout.h"
#include "store/archive_check.h"
#include "store/driver.h"
#include "store/file_source.h"
#include "store/known_store.h"
#include "store/layout.h"
#include "store/pacer.h"
#include "store/spool.h"

namespace ffdc {
namespace {

enum class Presence {
  kAbsent,
  kSame,
  kDamaged,  // ours once, but not what its manifest says
  kOther,    // another capture under the same name
};

// The text of a file in the store; empty: not there.
Result<std::string> ReadStored(StoreDriver& store, const std::string& id, const std::string& node,
                               const std::string& file) {
  auto source = store.Open(id, node, file);
  if (!source) {
    if (source.error().code == ENOENT) return std::string();
    return Unexpected(std::move(source).error());
  }
  return ReadText(**source);
}

Result<Presence> Look(StoreDriver& store, const v1::Manifest& ours) {
  FFDC_ASSIGN(const auto nodes, store.Nodes(ours.incident_id()));
  if (std::find(nodes.begin(), nodes.end(), ours.node()) == nodes.end()) return Presence::kAbsent;
  FFDC_ASSIGN(const std::string text, ReadStored(store, ours.incident_id(), ours.node(), kManifestFile));
  const auto theirs = ParseManifest(text);
  if (!theirs) return Presence::kDamaged;
  if (theirs->archive_sha256() != ours.archive_sha256()) return Presence::kOther;
  auto archive = store.Open(ours.incident_id(), ours.node(), ours.archive());
  if (!archive) {
    if (archive.error().code == ENOENT) return Presence::kDamaged;
    return Unexpected(std::move(archive).error());
  }
  FFDC_ASSIGN(const std::string why, WhyNotArchive(**archive, ours));
  return why.empty() ? Presence::kSame : Presence::kDamaged;
}

// Empty: the capture in the store is ours. Else why it cannot be.
Result<std::string> Publish(StoreDriver& store, const std::string& folder, const v1::Manifest& manifest,
                            Transfer& transfer) {
  FFDC_ASSIGN(Presence presence, Look(store, manifest));
  if (presence == Presence::kDamaged) {
    FFDC_TRY(store.Remove(manifest.incident_id(), manifest.node()));
    presence = Presence::kAbsent;
  }
  if (presence == Presence::kAbsent) {
    auto put = store.PutCapture(folder, manifest, transfer);
    if (put) return std::string();
    if (put.error().code != EEXIST) return Unexpected(std::move(put).error());
    FFDC_ASSIGN(presence, Look(store, manifest));  // another one was faster
  }
  if (presence == Presence::kSame) return std::string();
  return "the store has another capture of incident " + manifest.incident_id() + " by node '" +
         manifest.node() +
         "', which stays there; this one stays in the spool: two agents have one name, change [node] name of "
         "one of them";
}

// Below the spool.
std::string PathOf(const v1::StoreArgs& args) {
  return args.handed_node().empty() ? SealedPath(args.incident_id())
                                    : HandedPath(args.incident_id(), args.handed_node());
}

Result<> WriteIncident(StoreDriver& store, const Spool& spool, const v1::StoreArgs& args) {
  if (!args.incident().id().empty()) {
    FFDC_ASSIGN(const std::string json, ToJson(args.incident()));
    return store.PutIncident(args.incident_id(), json);
  }
  // The spool's is as old as the capture: good only where there is none.
  FFDC_ASSIGN(const std::string stored, ReadStored(store, args.incident_id(), {}, kIncidentFile));
  if (!stored.empty()) return {};
  const auto source = FileSource::Open(spool.At(PathOf(args)) / kIncidentFile);
  if (!source) return {};  // the capture is worth more than its description
  FFDC_ASSIGN(const std::string json, ReadText(**source));
  return store.PutIncident(args.incident_id(), json);
}

// Of the archive in the spool; empty: it is what its manifest says.
std::string WhyDamaged(const std::filesystem::path& folder, const v1::Manifest& manifest) {
  const auto archive = FileSource::Open(folder / manifest.archive());
  const auto checked = archive ? WhyNotArchive(**archive, manifest) : Unexpected(archive.error());
  const std::string why = checked ? *checked : checked.error().message;
  return why.empty() ? why : manifest.archive() + ": " + why;
}

// A person may still want ours; a peer's is whole where it came from.
Result<> TakeOut(const Spool& spool, const v1::StoreArgs& args, const std::string& why,
                 v1::StoreReply* reply) {
  if (args.handed_node().empty()) {
    FFDC_ASSIGN(*reply->add_damaged(), spool.SetAside(args.incident_id(), why));
  } else {
    FFDC_TRY(spool.Remove(PathOf(args)));
    reply->set_capture_problem("it arrived damaged: " + why);
  }
  return {};
}

// What can be told without reading all of it. Fills `reply` if it cannot be shipped.
Result<v1::Manifest> ReadSource(const Spool& spool, const v1::StoreArgs& args, v1::StoreReply* reply) {
  const std::string path = PathOf(args);
  auto manifest = spool.ReadManifest(path);
  std::string why = manifest ? std::string() : manifest.error().message;
  if (manifest) {
    const auto archive = FileSource::Open(spool.At(path) / manifest->archive());
    if (!archive || (*archive)->size_bytes() != manifest->archive_bytes())
      why = WhyDamaged(spool.At(path), *manifest);
  }
  if (why.empty()) return manifest;
  FFDC_TRY(TakeOut(spool, args, why, reply));
  return Fail(why);
}

// Not in the spool any more: shipped before, by a worker whose answer was lost; or somebody took it away.
Result<v1::StoreReply> ShippedBefore(const v1::StoreArgs& args) {
  v1::StoreReply reply;
  FFDC_ASSIGN(const auto store, OpenKnownStore(args, StoreUse::kRead));
  const std::string& node = args.handed_node().empty() ? args.node() : args.handed_node();
  FFDC_ASSIGN(const std::string text, ReadStored(*store, args.incident_id(), node, kManifestFile));
  if (auto manifest = ParseManifest(text)) {
    *reply.add_manifests() = std::move(*manifest);
  } else {
    reply.set_not_found("it vanished from the spool without being in the store");
  }
  return reply;
}

// A capture goes where it was sealed for, also after [node] cluster changed.
Result<std::unique_ptr<StoreDriver>> OpenFor(const v1::StoreArgs& args, const v1::Manifest& manifest) {
  v1::StoreArgs own = args;
  if (own.cluster() != manifest.cluster()) {
    own.set_cluster(manifest.cluster());
    own.clear_known_store_id();
  }
  return OpenKnownStore(own, StoreUse::kWrite);
}

}  // namespace

Result<v1::StoreReply> Ship(const v1::StoreArgs& args) {
  const Spool spool(args.spool_dir());
  const std::string path = PathOf(args);
  if (!spool.Has(path)) return ShippedBefore(args);
  v1::StoreReply reply;
  auto manifest = ReadSource(spool, args, &reply);
  if (!manifest) {
    if (reply.damaged().empty() && reply.capture_problem().empty())
      return Unexpected(std::move(manifest).error());
    return reply;
  }
  CrashPoint("ship.source_checked");
  FFDC_ASSIGN(const auto store, OpenFor(args, *manifest));
  FFDC_TRY(store->Prepare());
  Pacer pacer(args.max_bytes_per_second());
  auto published = Publish(*store, spool.At(path), *manifest, pacer);
  if (!published) {
    // The copy of what is damaged reads back wrong, too.
    const bool is_wrong = published.error().code == EBADMSG;
    const auto why = is_wrong ? WhyDamaged(spool.At(path), *manifest) : std::string();
    if (why.empty()) return Unexpected(std::move(published).error());
    FFDC_TRY(TakeOut(spool, args, why, &reply));
    return reply;
  }
  reply.set_capture_problem(*published);
  if (!reply.capture_problem().empty()) {
    if (!args.handed_node().empty()) FFDC_TRY(spool.Remove(path));
    return reply;
  }
  CrashPoint("ship.published");
  FFDC_TRY(WriteIncident(*store, spool, args));
  CrashPoint("ship.incident_written");
  FFDC_TRY(spool.Remove(path));
  CrashPoint("ship.spool_removed");
  *reply.add_manifests() = std::move(*manifest);
  return reply;
}

Result<> RewriteIncident(const v1::StoreArgs& args) {
  FFDC_ASSIGN(const auto store, OpenKnownStore(args, StoreUse::kRead));
  FFDC_ASSIGN(const auto nodes, store->Nodes(args.incident().id()));
  if (nodes.empty()) return {};  // nothing stored yet, or removed since
  FFDC_ASSIGN(const std::string json, ToJson(args.incident()));
  FFDC_ASSIGN(const std::string stored, ReadStored(*store, args.incident().id(), {}, kIncidentFile));
  if (stored == json) return {};
  FFDC_TRY(store->PutIncident(args.incident().id(), json));
  CrashPoint("store.incident_rewritten");
  return {};
}

}  // namespace ffdc
