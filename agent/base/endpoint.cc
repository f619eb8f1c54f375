// SPDX-License-Identifier: Apache-2.0
#include "base/endpoint.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace ffdc {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

std::string IpAddress::Text() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (inet_ntop(family, bytes.data(), text.data(), text.size()) == nullptr) return {};
  return text.data();
}

std::optional<IpAddress> ParseIpAddress(std::string_view text) {
  const std::string plain(text.substr(0, text.find('%')));
  IpAddress address;
  if (inet_pton(AF_INET, plain.c_str(), address.bytes.data()) == 1) {
    address.family = AF_INET;
    return address;
  }
  if (inet_pton(AF_INET6, plain.c_str(), address.bytes.data()) != 1) return std::nullopt;
  address.family = AF_INET6;
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes.begin())) {
    IpAddress mapped{AF_INET, {}};
    std::memcpy(mapped.bytes.data(), address.bytes.data() + kMappedPrefix.size(), sizeof(in_addr));
    return mapped;
  }
  return address;
}

std::string_view Word(EndpointRole role) {
  switch (role) {
    case EndpointRole::kStorage:
      return "storage";
    case EndpointRole::kDb:
      return "db";
    case EndpointRole::kPeer:
      return "peer";
  }
  return "storage";
}

std::string Endpoint::Name() const {
  const std::string ip = address.Text();
  return (address.family == AF_INET6 ? "[" + ip + "]" : ip) + ":" + std::to_string(port);
}

std::optional<Endpoint> ParseEndpoint(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;  // of an IPv6 address without brackets nobody knows where the port begins
  }
  const auto address = ParseIpAddress(host);
  const auto port = ParseNumber<uint16_t>(text.substr(colon + 1));
  if (!address || !port || *port == 0) return std::nullopt;
  return Endpoint{*address, *port, {}, {}};
}

std::optional<std::vector<Endpoint>> ParseEndpoints(std::string_view text) {
  std::vector<Endpoint> endpoints;
  while (true) {
    const size_t comma = text.find(',');
    const auto endpoint = ParseEndpoint(text.substr(0, comma));
    if (!endpoint) return std::nullopt;
    endpoints.push_back(*endpoint);
    if (comma == std::string_view::npos) return endpoints;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace ffdc
