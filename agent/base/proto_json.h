// SPDX-License-Identifier: Apache-2.0
// Messages as proto3 JSON with snake_case names: what is written to the spool and the store,
// fields at their default left out, and what `--json` prints, with every field.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace ffdc {

enum class JsonStyle { kPretty, kCompact };
enum class JsonDefaults { kLeftOut, kPrinted };

// Pretty JSON ends with a newline, compact JSON is one line without it.
Result<std::string> ToJson(const google::protobuf::Message& message, JsonStyle style = JsonStyle::kPretty,
                           JsonDefaults defaults = JsonDefaults::kLeftOut);
// Fields that this version does not know are ignored: a newer agent may have written them.
// On an error the message's content is unspecified.
Result<> FromJson(std::string_view text, google::protobuf::Message* message);

// Replaces what is not UTF-8 in every string field by '?'. Names from the kernel
// (cgroups, devices, files) are bytes; a message with such a string in it can be
// written but never be read again.
void ScrubUtf8(google::protobuf::Message* message);

}  // namespace ffdc
