// SPDX-License-Identifier: Apache-2.0
// The kernel's Ceph clients (krbd, cephfs). Its log tells of monitors, OSDs and MDSs
// that are lost; which cluster that is, the names of the folders in debugfs. The files
// in them are printed under mutexes that a stuck client may hold, so a worker reads
// them, while something is wrong: requests that no OSD can take mean that I/O stands.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/fs.h"
#include "base/text.h"
#include "probe/path_text.h"
#include "probe/path_transport.h"
#include "probe/paths.h"

namespace ffdc {
namespace fs = std::filesystem;

namespace {

using State = PathState::State;
constexpr size_t kMaxPeers = 256;
constexpr uint32_t kPollsPerLook = 4;  // every 2 s while something is wrong
constexpr std::chrono::milliseconds kLookDeadline{1500};
constexpr const char* kTask = "ceph.state";

// argument: the folder of one client. Reply: the text of its `osdc`.
Result<std::string> ReadClient(std::string_view folder, std::span<const int> /*fds*/) {
  return ReadFile(fs::path(folder) / "osdc", 64u << 10);
}

class CephPaths final : public PathTransport {
 public:
  using PathTransport::PathTransport;

  void OnKernelMessage(const KernelMessage& message) override {
    const auto said = ParseCephMessage(message.text);
    if (!said) return;
    const std::string fsid = said->fsid.empty() ? OnlyCluster() : said->fsid;
    Cluster& cluster = clusters_[fsid];
    const bool known = cluster.peers.contains(said->peer);
    if (said->live ? !known : !known && cluster.peers.size() >= kMaxPeers) return Drop(fsid);
    PathView& peer = cluster.peers[said->peer];
    peer.path = said->address.empty() ? said->peer : said->peer + " " + said->address;
    peer.state = said->live ? State::kLive : State::kLost;
    peer.detail = said->detail;
    peer.since_ns = said->live ? 0 : message.time_ns;
    Tell(fsid, cluster);
    Drop(fsid);
  }

  void Poll() override {
    if (clusters_.empty() || ++polls_ % kPollsPerLook != 0) return;
    for (const std::string& folder : Clients()) {
      const std::string fsid = folder.substr(0, folder.find('.'));
      const auto found = clusters_.find(fsid);
      if (found == clusters_.end() || std::exchange(found->second.looking, true)) continue;
      WorkerRequest request;
      request.task = kTask;
      request.argument = (Debugfs() / folder).string();
      request.deadline = kLookDeadline;
      world_.submit(request, [this, fsid](const WorkerReport& report) { Looked(fsid, report); });
    }
  }

 private:
  struct Cluster {
    std::map<std::string, PathView> peers;  // that were lost: "osd3", "mon", "mds0"
    bool looking = false;
  };

  [[nodiscard]] fs::path Debugfs() const { return world_.roots.sysfs / "kernel/debug/ceph"; }

  // "<fsid>.client<id>", one a client. Their names are dentries; no file is opened.
  [[nodiscard]] std::vector<std::string> Clients() const {
    return ListFolder(Debugfs()).value_or(std::vector<std::string>());
  }

  // Before 6.8 the kernel does not say which cluster it speaks of; mostly there is one.
  [[nodiscard]] std::string OnlyCluster() const {
    std::set<std::string> fsids;
    for (const std::string& folder : Clients()) fsids.insert(folder.substr(0, folder.find('.')));
    return fsids.size() == 1 ? *fsids.begin() : "unknown";
  }

  void Looked(const std::string& fsid, const WorkerReport& report) {
    const auto found = clusters_.find(fsid);
    if (found == clusters_.end()) return;
    found->second.looking = false;
    // One that cannot be read in time says nothing either way.
    if (report.outcome != WorkerOutcome::kOk) return;
    const CephRequests requests = ParseCephRequests(report.reply);
    auto& peers = found->second.peers;
    const bool stands = requests.homeless != 0;
    if (!stands && !peers.contains("requests")) return;
    if (stands) {
      PathView& view = peers["requests"];
      view.path = "requests";
      view.state = State::kLost;
      view.detail = std::to_string(requests.homeless) + " of " + std::to_string(requests.requests) +
                    " requests without an OSD";
    } else {
      peers.erase("requests");
    }
    Tell(fsid, found->second);
    Drop(fsid);
  }

  // One lost OSD or monitor is one of many; without an MDS, or with requests that nobody can
  // take, I/O stands.
  void Tell(const std::string& fsid, const Cluster& cluster) {
    std::vector<PathView> paths;
    bool stands = false;
    for (const auto& [peer, view] : cluster.peers) {
      paths.push_back(view);
      stands |= view.state == State::kLost && (peer == "requests" || peer.starts_with("mds"));
    }
    if (!stands) paths.push_back({"other daemons", State::kLive, "in use", 0});
    const std::string name = PrintableUtf8(fsid);
    reports_.Report({"ceph", "ceph:" + name, name, "ceph", std::move(paths), {}, {}});
  }

  void Drop(const std::string& fsid) {
    const auto found = clusters_.find(fsid);
    if (found == clusters_.end()) return;
    std::erase_if(found->second.peers, [](const auto& peer) { return peer.second.state == State::kLive; });
    if (found->second.peers.empty()) clusters_.erase(found);
  }

  std::map<std::string, Cluster> clusters_;  // with something lost, by fsid
  uint32_t polls_ = 0;
};

}  // namespace

WorkerTasks PathTasks() { return {{kTask, ReadClient}}; }

PathTransportPtr MakeCephPaths(const PathWorld& world, PathReports& reports) {
  return std::make_unique<CephPaths>(world, reports);
}

}  // namespace ffdc
