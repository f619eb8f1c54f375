// SPDX-License-Identifier: Apache-2.0
// network: interfaces and sockets.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <bit>
#include <chrono>
#include <map>
#include <memory>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json_line.h"
#include "base/text.h"
#include "capture/collector.h"
#include "capture/node_state.h"
#include "capture/text.h"

namespace ffdc {
namespace fs = std::filesystem;
namespace {

// A node with a million sockets must not lose its interfaces to the deadline.
constexpr uint64_t kMaxSocketsNs = 1'500'000'000;

constexpr std::array kCounters{"rx_bytes",       "rx_packets",      "rx_errors",         "rx_dropped",
                               "rx_fifo_errors", "rx_frame_errors", "rx_compressed",     "rx_multicast",
                               "tx_bytes",       "tx_packets",      "tx_errors",         "tx_dropped",
                               "tx_fifo_errors", "tx_collisions",   "tx_carrier_errors", "tx_compressed"};
constexpr std::array kTextAttributes{"operstate",
                                     "address",
                                     "duplex",
                                     "ifalias",
                                     "bonding/mode",
                                     "bonding/slaves",
                                     "bonding/active_slave",
                                     "bonding/mii_status",
                                     "bonding_slave/state",
                                     "bonding_slave/mii_status"};
constexpr std::array kNumberAttributes{"carrier",
                                       "carrier_changes",
                                       "carrier_up_count",
                                       "carrier_down_count",
                                       "mtu",
                                       "ifindex",
                                       "dormant",
                                       "tx_queue_len",
                                       "bonding_slave/link_failure_count"};

using Addresses = std::map<std::string, std::vector<std::string>>;

unsigned PrefixBits(const sockaddr* mask, size_t offset, size_t size) {
  unsigned bits = 0;
  for (size_t i = 0; mask != nullptr && i < size; ++i) {
    bits += static_cast<unsigned>(std::popcount(reinterpret_cast<const unsigned char*>(mask)[offset + i]));
  }
  return bits;
}

Result<Addresses> ReadAddresses() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return FailErrno("cannot list the addresses of the interfaces");
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owned(list, ::freeifaddrs);
  Addresses addresses;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    const int family = entry->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    const bool v6 = family == AF_INET6;
    const size_t offset = v6 ? offsetof(sockaddr_in6, sin6_addr) : offsetof(sockaddr_in, sin_addr);
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (::inet_ntop(family, reinterpret_cast<const char*>(entry->ifa_addr) + offset, text.data(),
                    text.size()) == nullptr) {
      continue;
    }
    addresses[entry->ifa_name].push_back(
        std::string(text.data()) + "/" +
        std::to_string(PrefixBits(entry->ifa_netmask, offset, v6 ? sizeof(in6_addr) : sizeof(in_addr))));
  }
  return addresses;
}

using CounterTexts = std::map<std::string, std::string, std::less<>>;

// "  eth0: 1 2 3 ..."
CounterTexts ReadCounters(const KernelRoots& roots) {
  CounterTexts texts;
  auto text = ReadFile(roots.proc / "net/dev");
  if (!text) return texts;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::string_view line = NextLine(rest);
    const size_t colon = line.rfind(':');  // an old-style alias has one in its name: "eth0:1"
    if (colon == std::string_view::npos) continue;
    texts.emplace(Trim(line.substr(0, colon)), line.substr(colon + 1));
  }
  return texts;
}

void AddLink(const fs::path& folder, const char* attribute, const char* field, JsonLine& line) {
  if (const std::string name = LinkName(folder / attribute); !name.empty()) line.Field(field, name);
}

void FormatInterface(const fs::path& folder, const std::string& name, const CounterTexts& counters,
                     const Addresses& addresses, JsonLine& line) {
  line.Begin();
  line.Field("name", name);
  for (const char* attribute : kTextAttributes) {
    if (const std::string value = ReadLine(folder / attribute); !value.empty()) line.Field(attribute, value);
  }
  for (const char* attribute : kNumberAttributes) {
    if (const auto value = ParseNumber<int64_t>(ReadLine(folder / attribute))) line.Field(attribute, *value);
  }
  // -1 and errors: the link is down or has none.
  if (const auto speed = ParseNumber<int64_t>(ReadLine(folder / "speed")); speed && *speed > 0) {
    line.Field("speed_mbit", *speed);
  }
  AddLink(folder, "master", "master", line);
  AddLink(folder, "device/driver", "driver", line);
  line.BeginArray("addresses");
  if (const auto found = addresses.find(name); found != addresses.end()) {
    for (const std::string& address : found->second) line.Item(address);
  }
  line.EndArray();
  if (const auto found = counters.find(name); found != counters.end()) {
    std::string_view rest = found->second;
    line.BeginObject("counters");
    for (const char* counter : kCounters) {
      if (const auto value = ParseNumber<uint64_t>(NextWord(rest))) line.Field(counter, *value);
    }
    line.EndObject();
  }
}

Result<> WriteInterfaces(CollectContext& context, const KernelRoots& roots) {
  FFDC_ASSIGN(CaptureFile * file, context.Create("interfaces.jsonl"));
  const CounterTexts counters = ReadCounters(roots);
  Addresses addresses;
  if (auto read = ReadAddresses()) {
    addresses = std::move(*read);
  } else {
    context.AddLoss("network.addresses", 1, read.error().message);
  }
  JsonLine line;
  uint64_t interfaces = 0;
  for (const std::string& name : FolderEntries(roots.sys / "class/net")) {
    std::error_code error;
    // "bonding_masters" is a file among the interfaces.
    if (!fs::is_directory(roots.sys / "class/net" / name, error)) continue;
    ++interfaces;
    FormatInterface(roots.sys / "class/net" / name, name, counters, addresses, line);
    if (!file->Write(line.End())) return {};
    file->Flush();  // "speed" of the next one asks a driver
  }
  if (interfaces == 0) return Fail("no network interface is in " + (roots.sys / "class/net").string());
  return {};
}

struct SocketCounts {
  uint64_t malformed = 0;
  uint64_t unread = 0;  // not listed, for want of time or space
};

Result<> WriteProtocol(const KernelRoots& roots, const std::string& protocol, uint64_t until_ns,
                       CaptureFile& file, SocketCounts& counts) {
  bool header = true;
  bool open = true;
  return ForEachLine(roots.proc / "net" / protocol, [&](std::string_view text) {
    if (std::exchange(header, false)) return true;
    const auto socket = ParseInetSocket(text);
    if (!socket) {
      ++counts.malformed;
      return true;
    }
    open = open && SystemClock().MonotonicNs() < until_ns && file.Write(FormatInetSocket(protocol, *socket));
    // How many more there are takes as long as reading them: one stands for the rest of this protocol.
    if (!open) ++counts.unread;
    return open;
  });
}

Result<> WriteSockets(CollectContext& context, const KernelRoots& roots) {
  FFDC_ASSIGN(CaptureFile * file, context.Create("sockets.txt"));
  file->Write(
      "# SEND-Q and RECV-Q in bytes (RECV-Q of LISTEN: connections not yet accepted). RETRANS: of the oldest "
      "unanswered "
      "segment.\n" +
      Column("PROTO", 5) + Column("LOCAL", 28) + Column("REMOTE", 28) + Column("STATE", 14) +
      Column("SEND-Q", 10) + Column("RECV-Q", 10) + Column("TIMER", 18) + Column("RETRANS", 8) +
      Column("UID", 7) + "INODE\n");
  const uint64_t until_ns = SystemClock().MonotonicNs() + kMaxSocketsNs;
  SocketCounts counts;
  for (const std::string protocol : {"tcp", "tcp6", "udp", "udp6"}) {
    auto written = WriteProtocol(roots, protocol, until_ns, *file, counts);
    // A kernel without IPv6 has no such file.
    if (!written) AddNote(context, "network." + protocol, written.error().message);
  }
  if (counts.malformed > 0) {
    context.AddLoss("network.malformed", counts.malformed, "sockets that could not be read as such");
  }
  if (counts.unread > 0) {
    context.AddLoss("network.sockets_left_out", counts.unread,
                    "protocols with more sockets than there was time or space to list");
  }
  return file->Close();
}

Result<> CollectorNetwork(CollectContext& context) { return CollectNetwork(context, {}); }
FFDC_REGISTER_COLLECTOR("network", std::chrono::seconds(3), CollectorNetwork);

}  // namespace

Result<> CollectNetwork(CollectContext& context, const KernelRoots& roots) {
  // Sockets first: what is asked of the interfaces may wait for the lock that a hanging driver holds.
  FFDC_TRY(WriteSockets(context, roots));
  return WriteInterfaces(context, roots);
}

}  // namespace ffdc
