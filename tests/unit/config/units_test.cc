// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <limits>

#include "config/settings.h"

namespace ffdc {
namespace {

using std::chrono::nanoseconds;

int64_t Ns(std::string_view text) {
  const auto value = ParseDuration(text);
  EXPECT_TRUE(value) << text << ": " << value.error().message;
  return value ? value->count() : -1;
}

uint64_t Bytes(std::string_view text) {
  const auto value = ParseSize(text);
  EXPECT_TRUE(value) << text << ": " << value.error().message;
  return value ? *value : 0;
}

TEST(Duration, ReadsUnits) {
  EXPECT_EQ(Ns("60s"), 60'000'000'000);
  EXPECT_EQ(Ns("500ms"), 500'000'000);
  EXPECT_EQ(Ns("1h30m"), 5'400'000'000'000);
  EXPECT_EQ(Ns("2d"), 172'800'000'000'000);
  EXPECT_EQ(Ns("1s1ns"), 1'000'000'001);
  EXPECT_EQ(Ns("7us"), 7'000);
  EXPECT_EQ(Ns("0s"), 0);
  EXPECT_EQ(Ns("9223372036854775807ns"), std::numeric_limits<int64_t>::max());
}

TEST(Duration, RefusesWhatIsNotOne) {
  for (const char* text : {"", "s", "60", "-1s", "+1s", "1.5s", " 60s", "60s ", "60 s", "1m1h", "1s1s", "1x",
                           "1S", "9223372036854775808ns", "99999999999999999999s", "106752d"}) {
    EXPECT_FALSE(ParseDuration(text)) << text;
  }
}

TEST(Duration, ErrorNamesTheUnit) {
  EXPECT_EQ(ParseDuration("60sec").error().message,
            "\"60sec\" is not a duration: unknown unit 'sec': use d, h, m, s, ms, us or ns");
  EXPECT_EQ(ParseDuration("60").error().message,
            "\"60\" is not a duration: a number needs a unit: d, h, m, s, ms, us or ns");
}

TEST(Duration, FormatReadsBackTheSame) {
  EXPECT_EQ(FormatDuration(nanoseconds(60'000'000'000)), "60s");
  EXPECT_EQ(FormatDuration(nanoseconds(0)), "0s");
  EXPECT_EQ(FormatDuration(nanoseconds(5'400'000'000'000)), "90m");
  EXPECT_EQ(FormatDuration(nanoseconds(172'800'000'000'000)), "2d");
  for (const int64_t value : {int64_t{1}, int64_t{999}, int64_t{1'500'000}, int64_t{1'000'000'000},
                              int64_t{3'600'000'000'001}, std::numeric_limits<int64_t>::max()}) {
    EXPECT_EQ(Ns(FormatDuration(nanoseconds(value))), value);
  }
}

TEST(Size, ReadsUnits) {
  EXPECT_EQ(Bytes("2GiB"), 2ull << 30);
  EXPECT_EQ(Bytes("8MB"), 8'000'000u);
  EXPECT_EQ(Bytes("512KiB"), 512u << 10);
  EXPECT_EQ(Bytes("1kB"), 1000u);
  EXPECT_EQ(Bytes("0B"), 0u);
  EXPECT_EQ(Bytes("18446744073709551615B"), std::numeric_limits<uint64_t>::max());
}

TEST(Size, RefusesWhatIsNotOne) {
  for (const char* text : {"", "B", "8", "-8B", "1.5GiB", "8 MiB", "8MiBs", "8MiB8KiB", "8mib", "16777216TiB",
                           "18446744073709551616B"}) {
    EXPECT_FALSE(ParseSize(text)) << text;
  }
}

TEST(Size, FormatReadsBackTheSame) {
  EXPECT_EQ(FormatSize(2ull << 30), "2GiB");
  EXPECT_EQ(FormatSize(1), "1B");
  EXPECT_EQ(FormatSize(0), "0B");
  for (const uint64_t value : {uint64_t{1023}, uint64_t{1024}, uint64_t{1} << 40, uint64_t{1'500'000},
                               std::numeric_limits<uint64_t>::max()}) {
    EXPECT_EQ(Bytes(FormatSize(value)), value);
  }
}

}  // namespace
}  // namespace ffdc
