// SPDX-License-Identifier: Apache-2.0
// `ffdcctl incident show`: what broke, who was hurt, what came before, what was
// kept of it, and what to do next.
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

#include "ctl/format.h"
#include "ctl/render.h"
#include "ctl/table.h"
#include "ctl/text.h"

namespace ffdc::ctl {
namespace {

constexpr size_t kRowIndent = 2;
constexpr int kMaxFirstFailures = 8;
constexpr int kMaxLastIos = 16;

// The first cause, in one line.
std::string Sentence(const v1::Incident& incident) {
  std::string text = incident.kind();
  if (const std::string name = SubjectName(incident.subject()); !name.empty()) text += " on " + name;
  for (const v1::Event& event : incident.events()) {
    if (event.id() != incident.first_cause().event_id() || event.domain() == v1::REQUESTED) continue;
    const bool failed = !event.errors().empty();
    if (failed || event.count() > 1)
      text += ": " + FormatPlural(event.count(), failed ? "failure" : "time", failed ? "failures" : "times");
    const uint64_t lasted_ns = event.last_mono_ns() - event.first_mono_ns();
    if (event.count() > 1 && lasted_ns > 0) text += " within " + FormatSpan(lasted_ns);
  }
  if (const uint64_t others = EventCount(incident); others > 1)
    text += "; with it " + FormatPlural(others - 1, "other event", "other events");
  return text;
}

std::string StateText(const v1::Incident& incident) {
  std::string text = Word(incident.state());
  if (incident.state() == v1::CLOSED && incident.has_closed_at())
    text += " at " + FormatUtc(WallNs(incident.closed_at()));
  if (incident.state() == v1::OPEN && FailureCount(incident) > 0)
    text += ": still failing, or not yet quiet for long";
  if (incident.repeat()) text += "; a repeat: this subject failed before, in an incident that is still kept";
  return text + (incident.pinned() ? "; pinned" : "");
}

std::string Headline(const v1::Incident& incident, const Page& page) {
  const std::string severity = Word(incident.severity());
  const std::string sentence = Printable(Sentence(incident));
  std::string text = page.paint(StyleOf(incident.severity()), severity) + " " +
                     page.paint.Bold(ShortenMiddle(sentence, kPageWidth - severity.size() - 1)) + "\n";
  const int64_t opened_ns = WallNs(incident.opened_at());
  text += Field("incident", incident.id());
  text += Field("subject", incident.subject().id());
  text += Field("opened", FormatUtc(opened_ns) + " (" + FormatAge(page.now_wall_ns, opened_ns) +
                              ") on node " + incident.origin_node() + ", cluster " + incident.cluster());
  text += Field("state", StateText(incident));
  if (!incident.merged_into().empty())
    text += Field("part of", incident.merged_into() + ", where other nodes tell of the same failure");
  if (!incident.summary().empty()) text += Field("summary", incident.summary());
  if (!incident.reason().empty()) text += Field("reason", incident.reason());
  return text;
}

std::string Clients(const v1::Incident& incident, const Page& page) {
  if (incident.clients().empty()) return "  nobody known\n";
  Table table({{""}, {"", Align::kLeft, 20}, {"", Align::kRight}, {"", Align::kLeft, 20}});
  for (const v1::Client& client : incident.clients()) {
    std::string type = client.type();
    std::replace(type.begin(), type.end(), '_', ' ');
    const std::string cgroup = client.cgroup().ends_with("/" + client.name()) ? "" : client.cgroup();
    table.Add({{type, Style::kDim},
               {client.name(), Style::kBold},
               FormatPlural(client.failures(), "failure", "failures"),
               {cgroup, Style::kDim}});
  }
  return table.Render(page.paint, kRowIndent);
}

std::string ErrorCounts(const v1::Incident& incident, const Page& page) {
  using Key = std::pair<std::string, std::string>;
  std::vector<Key> order;
  std::map<Key, uint64_t> counts;
  for (const v1::Event& event : incident.events()) {
    for (const v1::ErrorCount& error : event.errors()) {
      const Key key{error.op(), error.status()};
      if (counts.emplace(key, 0).second) order.push_back(key);
      counts[key] += error.count();
    }
  }
  Table table({{"", Align::kRight}, {""}, {"", Align::kLeft, 20}});
  for (const Key& key : order)
    table.Add({{FormatCount(counts[key]), Style::kBold}, key.first, {key.second, Style::kRed}});
  return table.empty() ? "" : table.Render(page.paint, kRowIndent);
}

std::string OpText(const v1::FailedIo& io) {
  std::vector<std::string> words{io.op()};
  words.insert(words.end(), io.flags().begin(), io.flags().end());
  return Joined(words, " ");
}

// What the devices themselves said.
std::string DeviceWords(const v1::Incident& incident, const Page& page) {
  constexpr size_t kMaxWords = 4;
  std::vector<std::pair<std::string, std::string>> said;
  for (const v1::Event* event : InOrder(incident)) {
    for (const v1::FailedIo& io : event->evidence()) {
      std::pair<std::string, std::string> words{io.device(), io.detail()};
      if (io.detail().empty() || said.size() == kMaxWords) continue;
      if (std::find(said.begin(), said.end(), words) == said.end()) said.push_back(std::move(words));
    }
  }
  std::string text;
  for (const auto& [device, words] : said) text += Note(device + " says", words, Style::kRed, page);
  return text;
}

std::string FirstFailures(const v1::Incident& incident, const Page& page) {
  Table table({{"TIME (UTC)"},
               {"DEVICE", Align::kLeft, 10},
               {"OP", Align::kLeft, 8},
               {"SECTOR", Align::kRight},
               {"SIZE", Align::kRight},
               {"LATENCY", Align::kRight},
               {"STATUS", Align::kLeft, 12},
               {"CLIENT", Align::kLeft, 10}});
  int shown = 0;
  for (const v1::Event* event : InOrder(incident)) {
    for (const v1::FailedIo& io : event->evidence()) {
      if (shown++ == kMaxFirstFailures) return table.Render(page.paint, kRowIndent);
      table.Add({FormatTimeOfDay(io.time_wall_ns()).substr(0, 12), io.device(), OpText(io),
                 std::to_string(io.sector()), FormatBytes(io.len_bytes()), FormatSpan(io.latency_ns()),
                 Cell(io.status(), Style::kRed), io.client().name()});
    }
  }
  return table.empty() ? "" : table.Render(page.paint, kRowIndent);
}

const v1::Manifest* WithLastIos(const v1::IncidentDetail& detail) {
  const v1::Manifest* found = nullptr;
  for (const v1::Manifest& manifest : detail.manifests()) {
    if (manifest.last_ios().empty()) continue;
    if (found == nullptr || manifest.node() == detail.incident().origin_node()) found = &manifest;
  }
  return found;
}

std::string RelativeMs(uint64_t mono_ns, uint64_t failure_mono_ns) {
  const double ms = (static_cast<double>(mono_ns) - static_cast<double>(failure_mono_ns)) / 1e6;
  std::array<char, 48> text{};
  snprintf(text.data(), text.size(), "%+.3f", ms);
  return text.data();
}

std::string LastIos(const v1::Manifest& manifest, const Page& page) {
  Table table({{""},
               {"MS", Align::kRight},
               {"OP", Align::kLeft, 8},
               {"SECTOR", Align::kRight},
               {"SIZE", Align::kRight},
               {"LATENCY", Align::kRight},
               {"STATUS", Align::kLeft, 12}});
  const auto& ios = manifest.last_ios();
  for (int i = std::max(0, ios.size() - kMaxLastIos); i < ios.size(); ++i) {
    const v1::FailedIo& io = ios[i];
    const bool failed = io.status() != "ok";
    const Style style = failed ? Style::kRed : Style::kPlain;
    table.Add({{failed ? "✗" : "", style},
               {RelativeMs(io.time_mono_ns(), manifest.failure_mono_ns()), style},
               {OpText(io), style},
               {std::to_string(io.sector()), style},
               {FormatBytes(io.len_bytes()), style},
               {FormatSpan(io.latency_ns()), style},
               {io.status(), style}});
  }
  return table.Render(page.paint, kRowIndent);
}

std::string Device(const v1::Subject& subject) {
  std::string text = Field("identity", subject.id());
  if (!subject.model().empty()) text += Field("model", subject.model());
  if (!subject.serial().empty()) text += Field("serial", subject.serial());
  if (!subject.used_by().empty()) {
    text += Field("used by", Joined({subject.used_by().begin(), subject.used_by().end()}, " > "));
  }
  return text;
}

// "Captures: 1 of 1 stored, complete"
std::string CapturesTitle(const v1::Incident& incident) {
  const v1::Completeness& completeness = incident.completeness();
  if (completeness.expected() == 0) return "Captures";
  return "Captures: " + std::to_string(completeness.stored()) + " of " +
         std::to_string(completeness.expected()) + " stored, " +
         (completeness.complete() ? "complete" : "not complete");
}

bool HasCapture(const v1::Incident& incident) {
  return std::any_of(incident.captures().begin(), incident.captures().end(), [](const v1::Capture& capture) {
    return capture.state() == v1::SEALED || capture.state() == v1::STORED;
  });
}

std::string Captures(const v1::Incident& incident, const Page& page) {
  if (incident.captures().empty()) return "  none\n";
  Table table({{"NODE", Align::kLeft, 10},
               {"STATE"},
               {"SIZE", Align::kRight},
               {"FROZEN AFTER", Align::kRight},
               {"SEALED AFTER", Align::kRight},
               {"COLLECTORS"},
               {"WHERE", Align::kLeft, 16}});
  for (const v1::Capture& capture : incident.captures()) {
    const auto span = [](uint64_t ns) { return ns == 0 ? "-" : FormatSpan(ns); };
    std::string collectors = std::to_string(capture.collectors_ok()) + " ok";
    if (capture.collectors_failed() > 0)
      collectors += ", " + std::to_string(capture.collectors_failed()) + " not";
    table.Add({capture.node(),
               {Word(capture.state()), StyleOf(capture.state())},
               FormatBytes(capture.bytes()),
               span(capture.frozen_after_ns()),
               span(capture.sealed_after_ns()),
               {collectors, capture.collectors_failed() > 0 ? Style::kYellow : Style::kPlain},
               capture.where() + (capture.stored_by().empty() ? "" : " by node " + capture.stored_by())});
  }
  std::string text = table.Render(page.paint, kRowIndent);
  for (const v1::Capture& capture : incident.captures()) {
    if (!capture.error().empty()) text += Note(capture.node(), capture.error(), Style::kRed, page);
  }
  for (const std::string& missing : incident.completeness().missing()) text += Field("missing", missing);
  return text;
}

std::string Collectors(const v1::Manifest& manifest, const Page& page) {
  Table table(
      {{"COLLECTOR", Align::kLeft, 16}, {"ENDED"}, {"AFTER", Align::kRight}, {"SIZE", Align::kRight}});
  std::string errors;
  for (const v1::CollectorResult& result : manifest.collectors()) {
    table.Add({result.name(),
               {Word(result.outcome()), StyleOf(result.outcome())},
               FormatSpan(result.elapsed_ns()),
               FormatBytes(result.bytes())});
    if (!result.error().empty())
      errors += Note(result.name(), result.error(), StyleOf(result.outcome()), page);
  }
  return table.empty() ? "  none ran\n" : table.Render(page.paint, kRowIndent) + errors;
}

// Who can open it. Empty: anybody.
std::string Encryption(const v1::Manifest& manifest, const Page& page) {
  if (manifest.encrypted_to().empty()) return {};
  std::string text = Heading("Encrypted on " + Printable(manifest.node()), page) +
                     "  The key of any one of these certificates opens it:\n";
  for (const v1::Recipient& recipient : manifest.encrypted_to()) {
    text += "  " + ShortenMiddle(Printable(recipient.subject()), kPageWidth - 2) + "\n    " +
            page.paint.Dim("SHA-256 " + Printable(recipient.sha256())) + "\n";
  }
  return text;
}

// What the rules took out, and where they could not. Empty: there were none.
std::string Redaction(const v1::Manifest& manifest, const Page& page) {
  if (manifest.redacted().empty()) return {};
  uint64_t redactions = 0;
  uint64_t lines_cut = 0;
  std::vector<std::string> untouched;
  for (const v1::CapturedFile& file : manifest.files()) {
    redactions += file.redactions();
    lines_cut += file.lines_cut();
    if (file.not_redacted()) untouched.push_back(Printable(file.name()));
  }
  std::string text = Heading("Redacted on " + Printable(manifest.node()), page);
  text += Field("rules", Printable(Joined({manifest.redacted().begin(), manifest.redacted().end()}, ", ")));
  text += Field("taken out", FormatPlural(redactions, "piece", "pieces") + " of text");
  if (lines_cut > 0) text += Field("cut", FormatPlural(lines_cut, "line", "lines") + " too long to look at");
  if (!untouched.empty()) text += Field("not looked at", Joined(untouched, ", "));
  return text;
}

}  // namespace

std::string RenderIncident(const v1::IncidentDetail& detail, const Page& page) {
  const v1::Incident& incident = detail.incident();
  std::string text = Headline(incident, page);
  if (FailureCount(incident) > 0) {
    text += Heading("What happened", page) + Chain(incident, page);
    text += Heading("Who was hurt", page) + Clients(incident, page);
    if (const std::string waiters = Waiters(incident, page); !waiters.empty())
      text.append(Heading("Who waits", page)).append(waiters);
    if (const std::string counts = ErrorCounts(incident, page); !counts.empty())
      text.append(Heading("What failed", page)).append(counts);
    if (const std::string first = FirstFailures(incident, page); !first.empty())
      text += Heading("The first failures", page) + first + DeviceWords(incident, page);
  }
  if (const v1::Manifest* manifest = WithLastIos(detail)) {
    text += Heading("The last I/Os before the failure", page) + LastIos(*manifest, page);
  }
  if (incident.subject().type() == "block_device")
    text += Heading("Device", page) + Device(incident.subject());
  text += Heading(CapturesTitle(incident), page) + Captures(incident, page);
  if (const std::string nobody = Unanswered(detail.unanswered(), page); !nobody.empty())
    text += "  " + nobody;
  for (const v1::Manifest& manifest : detail.manifests()) {
    const std::string node = Printable(manifest.node());
    const std::string host =
        Printable(Joined({manifest.versions().kernel(), manifest.versions().os()}, ", "));
    text += Heading("Collectors on " + node, page) + Collectors(manifest, page);
    if (!host.empty()) text += "  " + page.paint.Dim(ShortenMiddle("kernel " + host, kPageWidth - 2)) + "\n";
    text += Redaction(manifest, page);
    text += Encryption(manifest, page);
    text += Heading("Lost on " + node, page) + Losses(manifest.losses(), page);
    if (const std::string notes = Notes(manifest.losses(), page); !notes.empty())
      text.append(Heading("Not to be had on " + node, page)).append(notes);
  }
  if (detail.manifests().empty()) {
    text += Heading("Lost", page) + Losses(incident.completeness().losses(), page);
    if (!detail.note().empty()) text += "\n" + Field("note", "no manifest: " + detail.note());
  }
  const std::string next = HasCapture(incident) ? "ffdcctl incident pull " : "ffdcctl incident show ";
  return text + "\nNext: " + page.paint.Bold(next + ShortId(incident.id())) +
         (HasCapture(incident) ? "" : " (nothing is sealed yet)") + "\n";
}

}  // namespace ffdc::ctl
