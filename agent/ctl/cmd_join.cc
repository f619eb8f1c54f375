// SPDX-License-Identifier: Apache-2.0
// cluster init, join: they work on this node's files, and need no agent of this node.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iostream>
#include <utility>

#include "base/certificate.h"
#include "base/certificate_maker.h"
#include "base/drop_ins.h"
#include "base/endpoint.h"
#include "base/name.h"
#include "base/paths.h"
#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/config_values.h"
#include "ctl/join_client.h"
#include "ctl/new_files.h"
#include "ctl/render.h"
#include "ctl/text.h"

namespace ffdc::ctl {
namespace {

constexpr mode_t kSecretFolder = 0700;
constexpr mode_t kConfigFolder = 0755;
constexpr mode_t kConfigFile = 0644;

Unexpected Wrong(const std::string& what) { return Fail(what, kUsageError); }

// Where everything of the cluster lies on this node.
struct Paths {
  std::string drop_in_folder, drop_in, tls_folder, ca, ca_key, cert, key;
};

Result<Paths> PathsOf(const ClusterSetup& setup) {
  Paths paths;
  const std::filesystem::path config = std::filesystem::absolute(setup.config);
  paths.drop_in_folder = DropInFolder(config);
  paths.drop_in = paths.drop_in_folder + "/" + kClusterDropIn;
  paths.tls_folder = setup.tls_dir.empty() ? (config.parent_path() / "tls").string() : setup.tls_dir;
  const auto fits = [](unsigned char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; };
  if (!paths.tls_folder.starts_with('/') ||
      !std::all_of(paths.tls_folder.begin(), paths.tls_folder.end(), fits))
    return Wrong("the folder for keys and certificates must be an absolute path, not '" + paths.tls_folder +
                 "': give --tls-dir");
  paths.ca = paths.tls_folder + "/ca.pem";
  paths.ca_key = paths.tls_folder + "/ca-key.pem";
  paths.cert = paths.tls_folder + "/cert.pem";
  paths.key = paths.tls_folder + "/key.pem";
  return paths;
}

Result<> CheckDb(const std::string& db) {
  for (const std::string_view scheme : {"etcd://", "etcds://"}) {
    if (db.starts_with(scheme) && ParseEndpoints(std::string_view(db).substr(scheme.size()))) return {};
  }
  return Wrong("'" + db +
               "' is no cluster DB: give addresses of etcd, such as etcd://10.0.0.1:2379,10.0.0.2:2379");
}

Result<> CheckAddresses(const ClusterSetup& setup) {
  for (const std::string& address : {setup.listen, setup.advertise}) {
    if (!address.empty() && !ParseEndpoint(address))
      return Wrong("'" + address + "' is no address with a port: give one such as 10.0.0.11:7420");
  }
  const std::string& reached_at = setup.advertise.empty() ? setup.listen : setup.advertise;
  if (reached_at.starts_with("0.0.0.0:") || reached_at.starts_with("[::]:"))
    return Wrong("the other nodes cannot reach " + reached_at +
                 ": give --advertise, an address of this node");
  return {};
}

// This node's name and cluster, unless it is in one, or has files of one.
Result<ClusterSetup> PrepareNode(ClusterSetup setup, const Paths& paths) {
  FFDC_TRY(CheckAddresses(setup));
  FFDC_ASSIGN(const ConfigValues config, ReadConfig(setup.config));
  const std::string db = ValueOf(config, "cluster.db", "embedded");
  if (db != "embedded") {
    return Fail("this node is in a cluster already: cluster.db is " + db + " in " +
                config.at("cluster.db").file + ": 'ffdcctl cluster leave' takes it out");
  }
  for (const std::string& path : {paths.drop_in, paths.ca, paths.ca_key, paths.cert, paths.key})
    FFDC_TRY(CheckAbsent(path));
  setup.node = ValueOf(config, "node.name", HostNodeName());
  setup.cluster = ValueOf(config, "node.cluster", "default");
  if (!IsNodeName(setup.node) || !IsNodeName(setup.cluster))
    return Fail("node.name or node.cluster in " + setup.config + " is no name: see `ffdcd --check-config`");
  return setup;
}

std::string DropInText(const ClusterSetup& setup, const Paths& paths, const std::string& command) {
  const auto line = [](const char* key, const std::string& value) {
    return value.empty() ? "" : std::string(key) + " = \"" + value + "\"\n";
  };
  return "# Written by `ffdcctl cluster " + command +
         "`. What stands here comes over the file beside this folder.\n"
         "# `ffdcctl cluster leave` moves this file away.\n"
         "[node]\n# As in the certificate.\n" +
         line("name", setup.node) + line("cluster", setup.cluster) + "\n[cluster]\n" + line("db", setup.db) +
         "\n[peer]\n" + line("listen", setup.listen) + line("advertise", setup.advertise) + "\n[tls]\n" +
         line("ca", paths.ca) + line("cert", paths.cert) + line("key", paths.key) +
         line("ca_key", setup.keeps_ca ? paths.ca_key : "");
}

// "-": from the standard input, so that it is in no shell's history and in no list of processes.
Result<JoinToken> TokenOf(const std::string& argument) {
  std::string text = argument;
  if (argument == "-") {
    if (isatty(STDIN_FILENO) != 0) std::cerr << "Token: " << std::flush;
    std::getline(std::cin, text);
  }
  auto token = ParseJoinToken(Trim(text));
  if (!token) return Wrong(token.error().message);
  return token;
}

// The server is trusted; that what it sent is of use is checked all the same, before anything is written.
Result<> CheckReply(const v1::JoinReply& reply, const ClusterSetup& setup, const JoinToken& token,
                    const std::string& key) {
  const auto ca = ReadCertificate(reply.ca());
  const auto own = ReadCertificate(reply.certificate());
  if (!ca || !own || ca->sha256 != token.ca_sha256 || !CheckSignedBy(reply.certificate(), reply.ca()) ||
      !CheckKeyOf(reply.certificate(), key) ||
      std::find(own->names.begin(), own->names.end(), setup.node) == own->names.end())
    return Fail("the certificate that was sent is not one of this node and cluster: see the server's log");
  if (!IsNodeName(reply.cluster()) || !CheckDb(reply.db()))
    return Fail("the cluster's name or DB that was sent makes no sense: see the server's configuration");
  return {};
}

void TellNext(const Context& context, const ClusterSetup& setup, const Paths& paths,
              const CertificateFacts& certificate) {
  context.out << Field("key", paths.key)
              << Field("cert", paths.cert + ", good until " + certificate.not_after)
              << Field("CA", paths.ca + (setup.keeps_ca ? ", its key: " + paths.ca_key : ""))
              << Field("settings", paths.drop_in)
              << "\nNext:\n  systemctl restart ffdcd    the agent is a member from then on\n"
              << (setup.keeps_ca ? "  ffdcctl cluster token      prints what lets another node join\n"
                                 : "  ffdcctl cluster status     shows all nodes\n");
  if (setup.keeps_ca)
    context.out << "\nKeep a copy of " << paths.ca_key << " in a safe place: without it no node can join.\n";
}

// What goes into the folder for keys and certificates; empty: nothing.
struct Papers {
  std::string ca_key, ca, key, cert;
};

// Of a CA of its own.
Result<Papers> MakePapers(const ClusterSetup& setup) {
  Papers papers;
  FFDC_ASSIGN(papers.ca_key, MakePrivateKey());
  FFDC_ASSIGN(papers.ca, MakeCa(setup.cluster, papers.ca_key));
  FFDC_ASSIGN(papers.key, MakePrivateKey());
  FFDC_ASSIGN(const std::string request, MakeCertificateRequest(setup.node, papers.key));
  FFDC_ASSIGN(papers.cert, SignCertificateRequest(request, setup.node, papers.ca, papers.ca_key, setup.days));
  return papers;
}

// Of the cluster's CA: the token is used up then.
Result<v1::JoinReply> AskForPapers(const ClusterSetup& setup, const Endpoint& server, const JoinToken& token,
                                   const std::string& key) {
  v1::JoinRequest request;
  request.set_node(setup.node);
  request.set_secret(token.secret);
  FFDC_ASSIGN(*request.mutable_request(), MakeCertificateRequest(setup.node, key));
  FFDC_ASSIGN(const TrustedServer trusted, MeetServer(server, token.ca_sha256));
  auto reply = AskToJoin(server, trusted, request);
  if (!reply) return Unexpected(reply.error().In("node " + setup.node + " cannot join"));
  FFDC_TRY(CheckReply(*reply, setup, token, key));
  return reply;
}

Result<> WriteAllOf(NewFiles& files, const Papers& papers, const ClusterSetup& setup, const Paths& paths,
                    const std::string& command) {
  for (const auto& [path, text] :
       {std::pair{&paths.ca_key, &papers.ca_key}, std::pair{&paths.ca, &papers.ca},
        std::pair{&paths.key, &papers.key}, std::pair{&paths.cert, &papers.cert}}) {
    if (!text->empty()) FFDC_TRY(files.Add(*path, *text));
  }
  // The last one: without it the agent does not look at the others.
  FFDC_TRY(MakeFolder(paths.drop_in_folder, kConfigFolder));
  FFDC_TRY(files.Add(paths.drop_in, DropInText(setup, paths, command), kConfigFile));
  files.Keep();
  return {};
}

}  // namespace

Result<> InitCluster(const Context& context, const ClusterSetup& wanted) {
  FFDC_ASSIGN(const Paths paths, PathsOf(wanted));
  FFDC_TRY(CheckDb(wanted.db));
  FFDC_ASSIGN(ClusterSetup setup, PrepareNode(wanted, paths));
  setup.keeps_ca = true;
  FFDC_ASSIGN(const Papers papers, MakePapers(setup));
  FFDC_TRY(MakeFolder(paths.tls_folder, kSecretFolder));
  NewFiles files;
  FFDC_TRY(WriteAllOf(files, papers, setup, paths, "init"));
  FFDC_ASSIGN(const CertificateFacts facts, ReadCertificate(papers.cert));
  context.out << "node " << setup.node << " is set up as the first of cluster " << setup.cluster << "\n";
  TellNext(context, setup, paths, facts);
  return {};
}

Result<> JoinCluster(const Context& context, const ClusterSetup& wanted) {
  FFDC_ASSIGN(const Paths paths, PathsOf(wanted));
  const auto server = ParseEndpoint(wanted.address);
  if (!server)
    return Wrong("'" + wanted.address + "' is no address with a port: `ffdcctl cluster token` prints it");
  FFDC_ASSIGN(const JoinToken token, TokenOf(wanted.token));
  FFDC_ASSIGN(ClusterSetup setup, PrepareNode(wanted, paths));
  FFDC_ASSIGN(const std::string key, MakePrivateKey());
  // Before the token is used up for nothing: these folders can be written to.
  FFDC_TRY(MakeFolder(paths.tls_folder, kSecretFolder));
  FFDC_TRY(MakeFolder(paths.drop_in_folder, kConfigFolder));
  NewFiles files;
  FFDC_TRY(files.Add(paths.key, key));
  FFDC_ASSIGN(const v1::JoinReply reply, AskForPapers(setup, *server, token, key));
  setup.cluster = reply.cluster();
  setup.db = reply.db();
  FFDC_TRY(WriteAllOf(files, {.ca_key = "", .ca = reply.ca(), .key = "", .cert = reply.certificate()}, setup,
                      paths, "join"));
  FFDC_ASSIGN(const CertificateFacts facts, ReadCertificate(reply.certificate()));
  context.out << Printable("node " + setup.node + " may join cluster " + setup.cluster + " (" + setup.db +
                           ")")
              << "\n";
  TellNext(context, setup, paths, facts);
  return {};
}

}  // namespace ffdc::ctl
