// SPDX-License-Identifier: Apache-2.0
#include "config/nearest.h"

#include <gtest/gtest.h>

#include <array>

namespace ffdc {
namespace {

TEST(EditDistance, CountsEdits) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("abc", ""), 3u);
  EXPECT_EQ(EditDistance("include", "include"), 0u);
  EXPECT_EQ(EditDistance("inclde", "include"), 1u);
  EXPECT_EQ(EditDistance("inlcude", "include"), 1u) << "a swap is one edit";
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
}

TEST(Nearest, PicksTheClosestOrNothing) {
  constexpr std::array<std::string_view, 3> kNames{"include", "exclude", "url"};
  EXPECT_EQ(Nearest("inclde", kNames), "include");
  EXPECT_EQ(Nearest("excluded", kNames), "exclude");
  EXPECT_EQ(Nearest("completely_else", kNames), "");
  EXPECT_EQ(Nearest("x", {}), "");
}

}  // namespace
}  // namespace ffdc
