// SPDX-License-Identifier: Apache-2.0
// Replies of the agent as pages of at most 100 columns. Pure: text in, text out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/style.h"
#include "ffdc/v1/control.pb.h"

namespace ffdc::ctl {

struct Page {
  Painter paint{false};
  int64_t now_wall_ns = 0;
};

std::string RenderStatus(const v1::Status& status, const Page& page);
std::string RenderStoreStatus(const v1::Status& status, const Page& page);
std::string RenderStoreList(const v1::StoreProgress& list, const Page& page);
std::string RenderProbes(const v1::ProbeList& probes, const Page& page);
std::string RenderConfig(const v1::Config& config, const Page& page);
std::string RenderEvents(const v1::EventList& events, const Page& page);
std::string RenderEventLine(const v1::Event& event, const Page& page);
std::string RenderNewsLine(const v1::News& news, const Page& page);
std::string RenderResources(const v1::ResourceList& resources, const Page& page);
std::string RenderNodes(const v1::NodeList& nodes, const Page& page);
std::string RenderCluster(const v1::ClusterView& view, const Page& page);
std::string RenderIncidents(const v1::IncidentList& incidents, const Page& page);
std::string RenderIncident(const v1::IncidentDetail& detail, const Page& page);

// Parts of an incident's page: what happened in the order of time, and who waits.
std::string Chain(const v1::Incident& incident, const Page& page);
std::string Waiters(const v1::Incident& incident, const Page& page);  // empty: nobody
// Its events in the order of time.
std::vector<const v1::Event*> InOrder(const v1::Incident& incident);

// "! problem", or that all is well.
std::string ProblemLines(const google::protobuf::RepeatedPtrField<std::string>& problems, const Page& page);
std::string Heading(std::string_view title, const Page& page);
// "  label      text", wrapped under itself.
std::string Field(std::string_view label, std::string_view text);
// "  name: text", wrapped with a hanging indent.
std::string Note(std::string_view name, std::string_view text, Style style, const Page& page);
std::string Losses(const google::protobuf::RepeatedPtrField<v1::Loss>& losses, const Page& page);
// Losses without a count: what this host does not have. Empty: none.
std::string Notes(const google::protobuf::RepeatedPtrField<v1::Loss>& losses, const Page& page);
// Nodes that did not answer, one a line; empty: all did.
std::string Unanswered(const google::protobuf::RepeatedPtrField<std::string>& nodes, const Page& page);
// Below each line of `table`, its header too, the block that belongs to it.
std::string Interleave(std::string_view table, const std::vector<std::string>& blocks);
std::string Joined(const std::vector<std::string>& parts, std::string_view separator);

}  // namespace ffdc::ctl
