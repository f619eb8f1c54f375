// SPDX-License-Identifier: Apache-2.0
#include "ctl/format.h"
#include "ctl/render.h"
#include "ctl/table.h"
#include "ctl/text.h"

namespace ffdc::ctl {
namespace {

std::string SpaceText(const v1::StoreSpace& space) {
  std::string text = FormatBytes(space.used_bytes()) + " of " + FormatBytes(space.total_bytes()) + " used";
  if (space.quota_bytes() > 0) text += ", quota " + FormatBytes(space.quota_bytes());
  if (space.objects() > 0) text += ", " + FormatPlural(space.objects(), "object", "objects");
  if (space.quota_objects() > 0) text += " of " + FormatCount(space.quota_objects());
  return text;
}

std::string Reachability(const v1::StoreStatus& store) {
  if (store.lost()) return "LOST";
  return store.reachable() ? "reachable" : "not reached";
}

}  // namespace

std::string RenderStoreStatus(const v1::Status& status, const Page& /*page*/) {
  const v1::StoreStatus& store = status.store();
  std::string text = Field("store", Printable(store.url()));
  text +=
      Field("state", Reachability(store) + (store.error().empty() ? "" : ": " + Printable(store.error())));
  text += Field("id", store.id().empty() ? "not seen yet" : Printable(store.id()));
  text += Field("holds",
                FormatPlural(store.captures(), "capture", "captures") + ", " + FormatBytes(store.bytes()));
  if (store.space().total_bytes() > 0) text += Field("space", SpaceText(store.space()));
  text +=
      Field("waiting", FormatPlural(status.spool().captures(), "capture", "captures") + ", " +
                           FormatBytes(status.spool().bytes()) + " in " + Printable(status.spool().path()));
  if (status.spool().dropped() > 0)
    text += Field("dropped", FormatPlural(status.spool().dropped(), "capture", "captures"));
  return text;
}

std::string RenderStoreList(const v1::StoreProgress& list, const Page& page) {
  if (list.captures().empty()) return "The store holds no captures.\n";
  Table table({{"INCIDENT"}, {"OPENED"}, {"NODE", Align::kLeft, 10}, {"SIZE", Align::kRight}});
  for (const v1::StoredCopy& capture : list.captures()) {
    table.Add({capture.incident_id(), FormatUtc(WallNs(capture.opened_at())), capture.node(),
               FormatBytes(capture.bytes())});
  }
  return table.Render(page.paint);
}

}  // namespace ffdc::ctl
