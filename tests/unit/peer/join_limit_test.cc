// SPDX-License-Identifier: Apache-2.0
#include "peer/join_limit.h"

#include <gtest/gtest.h>

namespace ffdc {
namespace {

TEST(JoinLimitTest, TenFailuresOfOneAddressAreEnoughForAMinute) {
  JoinLimit limit;
  constexpr uint64_t kNow = 1'000'000'000'000;
  for (uint32_t i = 0; i < JoinLimit::kTries; ++i) {
    const std::string from = "ipv4:10.0.0.1:" + std::to_string(40000 + i);
    EXPECT_TRUE(limit.Allows(from, kNow));
    limit.Refused(from, kNow);
  }
  EXPECT_FALSE(limit.Allows("ipv4:10.0.0.1:50000", kNow));
  EXPECT_TRUE(limit.Allows("ipv4:10.0.0.2:50000", kNow));
  EXPECT_FALSE(limit.Allows("ipv4:10.0.0.1:50000", kNow + JoinLimit::kWindowNs - 1));
  EXPECT_TRUE(limit.Allows("ipv4:10.0.0.1:50000", kNow + JoinLimit::kWindowNs));
}

TEST(JoinLimitTest, ManyAddressesDoNotHelp) {
  JoinLimit limit;
  for (uint32_t i = 0; i < JoinLimit::kTriesOfAll; ++i)
    limit.Refused("ipv6:[fd00::" + std::to_string(i) + "]:1", 1);
  EXPECT_FALSE(limit.Allows("ipv6:[fd00::ffff]:1", 1));
}

}  // namespace
}  // namespace ffdc
