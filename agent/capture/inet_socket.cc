// SPDX-License-Identifier: Apache-2.0
// Lines of /proc/net/{tcp,udp}* (net/ipv4/tcp_ipv4.c: tcp4_seq_show and its like).
#include <arpa/inet.h>

#include <array>
#include <cstdio>

#include "base/text.h"
#include "capture/node_state.h"
#include "capture/text.h"

namespace ffdc {
namespace {

constexpr double kTicksPerSecond = 100;  // USER_HZ, on every architecture we know

// "0100007F:0016": the address in 32-bit words, each in the machine's own byte order.
std::optional<std::string> ParseAddress(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon != 8 && colon != 32) return std::nullopt;
  std::array<uint32_t, 4> words{};
  for (size_t i = 0; i < colon / 8; ++i) {
    const auto word = ParseNumber<uint32_t>(text.substr(i * 8, 8), 16);
    if (!word) return std::nullopt;
    words[i] = *word;
  }
  const auto port = ParseNumber<uint16_t>(text.substr(colon + 1), 16);
  if (!port) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> address{};
  const bool v6 = colon == 32;
  if (::inet_ntop(v6 ? AF_INET6 : AF_INET, words.data(), address.data(), address.size()) == nullptr) {
    return std::nullopt;
  }
  const std::string host = v6 ? "[" + std::string(address.data()) + "]" : address.data();
  return host + ":" + (*port == 0 ? "*" : std::to_string(*port));
}

struct HexPair {
  uint64_t first = 0;
  uint64_t second = 0;
};
// "00000000:0000001A"
std::optional<HexPair> ParseHexPair(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto first = ParseNumber<uint64_t>(text.substr(0, colon), 16);
  const auto second = ParseNumber<uint64_t>(text.substr(colon + 1), 16);
  if (!first || !second) return std::nullopt;
  return HexPair{*first, *second};
}

// include/net/tcp_states.h
std::string StateName(std::string_view protocol, uint32_t state) {
  constexpr std::array<const char*, 14> kNames{
      "?",     "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2",    "TIME_WAIT",
      "CLOSE", "CLOSE_WAIT",  "LAST_ACK", "LISTEN",   "CLOSING",   "NEW_SYN_RECV", "BOUND_INACTIVE"};
  if (protocol.substr(0, 3) == "udp" && state == 7) return "UNCONNECTED";
  return state < kNames.size() ? kNames[state] : std::to_string(state);
}

std::string TimerText(const InetSocket& socket) {
  constexpr std::array<const char*, 5> kNames{"-", "retransmit", "keepalive", "timewait", "zero-window"};
  if (socket.timer == 0) return "-";
  std::array<char, 32> seconds{};
  snprintf(seconds.data(), seconds.size(), " %.2fs",
           static_cast<double>(socket.timer_ticks) / kTicksPerSecond);
  return (socket.timer < kNames.size() ? kNames[socket.timer] : std::to_string(socket.timer)) +
         std::string(seconds.data());
}

}  // namespace

std::optional<InetSocket> ParseInetSocket(std::string_view line) {
  InetSocket socket;
  NextWord(line);  // "0:", the line's number
  auto local = ParseAddress(NextWord(line));
  auto remote = ParseAddress(NextWord(line));
  const auto state = ParseNumber<uint32_t>(NextWord(line), 16);
  const auto queues = ParseHexPair(NextWord(line));
  const auto timer = ParseHexPair(NextWord(line));
  const auto retransmits = ParseNumber<uint64_t>(NextWord(line), 16);
  const auto uid = ParseNumber<uint64_t>(NextWord(line));
  NextWord(line);  // probes not answered
  const auto inode = ParseNumber<uint64_t>(NextWord(line));
  if (!local || !remote || !state || !queues || !timer || !retransmits || !uid || !inode) return std::nullopt;
  socket.local = std::move(*local);
  socket.remote = std::move(*remote);
  socket.state = *state;
  socket.send_queue_bytes = queues->first;
  socket.receive_queue_bytes = queues->second;
  socket.timer = static_cast<uint32_t>(timer->first);
  socket.timer_ticks = timer->second;
  socket.retransmits = *retransmits;
  socket.uid = *uid;
  socket.inode = *inode;
  return socket;
}

std::string FormatInetSocket(std::string_view protocol, const InetSocket& socket) {
  return Column(protocol, 5) + Column(socket.local, 28) + Column(socket.remote, 28) +
         Column(StateName(protocol, socket.state), 14) + Column(std::to_string(socket.send_queue_bytes), 10) +
         Column(std::to_string(socket.receive_queue_bytes), 10) + Column(TimerText(socket), 18) +
         Column(std::to_string(socket.retransmits), 8) + Column(std::to_string(socket.uid), 7) +
         std::to_string(socket.inode) + "\n";
}

}  // namespace ffdc
