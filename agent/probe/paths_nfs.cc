// SPDX-License-Identifier: Apache-2.0
// NFS: trouble comes as records of bpf/sunrpc.bpf.c and lines of the kernel's log; that
// the server answers again shows in the replies counted in /proc/self/mountstats, read
// only while there is trouble. That file and mountinfo print what the mounts hold in
// memory, under spin locks (fs/nfs/super.c, net/sunrpc/stats.c); neither asks a server.
#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "base/block_dev.h"
#include "base/fs.h"
#include "base/mountinfo.h"
#include "ffdc/abi/rpc.h"
#include "probe/path_text.h"
#include "probe/path_transport.h"

namespace ffdc {
namespace {

using State = PathState::State;
constexpr uint32_t kNfsProgram = 100003;
constexpr size_t kMaxExports = 1024;
constexpr size_t kMaxSiblings = 32;
constexpr size_t kMaxMountStatsBytes = 4u << 20;
constexpr const char* kDefaultPort = "2049";

struct Export {
  std::string source;  // "10.0.0.1:/export"
  std::string server;  // "10.0.0.1", as it was mounted
  std::string host;    // its address
  std::string port;
  std::vector<std::string> points;
  std::vector<uint32_t> devs;
  State state = State::kLive;
  std::string detail;
  uint64_t since_ns = 0;
  bool timed_out = false;           // the kernel says so: lost, unless replies still come
  std::optional<uint64_t> replies;  // when the trouble was first looked at
};

class NfsPaths final : public PathTransport {
 public:
  NfsPaths(const PathWorld& world, PathReports& reports)
      : PathTransport(world, reports),
        mounts_fd_(open((world.roots.procfs / "self/mountinfo").c_str(), O_RDONLY | O_CLOEXEC)) {}

  void OnRecord(const ffdc_record_header& header) override {
    if (header.kind != FFDC_FAULT_RPC || header.size_bytes < sizeof(ffdc_rpc_fault)) return;
    const auto& fault = reinterpret_cast<const ffdc_rpc_fault&>(header);
    if (fault.program != kNfsProgram) return;
    const auto address = ParseSocketAddress(fault.address);
    if (!address) return;
    const bool timeout = fault.failure == FFDC_RPC_TIMEOUT;
    ReadMountsIfChanged();
    for (auto& [source, known] : exports_) {
      if (known.host != address->host || known.port != address->port) continue;
      const std::error_code error(static_cast<int>(fault.status), std::generic_category());
      Trouble(known, timeout, timeout ? "no answer to retransmissions" : error.message(), header.time_ns);
    }
  }

  void OnKernelMessage(const KernelMessage& message) override {
    const auto said = ParseNfsMessage(message.text);
    if (!said) return;
    ReadMountsIfChanged();
    for (auto& [source, known] : exports_) {
      if (known.server != said->server && known.host != said->server) continue;
      if (said->ok) {
        Recovered(known);
      } else {
        Trouble(known, true, "not responding", message.time_ns);
      }
    }
  }

  void Poll() override {
    ReadMountsIfChanged();
    LookForReplies();
  }

 private:
  void ReadMountsIfChanged() {
    pollfd changed{mounts_fd_.get(), POLLPRI, 0};
    if (loaded_ && mounts_fd_.valid() && poll(&changed, 1, 0) == 0) return;
    loaded_ = true;
    const auto table = ReadMounts(world_.roots.procfs);
    if (!table) return;
    std::map<std::string, Export> now;
    for (const Mount& mount : table->mounts) {
      if ((mount.type != "nfs" && mount.type != "nfs4") || now.size() >= kMaxExports) continue;
      Export& fresh = now[mount.source];
      fresh.source = mount.source;
      fresh.server = mount.source.substr(0, mount.source.rfind(":/"));
      fresh.host = MountOption(mount.super_options, "addr");
      fresh.port = MountOption(mount.super_options, "port");
      if (fresh.port.empty() || fresh.port == "0") fresh.port = kDefaultPort;
      fresh.points.push_back(mount.point);
      if (const auto dev = ParseDev(mount.dev)) fresh.devs.push_back(*dev);
    }
    for (auto& [source, old] : exports_) {
      const auto kept = now.find(source);
      if (kept == now.end()) {  // unmounted: nobody misses it
        if (old.state != State::kLive) Tell(old, true);
        continue;
      }
      kept->second.state = old.state;
      kept->second.detail = old.detail;
      kept->second.since_ns = old.since_ns;
      kept->second.timed_out = old.timed_out;
      kept->second.replies = old.replies;
    }
    exports_ = std::move(now);
  }

  // One slow call times out while others are answered: whether nothing is answered any more
  // shows at the second look at the replies.
  void Trouble(Export& known, bool timed_out, const std::string& detail, uint64_t time_ns) {
    known.timed_out |= timed_out;
    if (known.state != State::kLive) return;
    known.since_ns = time_ns;
    known.replies.reset();
    known.state = State::kTroubled;
    known.detail = detail;
    Tell(known, false);
  }

  void Recovered(Export& known) {
    if (known.state == State::kLive) return;
    known.state = State::kLive;
    known.timed_out = false;
    known.detail = "answers";
    known.since_ns = 0;
    Tell(known, false);
  }

  void LookForReplies() {
    const bool trouble = std::any_of(exports_.begin(), exports_.end(),
                                     [](const auto& entry) { return entry.second.state != State::kLive; });
    if (!trouble) return;
    const auto text = ReadFile(world_.roots.procfs / "self/mountstats", kMaxMountStatsBytes);
    if (!text) return;
    std::map<std::string, uint64_t> replies;
    for (const NfsReplies& mount : ParseMountStats(*text)) replies[mount.point] = mount.received;
    for (auto& [source, known] : exports_) {
      if (known.state == State::kLive) continue;
      const auto now = replies.find(known.points.front());
      if (now == replies.end()) continue;
      if (!known.replies) {
        known.replies = now->second;
      } else if (now->second > *known.replies) {
        Recovered(known);
      } else if (known.timed_out && known.state == State::kTroubled) {
        known.state = State::kLost;
        Tell(known, false);
      }
    }
  }

  void Tell(const Export& known, bool gone) {
    std::vector<PathView> paths;
    if (!gone)
      paths.push_back({FormatEndpoint(known.host, known.port), known.state, known.detail, known.since_ns});
    const std::string name = PrintableUtf8(known.source);
    reports_.Report({"nfs_server", "nfs:" + name, name, "nfs", std::move(paths), known.devs,
                     [this, &known] { return Related(known); }});
  }

  std::vector<std::string> Related(const Export& known) const {
    std::set<std::string> ids{"endpoint:" + FormatEndpoint(known.host, known.port)};
    for (const std::string& point : known.points) ids.insert("mount:" + PrintableUtf8(point));
    for (const auto& [source, other] : exports_) {
      if (other.host == known.host && source != known.source && ids.size() < kMaxSiblings)
        ids.insert("nfs:" + PrintableUtf8(source));
    }
    return {ids.begin(), ids.end()};
  }

  const Fd mounts_fd_;  // readable with POLLPRI when the table changed
  bool loaded_ = false;
  std::map<std::string, Export> exports_;  // by source
};

}  // namespace

PathTransportPtr MakeNfsPaths(const PathWorld& world, PathReports& reports) {
  return std::make_unique<NfsPaths>(world, reports);
}

}  // namespace ffdc
