// SPDX-License-Identifier: Apache-2.0
// Named places where a test may kill the whole agent (its process group, by
// SIGKILL) to prove that a crash there loses nothing: FFDC_CRASH_AT=<name> in
// the agent's environment. Every name is listed in crash_point.cc; the test
// sweeps over that list (`ffdcd --list-crash-points`), so a new point is tested
// by being added.
#pragma once

#include <span>
#include <string_view>

namespace ffdc {

void CrashPoint(std::string_view name);
std::span<const std::string_view> AllCrashPoints();

}  // namespace ffdc
