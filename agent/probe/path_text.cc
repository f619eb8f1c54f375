// SPDX-License-Identifier: Apache-2.0
#include "probe/path_text.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "base/text.h"

namespace ffdc {
namespace {

bool IsDigits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return isdigit(c) != 0; });
}

// Cuts `prefix` off; false where it is not there.
bool Skip(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

NvmeAddress ParseNvmeUevent(std::string_view text) {
  std::string_view host, port;
  NvmeAddress address;
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    if (Skip(line, "NVME_TRTYPE="))
      address.transport = line;
    else if (Skip(line, "NVME_TRADDR="))
      host = line;
    else if (Skip(line, "NVME_TRSVCID="))
      port = line;
  }
  if (address.transport.empty()) address.transport = "pcie";
  if (!host.empty()) address.address = IsDigits(port) ? FormatEndpoint(host, port) : std::string(host);
  return address;
}

std::string FormatEndpoint(std::string_view host, std::string_view port) {
  const bool v6 = host.find(':') != std::string_view::npos && !host.starts_with('[');
  std::string text = v6 ? "[" + std::string(host) + "]" : std::string(host);
  return text.append(":").append(port);
}

std::optional<SocketAddress> ParseSocketAddress(std::span<const uint8_t> bytes) {
  sockaddr_storage address{};
  std::memcpy(&address, bytes.data(), std::min(bytes.size(), sizeof address));
  char host[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET && bytes.size() >= sizeof(sockaddr_in)) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
    return SocketAddress{host, std::to_string(ntohs(v4.sin_port))};
  }
  if (address.ss_family == AF_INET6 && bytes.size() >= sizeof(sockaddr_in6)) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
    return SocketAddress{host, std::to_string(ntohs(v6.sin6_port))};
  }
  return std::nullopt;
}

// net/sunrpc/xprtsock.c, xprtrdma/transport.c: after "tcp" and "rdma" the sixth number, after
// "udp" the fourth.
std::vector<NfsReplies> ParseMountStats(std::string_view text) {
  std::vector<NfsReplies> mounts;
  bool nfs = false;
  while (!text.empty()) {
    std::string_view line = Trim(NextLine(text));
    if (Skip(line, "device ")) {
      constexpr std::string_view kOn = " mounted on ";
      constexpr std::string_view kType = " with fstype nfs";
      const size_t on = line.find(kOn);
      const size_t type = line.rfind(kType);
      nfs = on != std::string_view::npos && type != std::string_view::npos && on + kOn.size() <= type;
      if (nfs) mounts.push_back({std::string(line.substr(on + kOn.size(), type - on - kOn.size()))});
    } else if (nfs && Skip(line, "xprt:")) {
      const std::string_view protocol = NextWord(line);
      const int skipped = protocol == "udp" ? 3 : protocol == "tcp" || protocol == "rdma" ? 6 : -1;
      for (int i = 0; i < skipped; ++i) NextWord(line);
      if (skipped >= 0) mounts.back().received += ParseNumber<uint64_t>(NextWord(line)).value_or(0);
    }
  }
  return mounts;
}

std::string MountOption(std::string_view options, std::string_view name) {
  while (!options.empty()) {
    const size_t comma = std::min(options.find(','), options.size());
    std::string_view option = options.substr(0, comma);
    options.remove_prefix(std::min(comma + 1, options.size()));
    if (Skip(option, name) && Skip(option, "=")) return std::string(option);
  }
  return {};
}

// drivers/block/nbd.c
std::optional<NbdMessage> ParseNbdMessage(std::string_view text) {
  if (!Skip(text, "block ") || !text.starts_with("nbd")) return std::nullopt;
  const size_t colon = text.find(": ");
  if (colon == std::string_view::npos || !IsDigits(text.substr(3, colon - 3))) return std::nullopt;
  NbdMessage message;
  message.device = text.substr(0, colon);
  text.remove_prefix(colon + 2);
  message.detail = text;
  if (text.starts_with("NBD_DISCONNECT") || text.starts_with("Disconnected due to user request")) {
    message.what = NbdMessage::What::kDisconnected;
  } else if (text.starts_with("reconnected socket")) {
    message.what = NbdMessage::What::kReconnected;
  } else if (Skip(text, "Connection timed out, retrying (")) {
    const size_t slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    message.alive = ParseNumber<uint32_t>(text.substr(0, slash));
    text.remove_prefix(slash + 1);
    message.total = ParseNumber<uint32_t>(text.substr(0, text.find(' ')));
    if (!message.alive || !message.total) return std::nullopt;
  } else if (!text.starts_with("Connection timed out") && !text.starts_with("Receive control failed") &&
             !text.starts_with("Receive data failed") && !text.starts_with("Send control failed") &&
             !text.starts_with("Send data failed") && !text.starts_with("Dead connection")) {
    return std::nullopt;
  }
  return message;
}

// net/sunrpc/clnt.c
std::optional<NfsMessage> ParseNfsMessage(std::string_view text) {
  if (!Skip(text, "nfs: server ")) return std::nullopt;
  NfsMessage message;
  message.server = NextWord(text);
  text = Trim(text);
  message.ok = text == "OK";
  if (message.server.empty() || (!message.ok && !text.starts_with("not responding"))) return std::nullopt;
  return message;
}

std::string ScsiAddressIn(std::string_view text) {
  if (!Skip(text, "sd ")) return {};
  const size_t end = text.find(": ");
  if (end == std::string_view::npos) return {};
  const std::string_view address = text.substr(0, end);
  const bool numbers = address.find_first_not_of("0123456789:") == std::string_view::npos;
  return numbers && std::count(address.begin(), address.end(), ':') == 3 ? std::string(address)
                                                                         : std::string();
}

// net/ceph/{mon_client,osdmap}.c, fs/ceph/mds_client.c. A closed socket alone says nothing: idle
// ones are closed too.
std::optional<CephMessage> ParseCephMessage(std::string_view text) {
  if (!Skip(text, "libceph") && !Skip(text, "ceph")) return std::nullopt;
  CephMessage message;
  Skip(text, ":");
  text = Trim(text);
  if (text.starts_with('(') || text.starts_with('[')) {
    const size_t close = text.find(text.front() == '(' ? "):" : "]:");
    if (close == std::string_view::npos) return std::nullopt;
    std::string_view inside = text.substr(1, close - 1);
    message.fsid = NextWord(inside);
    text.remove_prefix(close + 2);
  }
  const std::string_view peer = NextWord(text);
  text = Trim(text);
  if (text.starts_with('(')) {  // "(1)10.0.0.1:6789"
    std::string_view address = NextWord(text);
    address.remove_prefix(std::min(address.find(')') + 1, address.size()));
    message.address = address;
    text = Trim(text);
  }
  message.detail = text;
  const std::string_view kind = peer.substr(0, 3);
  if (!IsDigits(peer.substr(std::min<size_t>(3, peer.size())))) return std::nullopt;
  if (kind == "mon") {
    message.peer = "mon";  // any of them will do
    message.live = text == "session established";
    if (!message.live && !text.starts_with("session lost")) return std::nullopt;
  } else if (kind == "osd") {
    message.peer = peer;
    message.live = text == "up";
    if (!message.live && text != "down") return std::nullopt;
  } else if (kind == "mds") {
    message.peer = peer;
    message.live = text == "came back" || text == "caps renewed" || text.starts_with("recovery completed") ||
                   text.starts_with("reconnect success");
    if (!message.live && text != "hung") return std::nullopt;
  } else {
    return std::nullopt;
  }
  return message;
}

// "REQUESTS 2 homeless 1", since 4.12; before, a line a request.
CephRequests ParseCephRequests(std::string_view text) {
  CephRequests requests;
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    if (!Skip(line, "REQUESTS ")) continue;
    requests.requests = ParseNumber<uint32_t>(NextWord(line)).value_or(0);
    if (NextWord(line) == "homeless") requests.homeless = ParseNumber<uint32_t>(NextWord(line)).value_or(0);
  }
  return requests;
}

}  // namespace ffdc
