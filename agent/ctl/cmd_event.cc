// SPDX-License-Identifier: Apache-2.0
// event list, event watch, watch
#include <ostream>

#include "ctl/commands.h"
#include "ctl/show.h"

namespace ffdc::ctl {

Result<> ListEvents(const Context& context, uint32_t limit) {
  v1::ListEventsRequest request;
  request.set_limit(limit);
  return Show(context, "cannot list the events", &v1::Control::Stub::ListEvents, RenderEvents, request);
}

namespace {

// Prints what comes, until the agent ends it.
template <class Item>
Result<> PrintStream(const Context& context, const Client& client, grpc::ClientReader<Item>& stream,
                     std::string (*render)(const Item&, const Page&), const std::string& what) {
  Item item;
  while (stream.Read(&item)) {
    if (context.json) {
      FFDC_TRY(context.PrintJson(item, true));
    } else {
      context.out << render(item, context.page) << std::flush;
    }
  }
  const grpc::Status status = stream.Finish();
  if (status.ok()) return Fail("cannot watch " + what + " any longer: the agent is stopping", kUnreachable);
  return Unexpected(client.ToError(status, "cannot watch " + what));
}

}  // namespace

Result<> WatchEvents(const Context& context) {
  FFDC_ASSIGN(const auto client, context.Connect());
  grpc::ClientContext call;
  const auto stream = client->stub().WatchEvents(&call, {});
  return PrintStream(context, *client, *stream, RenderEventLine, "the events");
}

Result<> WatchCluster(const Context& context, const std::vector<std::string>& kinds,
                      const std::vector<std::string>& subjects, const std::string& min_severity) {
  v1::WatchClusterRequest request;
  for (const std::string& kind : kinds) request.add_kinds(kind);
  for (const std::string& subject : subjects) request.add_subjects(subject);
  if (min_severity == "warning") request.set_min_severity(v1::WARNING);
  if (min_severity == "critical") request.set_min_severity(v1::CRITICAL);
  FFDC_ASSIGN(const auto client, context.Connect());
  grpc::ClientContext call;
  const auto stream = client->stub().WatchCluster(&call, request);
  return PrintStream(context, *client, *stream, RenderNewsLine, "the cluster");
}

}  // namespace ffdc::ctl
