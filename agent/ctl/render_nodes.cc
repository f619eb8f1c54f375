// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "ctl/format.h"
#include "ctl/render.h"
#include "ctl/table.h"
#include "ctl/text.h"

namespace ffdc::ctl {
namespace {

Cell StateCell(const v1::Node& node) {
  switch (node.state()) {
    case v1::ALIVE:
      return {node.is_self() ? "alive, this node" : "alive", Style::kGreen};
    case v1::UNREACHABLE:
      return {"unreachable", Style::kRed};
    case v1::NODE_FAILED:
      return {"failed", Style::kRed};
    case v1::STOPPED:
      return {"stopped", Style::kDim};
    default:
      return {"unknown", Style::kYellow};
  }
}

// "+1.2 ms ± 80 us"
std::string ClockText(const v1::Node& node) {
  if (node.clock_uncertainty_ns() == 0) return "-";
  const auto apart = static_cast<uint64_t>(std::llabs(node.clock_offset_ns()));
  return (node.clock_offset_ns() < 0 ? "-" : "+") + FormatSpan(apart) + " ± " +
         FormatSpan(node.clock_uncertainty_ns());
}

}  // namespace

std::string RenderNodes(const v1::NodeList& nodes, const Page& page) {
  Table table({{"NODE", Align::kLeft, 10},
               {"STATE"},
               {"ROLE"},
               {"ADDRESS", Align::kLeft, 12},
               {"ROUND TRIP", Align::kRight},
               {"CLOCK", Align::kRight},
               {"VERSION"}});
  std::string errors;
  for (const v1::Node& node : nodes.nodes()) {
    table.Add({node.name(), StateCell(node), node.is_primary() ? "primary" : "",
               node.address().empty() ? "-" : node.address(),
               node.round_trip_ns() == 0 ? "-" : FormatSpan(node.round_trip_ns()), ClockText(node),
               node.version()});
    if (!node.error().empty() && node.state() != v1::ALIVE)
      errors += Note(node.name(), node.error(), Style::kRed, page);
  }
  std::string text = table.Render(page.paint) + errors;
  if (!nodes.note().empty()) text += Field("note", nodes.note());
  return text;
}

std::string Unanswered(const google::protobuf::RepeatedPtrField<std::string>& nodes, const Page& page) {
  std::string text;
  for (const std::string& node : nodes) {
    text += page.paint(Style::kYellow, "no answer from " + Printable(node)) + "\n";
  }
  return text;
}

}  // namespace ffdc::ctl
