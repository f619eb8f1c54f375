// SPDX-License-Identifier: Apache-2.0
// What every command gets: the global options and where to write.
#pragma once

#include <google/protobuf/message.h>

#include <iosfwd>
#include <memory>
#include <string>

#include "base/result.h"
#include "ctl/client.h"
#include "ctl/render.h"

namespace ffdc::ctl {

struct Context {
  std::string socket;
  bool json = false;
  Page page;
  std::ostream& out;

  [[nodiscard]] Result<std::unique_ptr<Client>> Connect() const { return Client::Connect(socket); }
  // proto3 JSON, snake_case names, fields at their default included: consumers find every field.
  [[nodiscard]] Result<> PrintJson(const google::protobuf::Message& message, bool compact = false) const;
};

}  // namespace ffdc::ctl
