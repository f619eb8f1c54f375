// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

namespace ffdc {

// The calling thread, and those that it starts later, go before others that want the CPU. Needs CAP_SYS_NICE.
Result<> TakePrecedence();

}  // namespace ffdc
