// SPDX-License-Identifier: Apache-2.0
// The decoder of the 1 Hz history belongs to the probes, which this stage does
// not know: daemon.cc hands it in before it forks the launcher.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace ffdc {

// One sample: name -> value pairs, sorted by name.
using HistoryValues = std::vector<std::pair<std::string, int64_t>>;
using HistorySink = std::function<void(uint64_t mono_ns, int64_t wall_ns, const HistoryValues& values)>;
// Calls the sink per sample, oldest first; what is malformed is an error.
using HistoryDecoder = std::function<Result<>(std::string_view encoded, const HistorySink& sink)>;

void SetHistoryDecoder(HistoryDecoder decoder);

}  // namespace ffdc
