// SPDX-License-Identifier: Apache-2.0
// Ctrl-C, for commands that have something to clean up.
#pragma once

namespace ffdc::ctl {

// From now on SIGINT and SIGTERM are noted instead of ending the process, and SIGPIPE does not end it.
void CatchInterrupt();
bool Interrupted();

}  // namespace ffdc::ctl
