// SPDX-License-Identifier: Apache-2.0
// cluster token, leave, status: asked of this node's agent.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "base/drop_ins.h"
#include "base/fs.h"
#include "base/paths.h"
#include "ctl/commands.h"
#include "ctl/config_values.h"
#include "ctl/format.h"
#include "ctl/new_files.h"
#include "ctl/show.h"
#include "ctl/text.h"

namespace ffdc::ctl {
namespace {

// The file that `cluster init` or `join` wrote; empty: a person configured the cluster.
Result<std::string> OwnDropIn(Client& client) {
  FFDC_ASSIGN(const v1::Config config, client.Call(&v1::Control::Stub::GetConfig, v1::GetConfigRequest(),
                                                   "cannot read the agent's configuration"));
  const std::string path =
      DropInFolder(config.path().empty() ? kDefaultConfigPath : config.path()) + "/" + kClusterDropIn;
  const auto& used = config.drop_ins();
  if (std::find(used.begin(), used.end(), path) == used.end()) return std::string();
  const std::string folder = std::filesystem::path(path).parent_path();
  if (access(folder.c_str(), W_OK) != 0)
    return Unexpected(FailErrno("cannot move " + path + " away").value().In("run as root"));
  return path;
}

bool Confirm(const Context& context, const v1::ClusterView& view) {
  if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) return true;
  context.out << Printable("Take node " + view.node() + " out of cluster " + view.cluster() +
                           (view.status().keeps_ca()
                                ? ", whose CA it keeps: no node can join unless another one keeps it too"
                                : "") +
                           "? [y/N] ")
              << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

// The settings, and the certificate and key they name; of a CA that is kept here, nothing.
Result<std::vector<std::string>> MoveFilesAside(const std::string& drop_in) {
  FFDC_ASSIGN(const ConfigValues values, ReadConfigFiles({drop_in}));
  std::vector<std::string> files{drop_in};
  for (const char* key : {"tls.cert", "tls.key"}) files.push_back(ValueOf(values, key, ""));
  if (!values.contains("tls.ca_key")) files.push_back(ValueOf(values, "tls.ca", ""));
  std::vector<std::string> moved;
  for (const std::string& file : files) {
    if (file.empty() || !Exists(file)) continue;
    FFDC_ASSIGN(std::string aside, MoveAside(file));
    moved.push_back(std::move(aside));
  }
  return moved;
}

}  // namespace

Result<> MakeToken(const Context& context, uint64_t valid_s) {
  FFDC_ASSIGN(const auto client, context.Connect());
  v1::MakeTokenRequest request;
  request.set_valid_s(valid_s);
  FFDC_ASSIGN(const v1::JoinTicket ticket,
              client->Call(&v1::Control::Stub::MakeToken, request, "cannot make a token"));
  if (context.json) return context.PrintJson(ticket);
  context.out << "Lets one node join, once, until " << FormatUtc(WallNs(ticket.expires_at()))
              << ". There, as root:\n\n  ffdcctl cluster join " << Printable(ticket.address()) << " "
              << Printable(ticket.token()) << " --listen ADDRESS:PORT\n\n"
              << "ADDRESS:PORT is that node's own. With - in place of the token it is read from the standard "
                 "input.\n";
  return {};
}

Result<> LeaveCluster(const Context& context, bool confirmed) {
  FFDC_ASSIGN(const auto client, context.Connect());
  FFDC_ASSIGN(
      const v1::ClusterView view,
      client->Call(&v1::Control::Stub::GetCluster, v1::GetClusterRequest(), "cannot ask about the cluster"));
  FFDC_ASSIGN(const std::string drop_in, OwnDropIn(*client));
  if (!confirmed && !Confirm(context, view)) return Fail("node " + view.node() + " stays in the cluster");
  FFDC_ASSIGN(const v1::LeaveClusterReply reply,
              client->Call(&v1::Control::Stub::LeaveCluster, v1::LeaveClusterRequest(),
                           "node " + view.node() + " cannot leave its cluster"));
  Result<std::vector<std::string>> moved;
  if (!drop_in.empty()) moved = MoveFilesAside(drop_in);
  if (!moved) {
    return Unexpected(moved.error().In(
        "node " + view.node() + " left the cluster, but joins again at the next start of its agent, as " +
        drop_in + " is still there"));
  }
  if (context.json) return context.PrintJson(reply);
  context.out << Printable("node " + view.node() + " left cluster " + reply.cluster()) << "\n";
  for (const std::string& file : *moved) context.out << "  kept as " << Printable(file) << "\n";
  if (drop_in.empty())
    context.out
        << "Its settings are not those of `ffdcctl cluster join`: take [cluster] and [peer] out of the "
           "configuration, or it joins again at the next start of its agent.\n";
  if (reply.keeps_ca())
    context.out
        << "The CA and its key stay here: copy them to another node of the cluster (tls.ca_key), or no "
           "node can join any more.\n";
  context.out << "Next:\n  systemctl restart ffdcd    the agent is that of a single node from then on\n";
  return {};
}

Result<> ShowCluster(const Context& context) {
  return Show(context, "cannot ask about the cluster", &v1::Control::Stub::GetCluster, RenderCluster,
              v1::GetClusterRequest());
}

}  // namespace ffdc::ctl
