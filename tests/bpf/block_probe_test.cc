// SPDX-License-Identifier: Apache-2.0
// Failures of requests, on the running kernel: what is sent, counted, filtered.
#include <sys/mount.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "base/clock.h"
#include "bpf/block_io_fixture.h"
#include "fakes/temp_dir.h"

namespace ffdc {
namespace {

using BlockProbeTest = BlockIoTest;

TEST_F(BlockProbeTest, AFailingReadIsOneRecordThatSaysAllAboutIt) {
  Start();
  CutAt(10);
  DirectFile device(loop_->path());
  const uint64_t before_ns = SystemClock().MonotonicNs();
  EXPECT_FALSE(device.Read(20));
  ASSERT_EQ(Records().size(), 1u);
  const ffdc_block_error& record = records_[0];
  EXPECT_EQ(record.header.kind, static_cast<uint32_t>(FFDC_RECORD_BLOCK_ERROR));
  EXPECT_EQ(record.header.size_bytes, sizeof(ffdc_block_error));
  EXPECT_GT(record.header.time_ns, before_ns);
  EXPECT_LT(record.header.time_ns, SystemClock().MonotonicNs());
  EXPECT_EQ(record.dev, loop_->dev());
  EXPECT_EQ(record.part_dev, 0u);
  EXPECT_EQ(record.op, kOpRead);
  EXPECT_EQ(record.status, kStatusIoError);
  EXPECT_EQ(record.sector, 20 * kSectorsABlock);
  EXPECT_EQ(record.len_bytes, kBlock);
  EXPECT_EQ(record.total, 1u);
  EXPECT_GT(record.latency_ns, 0u);
  EXPECT_LT(record.latency_ns, record.header.time_ns - before_ns + 1);
  EXPECT_EQ(record.flags, FFDC_ERROR_FIRST | FFDC_ERROR_FROZE);
  EXPECT_NE(record.cgroup_id, 0u);
  EXPECT_EQ(StatusName(record.status), "I/O error");
  EXPECT_EQ(record.rq_flags & 0xff, 0u);
  for (const std::string& flag : RequestFlagNames(record.rq_flags))
    EXPECT_FALSE(flag.starts_with("flag ")) << flag;
}

TEST_F(BlockProbeTest, AFailingWriteIsTold) {
  Start();
  // A full tmpfs under the second device.
  const TempDir mount_point;
  ASSERT_EQ(mount("tmpfs", mount_point.path().c_str(), "tmpfs", 0, "size=64k"), 0);
  {
    auto full = fakes::LoopDevice::Create(mount_point / "full.img", 1u << 20);
    ASSERT_TRUE(full) << full.error().message;
    other_dev_ = full->dev();
    Rewatch(other_dev_);
    DirectFile device(full->path());
    uint64_t block = 0;
    while (block < 32 && device.Write(block)) ++block;
    ASSERT_EQ(Records().size(), 1u);
    EXPECT_EQ(records_[0].op, kOpWrite);
    // 6.15 made loop devices pass on what is the matter.
    EXPECT_TRUE(records_[0].status == kStatusNoSpace || records_[0].status == kStatusIoError);
    EXPECT_EQ(records_[0].sector, block * kSectorsABlock);
  }
  EXPECT_EQ(umount2(mount_point.path().c_str(), MNT_DETACH), 0);
}

TEST_F(BlockProbeTest, NothingIsSentWhileNothingFails) {
  Start();
  StartOracle();
  DirectFile device(loop_->path());
  for (uint64_t i = 0; i < 2000; ++i) {
    ASSERT_TRUE(device.Read(i % kBlocks));
    ASSERT_TRUE(device.Write(i % kBlocks));
  }
  EXPECT_TRUE(Records().empty());
  EXPECT_EQ(Failures(loop_->dev(), kOpRead, kStatusIoError), 0u);
  EXPECT_EQ(Failures(loop_->dev(), kOpWrite, kStatusIoError), 0u);
  const LatencyCounts counts = probe_->Latencies(loop_->dev());
  EXPECT_GT(oracle_->good(), 3900u);
  EXPECT_EQ(counts.completions + Status("block_io").drops(), oracle_->good() + oracle_->misses());
  EXPECT_GT(LatencyQuantileNs(counts.read, {}, 0.5), 0u);
  EXPECT_GT(LatencyQuantileNs(counts.write, {}, 0.5), 0u);
}

TEST_F(BlockProbeTest, StormsAreCountedToTheLastOne) {
  Start();
  StartOracle();
  CutAt(0);
  std::ofstream("/sys/block/" + loop_->name() + "/queue/nomerges") << 2;  // one request a read
  constexpr uint64_t kEach = 10'000;
  const auto storm = [&] {
    DirectFile device(loop_->path());
    for (uint64_t i = 0; i < kEach; ++i) EXPECT_FALSE(device.Read(i % kBlocks));
  };
  const auto started = std::chrono::steady_clock::now();
  std::thread other(storm);
  storm();
  other.join();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started;
  std::ofstream("/sys/block/" + loop_->name() + "/queue/nomerges") << 0;
  uint64_t suppressed = 0;
  const uint64_t lost = Status("block_io").drops();
  const uint64_t counted = Failures(loop_->dev(), kOpRead, kStatusIoError, &suppressed);
  EXPECT_GT(oracle_->failed(), 2 * kEach - 200);
  EXPECT_EQ(counted + lost, oracle_->failed() + oracle_->misses());
  EXPECT_EQ(Records().size() + suppressed, counted);
  EXPECT_EQ(
      std::count_if(records_.begin(), records_.end(),
                    [](const ffdc_block_error& record) { return (record.flags & FFDC_ERROR_FIRST) != 0; }),
      1);
  // The first, the burst of 10, then 10 a second; two CPUs may spend the same token.
  EXPECT_LE(static_cast<double>(records_.size()), 2 * (11 + 10 * elapsed.count()));
  EXPECT_GE(records_.size(), 11u);
}

TEST_F(BlockProbeTest, AFailureAfterAQuietTimeIsTheFirstAgain) {
  BlockProbeOptions options;
  options.quiet_after = std::chrono::milliseconds(300);
  Start(options);
  CutAt(10);
  DirectFile device(loop_->path());
  EXPECT_FALSE(device.Read(20));
  EXPECT_FALSE(device.Read(21));
  probe_->Freeze();  // rearms
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  EXPECT_FALSE(device.Read(22));
  EXPECT_FALSE(device.Read(23));
  ASSERT_EQ(Records().size(), 4u);
  EXPECT_EQ(records_[0].flags, FFDC_ERROR_FIRST | FFDC_ERROR_FROZE);
  EXPECT_EQ(records_[1].flags, 0u);
  EXPECT_EQ(records_[2].flags, FFDC_ERROR_FIRST | FFDC_ERROR_FROZE);
  EXPECT_EQ(records_[3].flags, 0u);
  EXPECT_EQ(records_[3].total, 4u);
}

TEST_F(BlockProbeTest, WhatComesAfterTheHistoryWasStoppedIsNotInIt) {
  Start();
  DirectFile device(loop_->path());
  EXPECT_TRUE(device.Read(1));
  const uint64_t stopped_ns = probe_->StopHistory();
  EXPECT_TRUE(device.Read(2));
  const FrozenHistory frozen = probe_->Freeze();
  EXPECT_EQ(frozen.frozen_mono_ns, stopped_ns);
  EXPECT_EQ(HistoryOf(frozen, loop_->dev()).size(), 1u);
  // Nobody took this one: it is history all the same, and the kernel may freeze again.
  probe_->StopHistory();
  EXPECT_TRUE(device.Read(3));
  probe_->Rearm();
  EXPECT_EQ(HistoryOf(probe_->Freeze(), loop_->dev()).size(), 3u);
}

TEST_F(BlockProbeTest, ANumberTakenOverByAnotherDeviceStartsAnew) {
  Start();
  CutAt(10);
  DirectFile device(loop_->path());
  EXPECT_FALSE(device.Read(20));
  Rewatch(loop_->dev());
  EXPECT_FALSE(device.Read(20));
  EXPECT_FALSE(device.Read(20));
  ASSERT_EQ(Records().size(), 3u);
  EXPECT_TRUE((records_[1].flags & FFDC_ERROR_FIRST) != 0);
  EXPECT_EQ(records_[2].flags & FFDC_ERROR_FIRST, 0u);
  EXPECT_EQ(probe_->Latencies(loop_->dev()).completions, 2u);
}

TEST_F(BlockProbeTest, AnIgnoredDeviceIsLeftAlone) {
  Start();
  CutAt(10);
  DirectFile device(loop_->path());
  // Learnt as watched first, so that the cached answer must be forgotten.
  EXPECT_TRUE(device.Read(1));
  probe_->SetDevice(loop_->dev(), false);
  const uint64_t ignored = Counter("block_io", "filtered.ignored_device");
  EXPECT_TRUE(device.Read(2));
  EXPECT_FALSE(device.Read(20));
  EXPECT_TRUE(Records().empty());
  EXPECT_EQ(Counter("block_io", "filtered.ignored_device"), ignored + 1);
  EXPECT_EQ(HistoryOf(probe_->Freeze(), loop_->dev()).size(), 1u);

  probe_->SetDevice(loop_->dev(), true);
  EXPECT_FALSE(device.Read(20));
  EXPECT_EQ(Records().size(), 1u);
}

TEST_F(BlockProbeTest, ADeviceNobodyClassifiedIsToldOf) {
  Start();
  probe_->RemoveDevice(loop_->dev());
  CutAt(10);
  DirectFile device(loop_->path());
  EXPECT_TRUE(device.Read(1));
  EXPECT_FALSE(device.Read(20));
  ASSERT_EQ(Records().size(), 1u);
  EXPECT_TRUE((records_[0].flags & FFDC_ERROR_UNCLASSIFIED) != 0);
  EXPECT_EQ(HistoryOf(probe_->Freeze(), loop_->dev()).size(), 2u);
}

TEST_F(BlockProbeTest, ReadaheadThatNobodyWaitsForIsNoFailure) {
  Start();
  CutAt(10);
  const uint64_t before = Counter("block_io", "filtered.readahead");
  const Fd device(open(loop_->path().c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(posix_fadvise(device.get(), 20 * kBlock, 16 * kBlock, POSIX_FADV_WILLNEED), 0);
  // It completes behind our back.
  for (int i = 0; i < 500 && Counter("block_io", "filtered.readahead") == before; ++i) usleep(10'000);
  EXPECT_GT(Counter("block_io", "filtered.readahead"), before);
  EXPECT_TRUE(Records().empty());
  EXPECT_EQ(Failures(loop_->dev(), kOpRead, kStatusIoError), 0u);
}

TEST_F(BlockProbeTest, WithoutIostatsLatencyIsSaidToBeUnknown) {
  Start();
  DirectFile device(loop_->path());
  EXPECT_TRUE(device.Read(1));
  const std::string queue = "/sys/block/" + loop_->name() + "/queue/";
  std::ofstream(queue + "iostats") << 0;
  std::ofstream(queue + "scheduler") << "none";  // schedulers want the time too
  EXPECT_TRUE(device.Read(2));
  std::ofstream(queue + "iostats") << 1;
  EXPECT_NE(Status("block_io").reason().find("iostats"), std::string::npos);
  EXPECT_TRUE(Status("block_io").active());
  const LatencyCounts counts = probe_->Latencies(loop_->dev());
  EXPECT_EQ(counts.completions, 2u);
  const auto history = HistoryOf(probe_->Freeze(), loop_->dev());
  ASSERT_EQ(history.size(), 2u);
  EXPECT_GT(history[0].latency_ns, 0u);
  EXPECT_EQ(history[1].latency_ns, 0u);
}

}  // namespace
}  // namespace ffdc
