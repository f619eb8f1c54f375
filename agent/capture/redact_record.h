// SPDX-License-Identifier: Apache-2.0
// Redaction of what describes a capture: its incident and its manifest.
#pragma once

#include <google/protobuf/message.h>

#include <memory>
#include <string>

#include "base/result.h"
#include "capture/redactor.h"

namespace ffdc {

// Of an incident or a manifest: what people and devices said, and by what names and addresses they go. What
// the cluster works with stays: ids of events and incidents, nodes, kinds, names of files and collectors,
// checksums, times, numbers.
void RedactRecord(Redactor& redactor, google::protobuf::Message* record);

// rules: their text, which was checked; empty: nullptr.
Result<std::unique_ptr<Redactor>> MakeRedactor(const std::string& rules);

}  // namespace ffdc
