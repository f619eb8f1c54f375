// SPDX-License-Identifier: Apache-2.0
// The programs that only failures reach, on the running kernel: those whose hooks it
// has are at work, the others say what is missing.
#include <gtest/gtest.h>

#include "probe/fault_probes.h"

namespace ffdc {
namespace {

TEST(FaultSets, EachIsActiveOrSaysWhyNot) {
  const auto probes = FaultProbes::Start(AllFaultSets(), [](const ffdc_record_header&) {});
  for (const v1::Probe& probe : probes->Status()) {
    if (probe.active()) continue;
    EXPECT_NE(probe.reason().find("not in this kernel"), std::string::npos) << probe.name() << probe.reason();
  }
}

TEST(FaultSets, RequeuesAreCountedOnEveryKernel) {
  const auto probes = FaultProbes::Start(AllFaultSets(), [](const ffdc_record_header&) {});
  bool found = false;
  for (const v1::Probe& probe : probes->Status()) {
    if (probe.name() != "requeue") continue;
    found = true;
    EXPECT_TRUE(probe.active()) << probe.reason();
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace ffdc
