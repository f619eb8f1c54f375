// SPDX-License-Identifier: Apache-2.0
// incident list, show, verify, pin, unpin, delete; dump
#include <unistd.h>

#include <iostream>

#include "ctl/commands.h"
#include "ctl/format.h"
#include "ctl/render.h"
#include "ctl/text.h"

namespace ffdc::ctl {
namespace {

// Consumers of the JSON find these, whatever the agent knew.
void FillIn(v1::Incident& incident) {
  incident.mutable_subject();
  incident.mutable_completeness();
}

Result<v1::IncidentDetail> Get(Client& client, const std::string& id) {
  return client.Call(&v1::Control::Stub::GetIncident, Ref(id), "cannot show incident '" + id + "'",
                     kWorkLimit);
}

// True if the person at the terminal agrees, or if there is nobody to ask.
Result<bool> Confirm(const Context& context, Client& client, const std::string& id) {
  if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) return true;
  FFDC_ASSIGN(const v1::IncidentDetail detail, Get(client, id));
  const v1::Incident& incident = detail.incident();
  context.out << Printable("Delete incident " + incident.id() + " (" + incident.kind() + " on " +
                           SubjectName(incident.subject()) + ", opened " +
                           FormatUtc(WallNs(incident.opened_at())) + ") and its captures? [y/N] ")
              << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace

Result<> ListIncidents(const Context& context, uint32_t limit, const std::string& state) {
  FFDC_ASSIGN(const auto client, context.Connect());
  v1::ListIncidentsRequest request;
  request.set_limit(limit);
  request.set_state(state);
  FFDC_ASSIGN(v1::IncidentList list,
              client->Call(&v1::Control::Stub::ListIncidents, request, "cannot list the incidents"));
  if (context.json) {
    for (v1::Incident& incident : *list.mutable_incidents()) FillIn(incident);
    return context.PrintJson(list);
  }
  context.out << RenderIncidents(list, context.page);
  return {};
}

Result<> ShowIncident(const Context& context, const std::string& id) {
  FFDC_ASSIGN(const auto client, context.Connect());
  FFDC_ASSIGN(v1::IncidentDetail detail, Get(*client, id));
  if (context.json) {
    FillIn(*detail.mutable_incident());
    return context.PrintJson(detail);
  }
  context.out << RenderIncident(detail, context.page);
  return {};
}

Result<> VerifyIncident(const Context& context, const std::string& id) {
  FFDC_ASSIGN(const auto client, context.Connect());
  FFDC_ASSIGN(const v1::VerifyReport report, client->Call(&v1::Control::Stub::VerifyIncident, Ref(id),
                                                          "cannot verify incident '" + id + "'", kWorkLimit));
  const std::string checked =
      FormatPlural(report.files_checked(), "file", "files") + ", " + FormatBytes(report.bytes_checked());
  if (context.json) {
    FFDC_TRY(context.PrintJson(report));
  } else if (report.ok()) {
    context.out << context.page.paint(Style::kGreen, "ok") << ": incident " << Printable(report.incident_id())
                << ": " << checked << ", every checksum right\n";
    for (const std::string& node : report.encrypted())
      context.out
          << "the capture of " << Printable(node)
          << " is encrypted: its file is as it was sealed, what is inside only a recipient can check\n";
  } else {
    for (const v1::VerifyProblem& problem : report.problems()) {
      context.out << context.page.paint(Style::kRed, Printable(problem.file())) << ": "
                  << Printable(problem.problem()) << "\n";
    }
  }
  if (report.ok()) return {};
  std::string what = "incident " + report.incident_id() + " does not verify";
  if (!report.problems().empty()) {
    what += ": " + report.problems(0).file() + ": " + report.problems(0).problem();
    if (report.problems_size() > 1) what += " (and " + std::to_string(report.problems_size() - 1) + " more)";
  }
  return Fail(what + ": pull what is left of it, and look at the disk below the store");
}

Result<> PinIncident(const Context& context, const std::string& id, bool pinned) {
  FFDC_ASSIGN(const auto client, context.Connect());
  v1::PinRequest request;
  request.set_id(id);
  request.set_pinned(pinned);
  const std::string what = std::string(pinned ? "cannot pin" : "cannot unpin") + " incident '" + id + "'";
  FFDC_ASSIGN(v1::Incident incident, client->Call(&v1::Control::Stub::PinIncident, request, what));
  if (context.json) {
    FillIn(incident);
    return context.PrintJson(incident);
  }
  context.out << "incident " << Printable(incident.id())
              << (pinned ? " is pinned: kept until it is unpinned or deleted\n" : " is no longer pinned\n");
  return {};
}

Result<> DeleteIncident(const Context& context, const std::string& id, bool confirmed) {
  FFDC_ASSIGN(const auto client, context.Connect());
  if (!confirmed) {
    FFDC_ASSIGN(const bool agreed, Confirm(context, *client, id));
    if (!agreed) return Fail("incident '" + id + "' is not deleted: not confirmed");
  }
  FFDC_ASSIGN(const v1::DeleteReport report, client->Call(&v1::Control::Stub::DeleteIncident, Ref(id),
                                                          "cannot delete incident '" + id + "'", kWorkLimit));
  if (context.json) return context.PrintJson(report);
  context.out << "incident " << Printable(report.incident_id()) << " is deleted, "
              << FormatBytes(report.bytes_freed()) << " freed\n";
  return {};
}

Result<> Dump(const Context& context, const std::string& reason, bool all_nodes,
              const std::vector<std::string>& nodes) {
  FFDC_ASSIGN(const auto client, context.Connect());
  v1::DumpRequest request;
  request.set_reason(reason);
  request.set_all_nodes(all_nodes);
  for (const std::string& node : nodes) request.add_nodes(node);
  FFDC_ASSIGN(v1::Incident incident,
              client->Call(&v1::Control::Stub::Dump, request, "cannot capture the node", kWorkLimit));
  if (context.json) {
    FillIn(incident);
    return context.PrintJson(incident);
  }
  context.out << "incident " << Printable(incident.id()) << " is being captured\nNext: "
              << context.page.paint.Bold("ffdcctl incident show " + ShortId(incident.id())) << "\n";
  return {};
}

}  // namespace ffdc::ctl
