// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <random>

#include "capture/io_history.h"
#include "collect_fixture.h"
#include "fakes/units.h"

namespace ffdc {
namespace {

constexpr uint32_t kSdb = kSda | 16;

ffdc_io_record Record(uint64_t complete_ns, uint32_t dev = kSda, uint8_t op = 0, uint8_t status = 0,
                      uint64_t sector = 2048) {
  ffdc_io_record record{};
  record.complete_ns = complete_ns;
  record.latency_ns = 77'000;
  record.sector_op = sector | uint64_t{op} << 48 | uint64_t{status} << 56;
  record.dev = dev;
  record.len_bytes = 4096;
  return record;
}

class IoHistoryTest : public CollectTest {
 protected:
  Result<> Collect(const std::vector<std::vector<ffdc_io_record>>& segments) {
    std::vector<Fd> owned;
    std::vector<int> fds;
    for (const auto& records : segments) {
      owned.push_back(Memfd(records.data(), records.size() * sizeof(ffdc_io_record)));
      fds.push_back(owned.back().get());
    }
    return Run([&](CollectContext& context) { return CollectIoHistory(context, roots_); }, fds);
  }
  [[nodiscard]] std::vector<uint64_t> Times() const {
    std::vector<uint64_t> times;
    for (const auto& line : Lines("io-history.jsonl")) times.push_back(line["time_ns"].GetUint64());
    return times;
  }
};

TEST_F(IoHistoryTest, MergesSegmentsAndCpusByCompletionTime) {
  ASSERT_TRUE(
      Collect({{Record(10), Record(30), Record(20), Record(40)}, {Record(35), Record(15), Record(50)}}));
  EXPECT_EQ(Times(), (std::vector<uint64_t>{10, 15, 20, 30, 35, 40, 50}));
  EXPECT_EQ(context_->status().losses_size(), 0);
}

TEST_F(IoHistoryTest, NamesWhatTheKernelCountsInNumbers) {
  Link("sys/dev/block/8:0", "../../devices/pci0000:00/ata1/block/sda");
  auto odd = Record(1'000'000'000'002, kSdb, 13, 17);
  odd.latency_ns = 0;
  ASSERT_TRUE(Collect({{Record(1'000'000'000'001, kSda, 1, 10, 0xffffffffffffu), odd}}));
  const auto lines = Lines("io-history.jsonl");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(Output("io-history.jsonl").substr(0, Output("io-history.jsonl").find('\n')),
            R"({"time_ns":1000000000001,"wall":"2027-01-15T08:00:00.000000001Z","device":"sda","op":"write",)"
            R"("sector":281474976710655,"len_bytes":4096,"latency_ns":77000,"status":"I/O error"})");
  EXPECT_STREQ(lines[1]["device"].GetString(), "8:16");
  EXPECT_STREQ(lines[1]["op"].GetString(), "op 13");
  EXPECT_STREQ(lines[1]["status"].GetString(), "status 17");
  EXPECT_TRUE(lines[1]["latency_ns"].IsNull());
}

TEST_F(IoHistoryTest, WallClockGoesBeforeTheReadingAndOverSeconds) {
  ASSERT_TRUE(Collect({{Record(999'999'999'999), Record(1'000'000'000'000), Record(1'001'000'000'000)}}));
  const auto lines = Lines("io-history.jsonl");
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_STREQ(lines[0]["wall"].GetString(), "2027-01-15T07:59:59.999999999Z");
  EXPECT_STREQ(lines[1]["wall"].GetString(), "2027-01-15T08:00:00.000000000Z");
  EXPECT_STREQ(lines[2]["wall"].GetString(), "2027-01-15T08:00:01.000000000Z");
}

TEST_F(IoHistoryTest, AFullRecorderIsSortedWhole) {
  std::vector<ffdc_io_record> records;
  for (uint64_t i = 1; i <= 130'000; ++i) records.push_back(Record(i * 1000));
  std::shuffle(records.begin(), records.end(), std::mt19937(1));
  ASSERT_TRUE(Collect({records}));
  const auto times = Times();
  EXPECT_EQ(times.size(), records.size());
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
}

TEST_F(IoHistoryTest, TheCapKeepsTheNewest) {
  std::vector<ffdc_io_record> records;
  for (uint64_t i = 1; i <= 50'000; ++i) records.push_back(Record(i * 1000));
  std::shuffle(records.begin(), records.end(), std::mt19937(2));
  job_.set_collector_max_bytes(100'000);
  ASSERT_TRUE(Collect({records}));
  const auto times = Times();
  ASSERT_GT(times.size(), 100'000u / 320);
  EXPECT_EQ(times.back(), 50'000'000u);
  EXPECT_EQ(times.front(), (50'000 - times.size() + 1) * 1000);
  EXPECT_LE(Output("io-history.jsonl").size(), 100'000u);
  EXPECT_FALSE(context_->status().files(0).truncated());
  ASSERT_NE(FindLoss("io_history.cut"), nullptr);
  EXPECT_EQ(FindLoss("io_history.cut")->count(), 50'000 - times.size());
}

TEST_F(IoHistoryTest, SlotsNeverWrittenAndTornEndsAreNoRecords) {
  const ffdc_io_record records[2] = {Record(5), ffdc_io_record{}};
  const Fd memfd = Memfd(records, sizeof(records));
  ASSERT_TRUE(WriteAll(memfd.get(), "torn", "memfd"));
  ASSERT_TRUE(Run([&](CollectContext& context) { return CollectIoHistory(context, roots_); }, {memfd.get()}));
  EXPECT_EQ(Times(), std::vector<uint64_t>{5});
  ASSERT_NE(FindLoss("io_history.broken"), nullptr);
  EXPECT_EQ(FindLoss("io_history.broken")->count(), 4u);
}

TEST_F(IoHistoryTest, LastIosEndWithTheFailure) {
  std::vector<ffdc_io_record> records;
  for (uint64_t i = 1; i <= 30; ++i) records.push_back(Record(i * 10, i % 3 == 0 ? kSdb : kSda));
  records.push_back(Record(1000, kSda, 1, 7));
  records.push_back(Record(1001, kSda, 1, 7));
  job_.set_subject_dev(kSda);
  job_.set_subject_name("sda");
  job_.mutable_manifest()->set_failure_mono_ns(1000);
  ASSERT_TRUE(Collect({records}));
  const auto& last = context_->status().last_ios();
  ASSERT_EQ(last.size(), 16);
  EXPECT_EQ(last[15].time_mono_ns(), 1000u);
  EXPECT_EQ(last[15].status(), "critical medium error");
  EXPECT_EQ(last[15].op(), "write");
  EXPECT_EQ(last[14].status(), "ok");
  EXPECT_EQ(last[14].time_mono_ns(), 290u);  // 300 was the other disk's
  EXPECT_EQ(last[14].device(), "sda");
  EXPECT_EQ(last[14].time_wall_ns(), 1'800'000'000'000'000'000 - 1'000'000'000'000 + 290);
}

TEST_F(IoHistoryTest, NoHistoryIsNamed) {
  ASSERT_TRUE(Collect({}));
  EXPECT_EQ(Output("io-history.jsonl"), "");
  ASSERT_NE(FindLoss("io_history.unavailable"), nullptr);
}

TEST_F(IoHistoryTest, OneUnreadableSegmentDoesNotTakeTheOthers) {
  const ffdc_io_record record = Record(5);
  const Fd good = Memfd(&record, sizeof(record));
  ASSERT_TRUE(
      Run([&](CollectContext& context) { return CollectIoHistory(context, roots_); }, {-1, good.get()}));
  EXPECT_EQ(Times(), std::vector<uint64_t>{5});
  EXPECT_NE(FindLoss("io_history.unreadable"), nullptr);
  EXPECT_FALSE(ReadIoHistory(std::vector<int>{-1}, 10).unreadable.empty());
}

}  // namespace
}  // namespace ffdc
