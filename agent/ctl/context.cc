// SPDX-License-Identifier: Apache-2.0
#include "ctl/context.h"

#include <ostream>

#include "base/proto_json.h"

namespace ffdc::ctl {

Result<> Context::PrintJson(const google::protobuf::Message& message, bool compact) const {
  const JsonStyle style = compact ? JsonStyle::kCompact : JsonStyle::kPretty;
  FFDC_ASSIGN(const std::string text, ToJson(message, style, JsonDefaults::kPrinted));
  out << text << (compact ? "\n" : "") << std::flush;
  return {};
}

}  // namespace ffdc::ctl
