// SPDX-License-Identifier: Apache-2.0
// What an incident's events tell together: what came first, what followed, how soon
// it was noticed, how long it lasted, and who waits for it.
#include <algorithm>
#include <map>

#include "base/layers.h"
#include "ctl/format.h"
#include "ctl/render.h"
#include "ctl/table.h"
#include "ctl/text.h"

namespace ffdc::ctl {
namespace {

constexpr size_t kIndent = 2;
constexpr size_t kMaxWaiters = 12;

// How long after the kernel knew of it the agent raised the event.
std::string NoticedAfter(const v1::Event& event) {
  if (event.detected_mono_ns() <= event.first_mono_ns()) return "-";
  return FormatSpan(event.detected_mono_ns() - event.first_mono_ns());
}

std::string Lasted(const v1::Incident& incident, const v1::Event& event) {
  if (event.duration_ns() != 0) return FormatSpan(event.duration_ns());
  return incident.state() == v1::OPEN && event.severity() != v1::INFO ? "goes on" : "-";
}

// What belongs below an event's line: its summary, and the facts known of it.
std::string Below(const v1::Incident& incident, const v1::Event& event, const Page& page) {
  constexpr size_t kBelowIndent = 7;
  std::vector<std::string> facts;
  for (const v1::Fact& fact : event.facts()) facts.push_back(fact.name() + " " + fact.value());
  std::string block;
  const auto add = [&](const std::string& text, Style style) {
    if (text.empty()) return;
    for (const std::string& line : Wrap(Printable(text), kPageWidth - kBelowIndent))
      block += std::string(kBelowIndent, ' ') + page.paint(style, line) + "\n";
  };
  // The only event's summary stands above already.
  if (incident.events_size() > 1) add(event.summary(), Style::kPlain);
  add(Joined(facts, ", "), Style::kDim);
  return block;
}

}  // namespace

std::vector<const v1::Event*> InOrder(const v1::Incident& incident) {
  std::vector<const v1::Event*> events;
  for (const v1::Event& event : incident.events()) events.push_back(&event);
  std::stable_sort(events.begin(), events.end(), [](const v1::Event* a, const v1::Event* b) {
    return a->first_mono_ns() < b->first_mono_ns();
  });
  return events;
}

std::string Chain(const v1::Incident& incident, const Page& page) {
  const std::vector<const v1::Event*> events = InOrder(incident);
  Table table({{""},
               {"AFTER", Align::kRight},
               {"LAYER"},
               {"KIND", Align::kLeft, 12},
               {"SUBJECT", Align::kLeft, 12},
               {"COUNT", Align::kRight},
               {"NOTICED AFTER", Align::kRight},
               {"LASTED", Align::kRight}});
  std::vector<std::string> below{""};
  for (const v1::Event* event : events) {
    const uint64_t after_ns = event->first_mono_ns() - events.front()->first_mono_ns();
    const bool cause = event->id() == incident.first_cause().event_id();
    table.Add({{cause ? "►" : "", Style::kRed},
               after_ns == 0 ? "0" : "+" + FormatSpan(after_ns),
               {std::string(Word(LayerOf(event->kind()))), Style::kDim},
               {event->kind(), StyleOf(event->severity())},
               SubjectName(event->subject()),
               FormatCount(event->count()),
               NoticedAfter(*event),
               Lasted(incident, *event)});
    below.push_back(Below(incident, *event, page));
  }
  std::string text = Interleave(table.Render(page.paint, kIndent), below);
  if (incident.events_left_out() > 0)
    text +=
        Field("", FormatPlural(incident.events_left_out(), "event more is", "events more are") + " not kept");
  if (events.size() > 1)
    text += "  " + page.paint.Dim("► the first cause: the deepest layer, then the earliest") + "\n";
  return text;
}

std::string Waiters(const v1::Incident& incident, const Page& page) {
  std::map<uint32_t, const v1::Waiter*> longest;  // several events may tell of one task
  for (const v1::Event& event : incident.events()) {
    for (const v1::Waiter& waiter : event.waiters()) {
      const v1::Waiter*& known = longest[waiter.pid()];
      if (known == nullptr || known->waiting_ns() < waiter.waiting_ns()) known = &waiter;
    }
  }
  if (longest.empty()) return {};
  std::vector<const v1::Waiter*> ordered;
  ordered.reserve(longest.size());
  for (const auto& [pid, waiter] : longest) ordered.push_back(waiter);
  std::stable_sort(ordered.begin(), ordered.end(), [](const v1::Waiter* a, const v1::Waiter* b) {
    return a->waiting_ns() > b->waiting_ns();
  });
  Table table({{"PID", Align::kRight},
               {"TASK", Align::kLeft, 12},
               {"WAITED", Align::kRight},
               {"IN", Align::kLeft, 16},
               {"CLIENT", Align::kLeft, 12}});
  for (size_t i = 0; i < std::min(ordered.size(), kMaxWaiters); ++i) {
    const v1::Waiter& waiter = *ordered[i];
    const bool thread = waiter.tgid() != 0 && waiter.tgid() != waiter.pid();
    table.Add(
        {std::to_string(waiter.pid()),
         {waiter.comm() + (thread ? " (thread of " + std::to_string(waiter.tgid()) + ")" : ""), Style::kBold},
         FormatSpan(waiter.waiting_ns()),
         waiter.waits_in(),
         waiter.client().name()});
  }
  std::string text = table.Render(page.paint, kIndent);
  if (ordered.size() > kMaxWaiters)
    text += "  and " + FormatCount(ordered.size() - kMaxWaiters) + " more: --json has all\n";
  return text;
}

}  // namespace ffdc::ctl
