// SPDX-License-Identifier: Apache-2.0
#include "ctl/format.h"
#include "ctl/render.h"
#include "ctl/text.h"

namespace ffdc::ctl {
namespace {

constexpr int64_t kNsOfDay = 24LL * 3600 * 1'000'000'000;

std::string CertificateText(const v1::Certificate& certificate, const Page& page) {
  const int64_t left_ns = WallNs(certificate.not_after()) - page.now_wall_ns;
  const std::string until = FormatUtc(WallNs(certificate.not_after()));
  std::vector<std::string> names(certificate.names().begin(), certificate.names().end());
  return "for " + Joined(names, ", ") + ", " +
         (left_ns < 0 ? "EXPIRED at " + until
                      : "good until " + until + " (" +
                            FormatPlural(static_cast<uint64_t>(left_ns / kNsOfDay), "day", "days") + ")") +
         ", SHA-256 " + certificate.sha256().substr(0, 16) + "…";
}

}  // namespace

std::string RenderCluster(const v1::ClusterView& view, const Page& page) {
  const v1::ClusterStatus& status = view.status();
  std::string text = ProblemLines(view.problems(), page) + "\n";
  if (status.db() == "embedded") {
    return text + Field("node",
                        view.node() + ", alone: `ffdcctl cluster init` or `join` makes it part of a cluster");
  }
  text += Field("cluster", view.cluster() + ": " + FormatPlural(status.members(), "node", "nodes") + ", " +
                               std::to_string(status.peers_reachable()) + " of " +
                               FormatPlural(status.peers(), "peer", "peers") + " reachable");
  text += Field("this node", view.node());
  text += Field("DB", status.db() + (status.db_reachable() ? ", answers" : ", NOT REACHABLE"));
  text += Field("primary", status.primary().empty() ? "none" : status.primary());
  text += Field("cert", CertificateText(status.certificate(), page));
  text += Field("CA", status.keeps_ca() ? "its key is kept here: `ffdcctl cluster token` lets a node join"
                                        : "its key is not kept here: nodes join at one that keeps it");
  if (status.joins_refused() > 0)
    text += Field("refused", FormatPlural(status.joins_refused(), "try", "tries") +
                                 " to join since the agent's start (see its log)");
  v1::NodeList nodes;
  *nodes.mutable_nodes() = view.nodes();
  nodes.set_note(view.note());
  return text + Heading("Nodes", page) + RenderNodes(nodes, page);
}

}  // namespace ffdc::ctl
