// SPDX-License-Identifier: Apache-2.0
// The per-I/O flight recorder, on the running kernel: frozen by the failure
// itself, immutable, bounded, and never short of what came before.
#include "probe/flight_recorder.h"

#include "base/clock.h"
#include "bpf/block_io_fixture.h"

namespace ffdc {
namespace {

using FlightRecorderTest = BlockIoTest;

TEST_F(FlightRecorderTest, TheFailureItselfFreezesWhatCameBefore) {
  Start();
  CutAt(100);
  DirectFile device(loop_->path());
  for (uint64_t block = 0; block < 50; ++block) ASSERT_TRUE(device.Read(block));
  EXPECT_FALSE(device.Read(200));
  // Written after the freeze, before anybody asked for it.
  const uint64_t after_ns = SystemClock().MonotonicNs();
  for (uint64_t block = 50; block < 60; ++block) ASSERT_TRUE(device.Read(block));
  freeze_on_record_ = true;
  ASSERT_EQ(Records().size(), 1u);

  EXPECT_GE(frozen_.frozen_mono_ns, records_[0].header.time_ns);
  EXPECT_LE(frozen_.frozen_mono_ns, after_ns);
  const auto history = HistoryOf(frozen_, loop_->dev());
  ASSERT_EQ(history.size(), 51u);
  for (uint64_t block = 0; block < 50; ++block) {
    EXPECT_EQ(FFDC_IO_SECTOR(&history[block]), block * kSectorsABlock);
    EXPECT_EQ(FFDC_IO_OP(&history[block]), kOpRead);
    EXPECT_EQ(FFDC_IO_STATUS(&history[block]), 0);
    EXPECT_EQ(history[block].len_bytes, kBlock);
    EXPECT_GT(history[block].latency_ns, 0u);
  }
  EXPECT_EQ(FFDC_IO_STATUS(&history[50]), kStatusIoError);
  EXPECT_EQ(FFDC_IO_SECTOR(&history[50]), 200 * kSectorsABlock);
  EXPECT_EQ(history[50].complete_ns, records_[0].header.time_ns);
  EXPECT_EQ(history[50].latency_ns, records_[0].latency_ns);
}

TEST_F(FlightRecorderTest, FreezingTwiceKeepsWhatTheFirstOneTook) {
  Start();
  DirectFile device(loop_->path());
  for (uint64_t block = 0; block < 20; ++block) ASSERT_TRUE(device.Read(block));
  EXPECT_EQ(HistoryOf(probe_->Freeze(), loop_->dev()).size(), 20u);
  for (uint64_t block = 20; block < 30; ++block) ASSERT_TRUE(device.Read(block));
  EXPECT_EQ(HistoryOf(probe_->Freeze(), loop_->dev()).size(), 30u);
  for (uint64_t block = 30; block < 35; ++block) ASSERT_TRUE(device.Read(block));
  const FrozenHistory frozen = probe_->Freeze();
  const auto history = HistoryOf(frozen, loop_->dev());
  ASSERT_EQ(history.size(), 35u);
  for (uint64_t block = 0; block < 35; ++block) {
    EXPECT_EQ(FFDC_IO_SECTOR(&history[block]), block * kSectorsABlock);
  }
  uint64_t oldest_ns = 0;
  EXPECT_GE(probe_->history_records(&oldest_ns), 35u);
  EXPECT_LE(oldest_ns, history[0].complete_ns);
}

TEST_F(FlightRecorderTest, ABurstOfFreezesSharesOneHistory) {
  Start();
  StartOracle();
  DirectFile device(loop_->path());
  for (uint64_t i = 0; i < 3000; ++i) ASSERT_TRUE(device.Read(i % kBlocks));
  FrozenHistory frozen;
  for (uint64_t i = 0; i < 200; ++i) {
    ASSERT_TRUE(device.Read(i));
    frozen = probe_->Freeze();
    ASSERT_LE(frozen.segments.size(), 7u);
  }
  EXPECT_GT(oracle_->good(), 3100u);
  EXPECT_EQ(HistoryOf(frozen, loop_->dev()).size() + Status("block_io").drops(),
            oracle_->good() + oracle_->misses());
}

TEST_F(FlightRecorderTest, AFrozenSegmentCannotBeWritten) {
  Start();
  DirectFile device(loop_->path());
  ASSERT_TRUE(device.Read(0));
  const FrozenHistory frozen = probe_->Freeze();
  ASSERT_FALSE(frozen.segments.empty());
  const char byte = 0;
  EXPECT_EQ(pwrite(frozen.segments[0]->memfd.get(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, EPERM);
}

TEST_F(FlightRecorderTest, StaysWithinItsBudgetAndKeepsTheNewest) {
  BlockProbeOptions options;
  options.io_history_bytes = 64u << 10;
  Start(options);
  DirectFile device(loop_->path());
  FrozenHistory frozen;
  for (int round = 0; round < 8; ++round) {
    for (uint64_t i = 0; i < 1000; ++i) ASSERT_TRUE(device.Read(i % kBlocks));
    frozen = probe_->Freeze();
    EXPECT_LE(frozen.records * sizeof(ffdc_io_record), options.io_history_bytes);
  }
  const auto history = HistoryOf(frozen, loop_->dev());
  EXPECT_GE(history.size() * sizeof(ffdc_io_record), options.io_history_bytes / 4);
  // Without a gap up to the very last one.
  for (size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(FFDC_IO_SECTOR(&history[history.size() - 100 + i]), (900 + i) * kSectorsABlock);
  }
}

TEST_F(FlightRecorderTest, RearmKeepsAHistoryThatNobodyTook) {
  Start();
  CutAt(100);
  DirectFile device(loop_->path());
  for (uint64_t block = 0; block < 20; ++block) ASSERT_TRUE(device.Read(block));
  EXPECT_FALSE(device.Read(200));
  probe_->Rearm();
  ASSERT_TRUE(device.Read(20));
  EXPECT_FALSE(device.Write(5000));  // past the device's end: never becomes a request
  EXPECT_EQ(HistoryOf(probe_->Freeze(), loop_->dev()).size(), 22u);
}

TEST_F(FlightRecorderTest, AFreezeThatNobodyWantedIsKeptAndTheNextFailureFreezesAgain) {
  Start();
  CutAt(100);
  DirectFile device(loop_->path());
  for (uint64_t block = 0; block < 20; ++block) ASSERT_TRUE(device.Read(block));
  EXPECT_FALSE(device.Read(200));
  ASSERT_EQ(Records().size(), 1u);
  for (uint64_t block = 20; block < 30; ++block) ASSERT_TRUE(device.Read(block));
  Rewatch(loop_->dev());
  freeze_on_record_ = true;
  EXPECT_FALSE(device.Read(201));
  for (uint64_t block = 30; block < 40; ++block) ASSERT_TRUE(device.Read(block));
  ASSERT_EQ(Records().size(), 2u);
  EXPECT_EQ(records_[1].flags, FFDC_ERROR_FIRST | FFDC_ERROR_FROZE);
  const auto history = HistoryOf(frozen_, loop_->dev());
  ASSERT_EQ(history.size(), 32u);
  EXPECT_EQ(FFDC_IO_SECTOR(&history[31]), 201 * kSectorsABlock);
}

TEST_F(FlightRecorderTest, OneFailureFreezesOnlyOnceUntilRearmed) {
  Start();
  CutAt(100);
  DirectFile device(loop_->path());
  EXPECT_FALSE(device.Read(200));
  Rewatch(loop_->dev());
  EXPECT_FALSE(device.Read(201));  // the first of its kind again, but the recorder is not armed
  probe_->Rearm();
  Rewatch(loop_->dev());
  EXPECT_FALSE(device.Read(202));
  ASSERT_EQ(Records().size(), 3u);
  EXPECT_EQ(records_[0].flags, FFDC_ERROR_FIRST | FFDC_ERROR_FROZE);
  EXPECT_EQ(records_[1].flags, FFDC_ERROR_FIRST);
  EXPECT_EQ(records_[2].flags, FFDC_ERROR_FIRST | FFDC_ERROR_FROZE);
}

TEST_F(FlightRecorderTest, FreezesUnderLoadWithoutTornRecords) {
  Start();
  std::atomic<bool> stop = false;
  std::thread load([&] {
    DirectFile device(loop_->path());
    for (uint64_t i = 0; !stop; ++i) device.Read(i % kBlocks);
  });
  const uint64_t started_ns = SystemClock().MonotonicNs();
  for (int round = 0; round < 50; ++round) {
    const FrozenHistory frozen = probe_->Freeze();
    for (const ffdc_io_record& record : HistoryOf(frozen, loop_->dev())) {
      ASSERT_EQ(record.len_bytes, kBlock);
      ASSERT_LT(FFDC_IO_SECTOR(&record), kBlocks * kSectorsABlock);
      ASSERT_EQ(FFDC_IO_SECTOR(&record) % kSectorsABlock, 0u);
      ASSERT_EQ(FFDC_IO_STATUS(&record), 0);
      ASSERT_GE(record.complete_ns, started_ns - 1'000'000'000);
      ASSERT_LE(record.complete_ns, frozen.frozen_mono_ns + 1'000'000);
    }
  }
  stop = true;
  load.join();
}

TEST(HistoryShift, NeverExceedsTheBudget) {
  for (const uint32_t cpus : {1u, 2u, 3u, 64u, 96u, 128u}) {
    const uint64_t bytes = (uint64_t{2} * cpus * sizeof(ffdc_io_record)) << HistoryShift(8u << 20, cpus);
    EXPECT_LE(bytes, 8u << 20) << cpus;
    EXPECT_GT(bytes, 4u << 20) << cpus;
  }
}

}  // namespace
}  // namespace ffdc
