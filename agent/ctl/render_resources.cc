// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "ctl/format.h"
#include "ctl/render.h"
#include "ctl/table.h"

namespace ffdc::ctl {
namespace {

Cell StateCell(const v1::Resource& resource) {
  switch (resource.state()) {
    case v1::RESOURCE_NORMAL:
      return {"normal", Style::kGreen};
    case v1::RESOURCE_WARNING:
      return {"warning", Style::kYellow};
    case v1::RESOURCE_CRITICAL:
      return {"critical", Style::kRed};
    case v1::RESOURCE_UNREACHABLE:
      return {"unreachable", Style::kRed};
    default:
      return {"unknown", Style::kYellow};
  }
}

std::string Amount(const v1::Resource& resource, uint64_t value) {
  if (!resource.has_sampled_at()) return "-";
  return resource.unit() == "bytes" ? FormatBytes(value) : FormatCount(value);
}

}  // namespace

std::string RenderResources(const v1::ResourceList& resources, const Page& page) {
  if (resources.resources().empty()) return "nothing is watched, or nothing was looked at yet\n";
  std::vector<const v1::Resource*> sorted;
  for (const v1::Resource& resource : resources.resources()) sorted.push_back(&resource);
  std::stable_sort(sorted.begin(), sorted.end(), [](const v1::Resource* a, const v1::Resource* b) {
    return std::pair(a->state(), a->used_percent()) > std::pair(b->state(), b->used_percent());
  });
  Table table({{"NAME", Align::kLeft, 12},
               {"TYPE"},
               {"OF"},
               {"USED", Align::kRight},
               {"TOTAL", Align::kRight},
               {"%", Align::kRight},
               {"STATE"},
               {"LIMITS"},
               {"SAMPLED", Align::kRight}});
  std::string errors;
  for (const v1::Resource* resource : sorted) {
    const bool sampled = resource->has_sampled_at();
    table.Add(
        {resource->name(),
         resource->filesystem_type().empty() ? resource->type() : resource->filesystem_type(),
         resource->resource(), Amount(*resource, resource->used()), Amount(*resource, resource->total()),
         sampled ? std::to_string(resource->used_percent()) : "-", StateCell(*resource),
         std::to_string(resource->raise_percent()) + "/" + std::to_string(resource->critical_percent()) +
             "/" + std::to_string(resource->clear_percent()),
         sampled ? FormatAge(page.now_wall_ns, WallNs(resource->sampled_at())) : "never"});
    if (!resource->error().empty()) errors += Note(resource->name(), resource->error(), Style::kRed, page);
  }
  return table.Render(page.paint) + errors;
}

}  // namespace ffdc::ctl
