// SPDX-License-Identifier: Apache-2.0
// status, probe list, config show
#include <ostream>

#include "ctl/commands.h"
#include "ctl/render.h"

namespace ffdc::ctl {
namespace {

template <class Request, class Reply>
Result<> Show(const Context& context, std::string_view what,
              grpc::Status (v1::Control::Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
              std::string (*render)(const Reply&, const Page&)) {
  FFDC_ASSIGN(const auto client, context.Connect());
  FFDC_ASSIGN(const Reply reply, client->Call(method, Request(), what));
  if (context.json) return context.PrintJson(reply);
  context.out << render(reply, {context.paint, context.now_wall_ns});
  return {};
}

}  // namespace

Result<> ShowStatus(const Context& context) {
  return Show(context, "cannot read the agent's status", &v1::Control::Stub::GetStatus, RenderStatus);
}

Result<> ListProbes(const Context& context) {
  return Show(context, "cannot list the probes", &v1::Control::Stub::ListProbes, RenderProbes);
}

Result<> ShowConfig(const Context& context) {
  return Show(context, "cannot read the agent's configuration", &v1::Control::Stub::GetConfig, RenderConfig);
}

}  // namespace ffdc::ctl
