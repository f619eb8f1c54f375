// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "ctl/format.h"
#include "ctl/render.h"
#include "ctl/table.h"
#include "ctl/text.h"

namespace ffdc::ctl {
namespace {

// "2026-11-23 06:12:00"
std::string ToSecond(const google::protobuf::Timestamp& time) {
  return FormatUtc(WallNs(time)).substr(0, sizeof("2026-11-23 06:12:00") - 1);
}

// "stored, pinned"; with more than one node the worst of their states: "1/3 failed".
Cell CapturesCell(const v1::Incident& incident) {
  const auto& completeness = incident.completeness();
  const auto expected = std::max(completeness.expected(), static_cast<uint32_t>(incident.captures_size()));
  const std::string pinned = incident.pinned() ? ", pinned" : "";
  for (const v1::CaptureState state :
       {v1::UNREACHED, v1::FAILED, v1::DROPPED, v1::COLLECTING, v1::SEALED, v1::STORED}) {
    const auto count =
        std::count_if(incident.captures().begin(), incident.captures().end(),
                      [state](const v1::Capture& capture) { return capture.state() == state; });
    if (count == 0) continue;
    std::string text = expected > 1 ? std::to_string(count) + "/" + std::to_string(expected) + " " : "";
    text += Word(state) + pinned;
    return {text, StyleOf(state)};
  }
  return {"none" + pinned, Style::kDim};
}

}  // namespace

std::string RenderEvents(const v1::EventList& events, const Page& page) {
  if (events.events().empty()) return "No events.\n";
  Table table({{"LAST (UTC)"},
               {"SEVERITY"},
               {"KIND", Align::kLeft, 10},
               {"SUBJECT", Align::kLeft, 8},
               {"COUNT", Align::kRight},
               {"INCIDENT"},
               {"SUMMARY", Align::kLeft, 16}});
  for (const v1::Event& event : events.events()) {
    table.Add({ToSecond(event.last_at()),
               {Word(event.severity()), StyleOf(event.severity())},
               event.kind(),
               SubjectName(event.subject()),
               FormatCount(event.count()),
               ShortId(event.incident_id()),
               event.summary()});
  }
  return table.Render(page.paint);
}

std::string RenderEventLine(const v1::Event& event, const Page& page) {
  const std::string time =
      event.has_last_at() ? FormatTimeOfDay(WallNs(event.last_at())).substr(0, 12) + " " : "";
  const std::string severity = Word(event.severity());
  std::string line = event.kind() + ": " + event.summary();
  if (event.summary().empty()) line = event.kind() + " on " + SubjectName(event.subject());
  const std::string incident = event.incident_id().empty() ? "" : " [" + ShortId(event.incident_id()) + "]";
  const size_t taken = time.size() + severity.size() + 1 + incident.size();
  return time + page.paint(StyleOf(event.severity()), severity) + " " +
         ShortenMiddle(Printable(line), kPageWidth - taken) + page.paint.Dim(Printable(incident)) + "\n";
}

std::string RenderNewsLine(const v1::News& news, const Page& page) {
  const v1::Severity severity = news.has_event()      ? news.event().severity()
                                : news.has_incident() ? news.incident().severity()
                                : news.what() == "watch.began" || news.what() == "node.heard" ? v1::INFO
                                                                                              : v1::WARNING;
  std::string line = news.what();
  std::string id;
  if (news.has_event()) {
    line = news.event().kind() + (news.what() == "event.ended" ? " ended" : "");
    id = news.event().incident_id();
  } else if (news.has_incident()) {
    line = "incident " + news.what().substr(news.what().find('.') + 1) + ": " + news.incident().kind();
    id = news.incident().id();
  }
  line += ": " + news.summary();
  const std::string time = FormatTimeOfDay(WallNs(news.at())).substr(0, 12) + " ";
  const std::string node = Printable(news.node()) + " ";
  const std::string word = Word(severity);
  const std::string incident = id.empty() ? "" : " [" + ShortId(id) + "]";
  const size_t taken = time.size() + node.size() + word.size() + 1 + incident.size();
  return time + page.paint.Bold(node) + page.paint(StyleOf(severity), word) + " " +
         ShortenMiddle(Printable(line), kPageWidth - std::min(taken, kPageWidth - 20)) +
         page.paint.Dim(Printable(incident)) + "\n";
}

std::string RenderIncidents(const v1::IncidentList& incidents, const Page& page) {
  const std::string unanswered = Unanswered(incidents.unanswered(), page);
  if (incidents.incidents().empty()) return "No incidents.\n" + unanswered;
  std::vector<std::string> ids;
  for (const v1::Incident& incident : incidents.incidents()) ids.push_back(incident.id());
  const std::vector<std::string> short_ids = ShortIds(ids);
  Table table({{"ID"},
               {"OPENED (UTC)"},
               {"STATE"},
               {"SEVERITY"},
               {"FIRST CAUSE", Align::kLeft, 8},
               {"SUBJECT", Align::kLeft, 8},
               {"EVENTS", Align::kRight},
               {"CAPTURES"}});
  for (int i = 0; i < incidents.incidents_size(); ++i) {
    const v1::Incident& incident = incidents.incidents(i);
    table.Add({{short_ids[static_cast<size_t>(i)], Style::kBold},
               ToSecond(incident.opened_at()),
               {Word(incident.state()), incident.state() == v1::OPEN ? Style::kYellow : Style::kPlain},
               {Word(incident.severity()), StyleOf(incident.severity())},
               incident.kind(),
               SubjectName(incident.subject()),
               FormatCount(EventCount(incident)),
               CapturesCell(incident)});
  }
  return table.Render(page.paint) + unanswered;
}

}  // namespace ffdc::ctl
