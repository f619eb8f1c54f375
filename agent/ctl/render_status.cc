// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "ctl/format.h"
#include "ctl/render.h"
#include "ctl/table.h"
#include "ctl/text.h"

namespace ffdc::ctl {
namespace {

std::string ClusterText(const v1::ClusterStatus& cluster) {
  const auto captures = [](uint64_t count, const std::string& what) {
    return count == 0 ? "" : ", " + FormatPlural(count, "capture", "captures") + what;
  };
  return FormatPlural(cluster.members(), "node", "nodes") + ", " + std::to_string(cluster.peers_reachable()) +
         " of " + FormatPlural(cluster.peers(), "peer", "peers") + " reachable" +
         (cluster.primary().empty() ? ", no primary" : ", primary " + cluster.primary()) +
         (cluster.db_reachable() ? "" : ", the cluster DB is NOT REACHABLE") +
         captures(cluster.captures_given(), " stored by peers") +
         captures(cluster.captures_stored_for_peers(), " stored for peers") + " (ffdcctl node list)";
}

std::string StoreText(const v1::StoreStatus& store) {
  std::string text = store.url() + ": " + FormatPlural(store.captures(), "capture", "captures") + ", " +
                     FormatBytes(store.bytes());
  if (!store.reachable()) text += ", NOT REACHABLE" + (store.error().empty() ? "" : ": " + store.error());
  return text;
}

std::string SpoolText(const v1::SpoolStatus& spool) {
  return spool.path() + ": " + FormatPlural(spool.captures(), "capture", "captures") + ", " +
         FormatBytes(spool.bytes()) + " of " + FormatBytes(spool.max_bytes()) +
         (spool.dropped() > 0 ? ", " + FormatCount(spool.dropped()) + " dropped" : "");
}

std::string RecorderText(const v1::RecorderStatus& recorder) {
  return FormatPlural(recorder.io_records(), "I/O", "I/Os") + " of the last " +
         FormatSpan(recorder.io_window_ns()) + " in " + FormatBytes(recorder.io_budget_bytes()) + "; " +
         FormatPlural(recorder.history_samples(), "second", "seconds") + " of history in " +
         FormatBytes(recorder.history_bytes());
}

std::string Latency(uint64_t ns) { return ns == 0 ? "-" : FormatSpan(ns); }

std::string Devices(const v1::Status& status, const Page& page) {
  std::string text = Heading("Devices", page);
  if (status.devices().empty())
    return text + "  none: see [devices] of the configuration (ffdcctl config show)\n";
  Table table({{"NAME", Align::kLeft, 10},
               {"TYPE"},
               {"ID", Align::kLeft, 12},
               {"COMPLETED", Align::kRight},
               {"FAILED", Align::kRight},
               {"READ P99", Align::kRight},
               {"WRITE P99", Align::kRight}});
  for (const v1::WatchedDevice& device : status.devices()) {
    table.Add({device.name(),
               device.type(),
               device.id(),
               FormatCount(device.completions()),
               {FormatCount(device.failures()), device.failures() > 0 ? Style::kRed : Style::kPlain},
               Latency(device.read_p99_ns()),
               Latency(device.write_p99_ns())});
  }
  text += table.Render(page.paint, 2);
  for (const v1::WatchedDevice& device : status.devices()) {
    if (!device.reason().empty()) text += Note(device.name(), device.reason(), Style::kYellow, page);
  }
  return text;
}

std::string IgnoredDevices(const v1::Status& status) {
  std::map<std::string, std::vector<std::string>> names_by_reason;
  for (const v1::WatchedDevice& device : status.ignored_devices()) {
    names_by_reason[device.reason()].push_back(device.name());
  }
  std::string text;
  for (const auto& [reason, names] : names_by_reason) {
    constexpr size_t kShown = 8;
    std::vector<std::string> shown(names.begin(),
                                   names.begin() + static_cast<long>(std::min(names.size(), kShown)));
    if (names.size() > kShown) shown.push_back("and " + FormatCount(names.size() - kShown) + " more");
    text += Field("left out", Joined(shown, ", ") + (reason.empty() ? "" : ": " + reason));
  }
  return text;
}

std::string FilesLine(const v1::Config& config) {
  if (config.path().empty()) return "# built-in defaults";
  std::vector<std::string> files{Printable(config.path())};
  for (const std::string& file : config.drop_ins()) files.push_back(Printable(file));
  return "# " + Joined(files, ", then ");
}

}  // namespace

std::string RenderStatus(const v1::Status& status, const Page& page) {
  std::string text = ProblemLines(status.problems(), page) + "\n";
  text += Field("node", status.node() + ", cluster " + status.cluster() + ", ffdcd " + status.version());
  const int64_t started_ns = WallNs(status.started_at());
  text += Field("up since", FormatUtc(started_ns) + " (" + FormatAge(page.now_wall_ns, started_ns) +
                                "), memory " + FormatBytes(status.rss_bytes()));
  text += Field("probes", std::to_string(status.probes_active()) + " active, " +
                              std::to_string(status.probes_idle()) + " idle, " +
                              std::to_string(status.probes_inactive()) + " inactive (ffdcctl probe list)");
  text += Field("incidents", FormatCount(status.incidents_open()) + " open, " +
                                 FormatCount(status.incidents_total()) + " in all (ffdcctl incident list)");
  if (status.cluster_status().peers() > 0 || !status.cluster_status().primary().empty())
    text += Field("cluster", ClusterText(status.cluster_status()));
  text += Field("store", StoreText(status.store()));
  text += Field("spool", SpoolText(status.spool()));
  for (const v1::Subscriber& subscriber : status.subscribers()) {
    text += Field("subscriber", subscriber.server() + ", " + FormatCount(subscriber.delivered()) +
                                    " delivered, " + FormatCount(subscriber.waiting()) + " waiting, " +
                                    FormatCount(subscriber.dropped()) + " dropped");
  }
  text += Field("recorder", RecorderText(status.recorder()));
  if (status.workers_running() + status.workers_abandoned() > 0) {
    text += Field("workers", FormatCount(status.workers_running()) + " running, " +
                                 FormatCount(status.workers_abandoned()) + " abandoned (hung in the kernel)");
  }
  text += Devices(status, page) + IgnoredDevices(status);
  const bool lost = std::any_of(status.losses().begin(), status.losses().end(),
                                [](const v1::Loss& loss) { return loss.count() > 0; });
  if (lost) text += Heading("Lost since the start", page) + Losses(status.losses(), page);
  return text;
}

std::string RenderConfig(const v1::Config& config, const Page& page) {
  std::string text = page.paint.Dim(FilesLine(config)) + "\n";
  Table table({{"KEY", Align::kLeft, 24}, {"VALUE", Align::kLeft, 16}, {"DEFAULT", Align::kLeft, 16}});
  for (const v1::Setting& setting : config.settings()) {
    table.Add({setting.key(),
               {setting.value(), setting.is_default() ? Style::kPlain : Style::kBold},
               setting.is_default() ? Cell("=", Style::kDim) : Cell(setting.default_value())});
  }
  return text + table.Render(page.paint);
}

}  // namespace ffdc::ctl
