// SPDX-License-Identifier: Apache-2.0
// event list, event watch
#include <ostream>

#include "ctl/commands.h"
#include "ctl/render.h"

namespace ffdc::ctl {

Result<> ListEvents(const Context& context, uint32_t limit) {
  FFDC_ASSIGN(const auto client, context.Connect());
  v1::ListEventsRequest request;
  request.set_limit(limit);
  FFDC_ASSIGN(const v1::EventList events,
              client->Call(&v1::Control::Stub::ListEvents, request, "cannot list the events"));
  if (context.json) return context.PrintJson(events);
  context.out << RenderEvents(events, {context.paint, context.now_wall_ns});
  return {};
}

Result<> WatchEvents(const Context& context) {
  FFDC_ASSIGN(const auto client, context.Connect());
  grpc::ClientContext call;
  const auto stream = client->stub().WatchEvents(&call, {});
  v1::Event event;
  while (stream->Read(&event)) {
    if (context.json) {
      FFDC_TRY(context.PrintJson(event, true));
    } else {
      context.out << RenderEventLine(event, {context.paint, context.now_wall_ns}) << std::flush;
    }
  }
  const grpc::Status status = stream->Finish();
  if (status.ok()) return Fail("cannot watch the events any longer: the agent is stopping", kUnreachable);
  return Unexpected(client->ToError(status, "cannot watch the events"));
}

}  // namespace ffdc::ctl
