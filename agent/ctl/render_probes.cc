// SPDX-License-Identifier: Apache-2.0
// `ffdcctl probe list`: what observes the kernel, what it costs, and what is not to
// be seen. Fits 80 columns: it is read on consoles.
#include <algorithm>
#include <array>

#include "ctl/format.h"
#include "ctl/render.h"
#include "ctl/table.h"
#include "ctl/text.h"

namespace ffdc::ctl {
namespace {

constexpr size_t kProbesWidth = 80;
constexpr size_t kMaxDetailLines = 4;

// Only BPF programs have runs that the kernel can count.
bool IsBpf(std::string_view attached_to) {
  constexpr std::array<std::string_view, 9> kTypes{"tp_btf", "raw_tp", "tracepoint", "iter",      "fentry",
                                                   "fexit",  "kprobe", "kretprobe",  "perf_event"};
  const std::string_view type = attached_to.substr(0, attached_to.find('/'));
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

// "tp_btf/a, tp_btf/b, iter/c" -> "tp_btf/a, b, iter/c"
std::string Hooks(const std::string& attached_to) {
  std::string text;
  std::string_view rest = attached_to;
  std::string_view type;
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(", "), rest.size());
    std::string_view hook = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 2, rest.size()));
    const size_t slash = hook.find('/');
    const std::string_view of_type = slash == std::string_view::npos ? "" : hook.substr(0, slash + 1);
    if (!text.empty()) text += ", ";
    if (!of_type.empty() && of_type == type) hook.remove_prefix(of_type.size());
    type = of_type;
    text += hook;
  }
  return text;
}

// "    on        text", wrapped below itself; cut where it would fill the screen.
std::string Detail(std::string_view label, std::string_view text, Style style, bool& cut, const Page& page) {
  constexpr size_t kIndent = 4;
  constexpr size_t kLabelWidth = 9;
  if (text.empty()) return {};
  std::vector<std::string> lines = Wrap(Printable(text), kProbesWidth - kIndent - kLabelWidth - 2);
  if (lines.size() > kMaxDetailLines) {
    lines.resize(kMaxDetailLines);
    lines.back() += " …";
    cut = true;
  }
  std::string block;
  std::string start(label);
  for (const std::string& line : lines) {
    start.resize(kLabelWidth, ' ');
    block += std::string(kIndent, ' ') + page.paint.Dim(start) + page.paint(style, line) + "\n";
    start.clear();
  }
  return block;
}

std::string Details(const v1::Probe& probe, bool& cut, const Page& page) {
  std::vector<std::string> counted;
  for (const v1::Loss& counter : probe.counters()) {
    if (counter.count() > 0) counted.push_back(counter.what() + " " + FormatCount(counter.count()));
  }
  const Style style = probe.active() || probe.idle() ? Style::kPlain : Style::kYellow;
  return Detail("on", probe.active() ? Hooks(probe.attached_to()) : "", Style::kDim, cut, page) +
         Detail(probe.active() ? "without" : "because", probe.reason(), style, cut, page) +
         Detail("counted", Joined(counted, ", "), Style::kPlain, cut, page);
}

Cell State(const v1::Probe& probe) {
  if (probe.active()) return {"active", Style::kGreen};
  return probe.idle() ? Cell("idle", Style::kDim) : Cell("inactive", Style::kYellow);
}

// What cannot see stands last, where the screen ends.
int Place(const v1::Probe& probe) { return probe.active() ? 0 : probe.idle() ? 1 : 2; }

std::string RunsNote(const v1::ProbeList& probes) {
  if (probes.measured_ns() != 0) return "RUNS and NS/RUN are of " + FormatSpan(probes.measured_ns()) + ".";
  if (probes.runs_counted()) return "RUNS are counted since the programs were loaded.";
  return "RUNS are not being counted: `ffdcctl probe list --measure 2s` counts them.";
}

}  // namespace

std::string RenderProbes(const v1::ProbeList& probes, const Page& page) {
  std::vector<const v1::Probe*> ordered;
  for (const v1::Probe& probe : probes.probes()) ordered.push_back(&probe);
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const v1::Probe* a, const v1::Probe* b) { return Place(*a) < Place(*b); });
  Table table({{"PROBE", Align::kLeft, 12},
               {"STATE"},
               {"RUNS", Align::kRight},
               {"NS/RUN", Align::kRight},
               {"RECORDS", Align::kRight},
               {"LOST", Align::kRight}});
  for (const v1::Probe* probe : ordered) {
    const bool counted = probes.runs_counted() && IsBpf(probe->attached_to());
    table.Add({{probe->name(), Style::kBold},
               State(*probe),
               counted ? FormatCount(probe->runs()) : "-",
               counted && probe->runs() > 0 ? FormatCount(probe->run_time_ns() / probe->runs()) : "-",
               FormatCount(probe->records()),
               {FormatCount(probe->drops()), probe->drops() > 0 ? Style::kYellow : Style::kPlain}});
  }
  bool cut = false;
  std::vector<std::string> details{""};
  for (const v1::Probe* probe : ordered) details.push_back(Details(*probe, cut, page));
  std::string text = Interleave(table.Render(page.paint, 0, kProbesWidth), details);
  text += "\n" + RunsNote(probes) + "\n";
  if (cut) text += "… is cut: --json has all.\n";
  return text;
}

}  // namespace ffdc::ctl
