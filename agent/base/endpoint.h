// SPDX-License-Identifier: Apache-2.0
// The far end of a connection to storage, to the cluster DB or to a peer: an address with a
// port. No names: the agent may not wait for a name server that may be what failed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ffdc {

struct IpAddress {
  uint16_t family = 0;              // AF_INET, AF_INET6; 0: none
  std::array<uint8_t, 16> bytes{};  // network byte order; IPv4: the first 4

  [[nodiscard]] std::string Text() const;  // "10.0.0.1", "fd00::1"
  bool operator==(const IpAddress& other) const = default;
};
// An IPv4 address in an IPv6 one is IPv4; the scope of a link-local one ("%eth0") is left out.
std::optional<IpAddress> ParseIpAddress(std::string_view text);

// What its connections carry: an endpoint of storage is of domain X1, the others are of X3.
enum class EndpointRole { kStorage, kDb, kPeer };
std::string_view Word(EndpointRole role);  // "storage", "db", "peer"

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;
  std::string source;                    // why it is watched: "nfs mount /srv", "configuration"
  std::vector<std::string> related_ids;  // what it carries
  EndpointRole role = EndpointRole::kStorage;
  uint16_t opens_to_port = 0;  // of this node's: it opens connections, too; 0: it does not

  [[nodiscard]] std::string Name() const;  // "10.0.0.1:4420", "[fd00::1]:4420"
  [[nodiscard]] std::string Id() const { return "endpoint:" + Name(); }
  bool operator==(const Endpoint& other) const = default;
};
// "10.0.0.1:4420", "[fd00::1]:4420".
std::optional<Endpoint> ParseEndpoint(std::string_view text);
// "10.0.0.1:2379,10.0.0.2:2379"; at least one.
std::optional<std::vector<Endpoint>> ParseEndpoints(std::string_view text);

}  // namespace ffdc
