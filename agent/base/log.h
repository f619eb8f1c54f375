// SPDX-License-Identifier: Apache-2.0
// Logging through spdlog: to the journal when systemd reads stderr
// (JOURNAL_STREAM is set), else human-readable lines on stderr.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

#include "base/result.h"

namespace ffdc {

// level: "debug", "info", "warning", "error".
Result<> InitLog(const std::string& level);

}  // namespace ffdc
