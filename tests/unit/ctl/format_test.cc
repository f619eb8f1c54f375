// SPDX-License-Identifier: Apache-2.0
#include "ctl/format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace ffdc::ctl {
namespace {

using testing::ElementsAre;

constexpr int64_t kSecond = 1'000'000'000;

TEST(FormatBytes, UsesTheUnitThatFits) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1024), "1.0 KiB");
  EXPECT_EQ(FormatBytes(1'258'291), "1.2 MiB");
  EXPECT_EQ(FormatBytes((1u << 20) - 1), "1.0 MiB") << "not 1024.0 KiB";
  EXPECT_EQ(FormatBytes(2ull << 30), "2.0 GiB");
  EXPECT_EQ(FormatBytes(std::numeric_limits<uint64_t>::max()), "16384.0 PiB");
}

TEST(FormatSpan, ThreeDigitsThenUnits) {
  EXPECT_EQ(FormatSpan(0), "0 ns");
  EXPECT_EQ(FormatSpan(850), "850 ns");
  EXPECT_EQ(FormatSpan(1'230), "1.23 µs");
  EXPECT_EQ(FormatSpan(1'230'000), "1.23 ms");
  EXPECT_EQ(FormatSpan(12'340'000), "12.3 ms");
  EXPECT_EQ(FormatSpan(310'000'000), "310 ms");
  EXPECT_EQ(FormatSpan(999'999), "1.00 ms") << "not 1000 µs";
  EXPECT_EQ(FormatSpan(999'999'999), "1.00 s") << "not 1000 ms";
  EXPECT_EQ(FormatSpan(2'500'000'000), "2.50 s");
  EXPECT_EQ(FormatSpan(200 * uint64_t{kSecond}), "3m 20s");
  EXPECT_EQ(FormatSpan(7'500 * uint64_t{kSecond}), "2h 5m");
  EXPECT_EQ(FormatSpan(99 * 3600 * uint64_t{kSecond}), "4d 3h");
}

TEST(FormatCount, GroupsDigits) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1'000), "1,000");
  EXPECT_EQ(FormatCount(1'000'000), "1,000,000");
  EXPECT_EQ(FormatPlural(1, "file", "files"), "1 file");
  EXPECT_EQ(FormatPlural(2'000, "file", "files"), "2,000 files");
}

TEST(FormatTime, IsUtc) {
  constexpr int64_t kTime = 1'763'878'320'123'456'789;
  EXPECT_EQ(FormatUtc(kTime), "2025-11-23 06:12:00.123 UTC");
  EXPECT_EQ(FormatTimeOfDay(kTime), "06:12:00.123456");
}

TEST(FormatAge, RoundsDown) {
  constexpr int64_t kNow = 1'763'878'320 * kSecond;
  EXPECT_EQ(FormatAge(kNow, kNow), "just now");
  EXPECT_EQ(FormatAge(kNow, kNow + 60 * kSecond), "just now") << "a clock that stepped back";
  EXPECT_EQ(FormatAge(kNow, kNow - 59 * kSecond), "59s ago");
  EXPECT_EQ(FormatAge(kNow, kNow - 192 * kSecond), "3m ago");
  EXPECT_EQ(FormatAge(kNow, kNow - 7'500 * kSecond), "2h 5m ago");
  EXPECT_EQ(FormatAge(kNow, kNow - 400'000 * kSecond), "4d ago");
}

TEST(ShortIds, AreUnique) {
  EXPECT_EQ(ShortId("019aaf2c-5d40-7b3e-9c11-0242ac120002"), "019aaf2c-5d40");
  EXPECT_EQ(ShortId("019a"), "019a");
  EXPECT_THAT(ShortIds({"019aaf2c-5d40-7b3e-9c11-0242ac120002", "019aaf2c-5d40-7b3f-9c11-0242ac120002",
                        "019aaf30-0a10-7c55-8a20-5f1d3e7b9a44"}),
              ElementsAre("019aaf2c-5d40-7b3e", "019aaf2c-5d40-7b3f", "019aaf30-0a10"));
  EXPECT_THAT(ShortIds({"same", "same"}), ElementsAre("same", "same"));
  EXPECT_THAT(ShortIds({}), ElementsAre());
}

TEST(Word, NamesStates) {
  EXPECT_EQ(Word(v1::CRITICAL), "CRITICAL");
  EXPECT_EQ(Word(v1::OPEN), "open");
  EXPECT_EQ(Word(v1::TIMED_OUT), "timed out");
  EXPECT_EQ(Word(v1::CAPTURE_STATE_UNSPECIFIED), "unknown");
}

TEST(FailureCount, LeavesOutWhatWasAskedFor) {
  v1::Incident incident;
  auto* event = incident.add_events();
  event->set_count(3);
  event = incident.add_events();
  event->set_count(4);
  event = incident.add_events();
  event->set_domain(v1::REQUESTED);
  event->set_count(1);
  EXPECT_EQ(FailureCount(incident), 7u);
}

}  // namespace
}  // namespace ffdc::ctl
