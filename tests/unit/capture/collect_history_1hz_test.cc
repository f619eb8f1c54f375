// SPDX-License-Identifier: Apache-2.0
#include "capture/history_decoder.h"
#include "collect_fixture.h"

namespace ffdc {
namespace {

struct Sample {
  uint64_t mono_ns;
  HistoryValues values;
};

class History1HzTest : public CollectTest {
 protected:
  ~History1HzTest() override { SetHistoryDecoder(nullptr); }

  Result<> Collect(const std::vector<Sample>& samples, const std::string& error = {}) {
    SetHistoryDecoder([&](std::string_view encoded, const HistorySink& sink) -> Result<> {
      EXPECT_EQ(encoded, "encoded");
      for (const Sample& sample : samples) {
        sink(sample.mono_ns, static_cast<int64_t>(sample.mono_ns) + 1'700'000'000'000'000'000, sample.values);
      }
      if (!error.empty()) return Fail(error);
      return {};
    });
    const Fd memfd = Memfd("encoded", 7);
    return RunRegistered("history_1hz", {memfd.get()});
  }
};

TEST_F(History1HzTest, FirstLineIsWholeLaterOnesAreChanges) {
  ASSERT_TRUE(Collect({{1, {{"a", 1}, {"b", -2}}}, {2, {{"a", 1}, {"b", 3}, {"c", 4}}}, {3, {{"c", 4}}}}));
  const auto lines = Lines("history.jsonl");
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_STREQ(lines[0]["format"].GetString(), "ffdc-history-1");
  EXPECT_EQ(lines[1]["values"].MemberCount(), 2u);
  EXPECT_EQ(lines[1]["values"]["b"].GetInt64(), -2);
  EXPECT_EQ(lines[1]["time_ns"].GetUint64(), 1u);
  EXPECT_STREQ(lines[1]["wall"].GetString(), "2023-11-14T22:13:20.000000001Z");
  EXPECT_EQ(lines[2]["values"].MemberCount(), 2u);
  EXPECT_EQ(lines[2]["values"]["b"].GetInt64(), 3);
  EXPECT_EQ(lines[2]["values"]["c"].GetInt64(), 4);
  EXPECT_EQ(lines[3]["values"].MemberCount(), 2u);
  EXPECT_TRUE(lines[3]["values"]["a"].IsNull());
  EXPECT_TRUE(lines[3]["values"]["b"].IsNull());
}

TEST_F(History1HzTest, TheCapKeepsTheNewestAndStartsWhole) {
  std::vector<Sample> samples;
  for (uint64_t i = 1; i <= 1000; ++i) {
    samples.push_back({i, {{"constant", 5}, {"counter", static_cast<int64_t>(i)}}});
  }
  job_.set_collector_max_bytes(20'000);
  ASSERT_TRUE(Collect(samples));
  const auto lines = Lines("history.jsonl");
  ASSERT_GT(lines.size(), 50u);
  EXPECT_EQ(lines[1]["values"]["constant"].GetInt64(), 5);
  EXPECT_EQ(lines.back()["time_ns"].GetUint64(), 1000u);
  ASSERT_NE(FindLoss("history_1hz.cut"), nullptr);
  EXPECT_EQ(FindLoss("history_1hz.cut")->count(), 1000 - (lines.size() - 1));
}

TEST_F(History1HzTest, WhatCouldBeReadIsKept) {
  const auto result = Collect({{1, {{"a", 1}}}}, "byte 7 is wrong");
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("byte 7 is wrong"), std::string::npos);
  EXPECT_EQ(Lines("history.jsonl").size(), 2u);
}

TEST_F(History1HzTest, NoHistoryIsNamed) {
  ASSERT_TRUE(RunRegistered("history_1hz"));
  EXPECT_NE(FindLoss("history_1hz.unavailable"), nullptr);
  EXPECT_EQ(Lines("history.jsonl").size(), 1u);
}

}  // namespace
}  // namespace ffdc
