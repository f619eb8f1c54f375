// SPDX-License-Identifier: Apache-2.0
// What the kernel writes about paths to storage, taken apart.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ffdc {

struct NvmeAddress {
  std::string transport;  // "tcp"; "pcie" where the kernel names none
  std::string address;    // "10.0.0.1:4420", "[fe80::1]:4420"; empty: none
};
// Of /sys/class/nvme/nvme0/uevent.
NvmeAddress ParseNvmeUevent(std::string_view text);

// "10.0.0.1:2049", "[fe80::1]:2049"
std::string FormatEndpoint(std::string_view host, std::string_view port);

struct SocketAddress {
  std::string host;
  std::string port;
};
// The bytes of a struct sockaddr; nullopt: no IP address.
std::optional<SocketAddress> ParseSocketAddress(std::span<const uint8_t> bytes);

// Replies received so far from the server of each NFS mount, of /proc/self/mountstats.
struct NfsReplies {
  std::string point;
  uint64_t received = 0;  // by all its connections
};
std::vector<NfsReplies> ParseMountStats(std::string_view text);

// The value of one mount option; empty: not there.
std::string MountOption(std::string_view options, std::string_view name);

// A kernel message about an nbd device, "block nbd0: Receive control failed (result -32)".
struct NbdMessage {
  enum class What { kLost, kDisconnected, kReconnected };
  std::string device;  // "nbd0"
  What what = What::kLost;
  std::string detail;
  std::optional<uint32_t> alive, total;  // "(1/2 alive)": its connections
};
std::optional<NbdMessage> ParseNbdMessage(std::string_view text);

// "nfs: server 10.0.0.1 not responding, still trying", "nfs: server 10.0.0.1 OK"
struct NfsMessage {
  std::string server;
  bool ok = false;
};
std::optional<NfsMessage> ParseNfsMessage(std::string_view text);

// The SCSI address in "sd 1:0:0:0: [sdb] ..."; empty: none.
std::string ScsiAddressIn(std::string_view text);

// "libceph: osd3 down", "libceph (<fsid> e12): mon0 (1)10.0.0.1:6789 session lost, hunting for new mon",
// "ceph: mds0 hung"
struct CephMessage {
  std::string fsid;  // empty: kernels before 6.8 do not say
  std::string peer;  // "osd3", "mon", "mds0"
  std::string address;
  std::string detail;
  bool live = false;
};
std::optional<CephMessage> ParseCephMessage(std::string_view text);

// Of /sys/kernel/debug/ceph/<fsid>.client<id>/osdc: requests under way, and those that wait for
// an OSD that is not there.
struct CephRequests {
  uint32_t requests = 0;
  uint32_t homeless = 0;
};
CephRequests ParseCephRequests(std::string_view text);

}  // namespace ffdc
