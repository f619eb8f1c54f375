// SPDX-License-Identifier: Apache-2.0
// The commands, one function each; cmd_<group>.cc holds a group. An error is
// printed by the caller, once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ctl/context.h"

namespace ffdc::ctl {

Result<> ShowStatus(const Context& context);
Result<> ListProbes(const Context& context, uint32_t measure_ms);
Result<> ShowConfig(const Context& context);

Result<> ListEvents(const Context& context, uint32_t limit);
Result<> WatchEvents(const Context& context);
// Of the whole cluster. min_severity: "info", "warning", "critical".
Result<> WatchCluster(const Context& context, const std::vector<std::string>& kinds,
                      const std::vector<std::string>& subjects, const std::string& min_severity);

Result<> ListIncidents(const Context& context, uint32_t limit, const std::string& state);
Result<> ShowIncident(const Context& context, const std::string& id);
Result<> VerifyIncident(const Context& context, const std::string& id);
Result<> PinIncident(const Context& context, const std::string& id, bool pinned);
Result<> DeleteIncident(const Context& context, const std::string& id, bool confirmed);
Result<> Dump(const Context& context, const std::string& reason, bool all_nodes,
              const std::vector<std::string>& nodes);

Result<> ListResources(const Context& context);

Result<> ListNodes(const Context& context);
Result<> RemoveNode(const Context& context, const std::string& name);

// What cluster init and join are told, and find out.
struct ClusterSetup {
  std::string config;   // the agent's; beside it lie the drop-in and, by default, the keys
  std::string tls_dir;  // empty: "tls" beside the configuration
  std::string db;
  std::string listen;
  std::string advertise;  // empty: as listen
  std::string address;    // join: of a node that keeps the CA
  std::string token;      // join: "-" is the standard input
  int days = 0;           // init: of this node's certificate
  std::string node;       // from here on: found out
  std::string cluster;
  bool keeps_ca = false;
};
inline constexpr char kClusterDropIn[] = "cluster.toml";
Result<> InitCluster(const Context& context, const ClusterSetup& wanted);
Result<> JoinCluster(const Context& context, const ClusterSetup& wanted);
Result<> MakeToken(const Context& context, uint64_t valid_s);
Result<> LeaveCluster(const Context& context, bool confirmed);
Result<> ShowCluster(const Context& context);

// output: a file, "-" for stdout, or empty for `<short id>.tar`.
Result<> PullIncident(const Context& context, const std::string& id, const std::string& output);

Result<> InitStore(const Context& context);
Result<> ShowStore(const Context& context);
Result<> ListStore(const Context& context);
Result<> VerifyStore(const Context& context);
Result<> CleanStore(const Context& context);
Result<> MigrateStore(const Context& context, const std::string& from_url, const std::string& to_url);

Result<> SelfTest(const Context& context);

}  // namespace ffdc::ctl
