// SPDX-License-Identifier: Apache-2.0
// event list, event watch
#include <ostream>

#include "ctl/commands.h"
#include "ctl/show.h"

namespace ffdc::ctl {

Result<> ListEvents(const Context& context, uint32_t limit) {
  v1::ListEventsRequest request;
  request.set_limit(limit);
  return Show(context, "cannot list the events", &v1::Control::Stub::ListEvents, RenderEvents, request);
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
      context.out << RenderEventLine(event, context.page) << std::flush;
    }
  }
  const grpc::Status status = stream->Finish();
  if (status.ok()) return Fail("cannot watch the events any longer: the agent is stopping", kUnreachable);
  return Unexpected(client->ToError(status, "cannot watch the events"));
}

}  // namespace ffdc::ctl
