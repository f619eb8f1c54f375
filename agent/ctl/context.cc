// SPDX-License-Identifier: Apache-2.0
#include "ctl/context.h"

#include <google/protobuf/util/json_util.h>

#include <ostream>

namespace ffdc::ctl {

Result<> Context::PrintJson(const google::protobuf::Message& message, bool compact) const {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = !compact;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
  if (!status.ok()) return Fail("cannot write the reply as JSON: " + status.ToString());
  out << text << (compact ? "\n" : "") << std::flush;
  return {};
}

}  // namespace ffdc::ctl
