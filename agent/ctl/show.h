// SPDX-License-Identifier: Apache-2.0
// What most commands do: ask once, and print the reply.
#pragma once

#include <chrono>
#include <ostream>
#include <string>
#include <string_view>

#include "ctl/context.h"

namespace ffdc::ctl {

template <class Request, class Reply>
Result<> Show(const Context& context, std::string_view what,
              grpc::Status (v1::Control::Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
              std::string (*render)(const Reply&, const Page&), const Request& request = {},
              std::chrono::seconds limit = kReadLimit) {
  FFDC_ASSIGN(const auto client, context.Connect());
  FFDC_ASSIGN(const Reply reply, client->Call(method, request, what, limit));
  if (context.json) return context.PrintJson(reply);
  context.out << render(reply, context.page);
  return {};
}

}  // namespace ffdc::ctl
