// SPDX-License-Identifier: Apache-2.0
// The command line: options in, exit code out.
#pragma once

#include <string>

namespace ffdc::ctl {

enum ExitCode : int { kSuccess = 0, kFailure = 1, kUsage = 2, kAgentUnreachable = 3 };

int Run(int argc, char** argv, const std::string& version);

}  // namespace ffdc::ctl
