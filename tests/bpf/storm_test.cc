// SPDX-License-Identifier: Apache-2.0
// Storm control at its limits, which the agent's own sizes never reach in a
// test: the program alone, with a table of one key, and with a small ring.
#include "bpf/block_io_fixture.h"
#include "ffdc/abi/block_state.h"
#include "probe/bpf_support.h"

// The generated header needs the types above.
#include "block_io.skel.h"

namespace ffdc {
namespace {

class StormTest : public BlockIoTest {
 protected:
  void Load(uint32_t storm_keys, uint32_t ring_bytes) {
    auto loaded = LoadSkeleton<block_io_bpf>([&](block_io_bpf& skeleton) {
      skeleton.rodata->cpu_count = static_cast<uint32_t>(libbpf_num_possible_cpus());
      const int error = bpf_map__set_max_entries(skeleton.maps.storm, storm_keys);
      return error != 0 ? error : bpf_map__set_max_entries(skeleton.maps.records, ring_bytes);
    });
    ASSERT_TRUE(loaded) << loaded.error().message;
    skeleton_ = std::move(*loaded);
    const auto keep = [](void* self, void* data, size_t) {
      static_cast<StormTest*>(self)->records_.push_back(*static_cast<ffdc_block_error*>(data));
      return 0;
    };
    ring_.reset(ring_buffer__new(bpf_map__fd(skeleton_->maps.records), keep, this, nullptr));
    ASSERT_TRUE(ring_);
    // Of all failures on this machine, only the test's own.
    for (const uint32_t dev : AllDisks()) Classify(dev, 0);
    Classify(loop_->dev(), FFDC_DEVICE_WATCHED);
    auto link = AttachProgram(skeleton_->progs.block_rq_complete);
    ASSERT_TRUE(link) << link.error().message;
    link_ = std::move(*link);
  }
  void Classify(uint32_t dev, uint32_t flags) {
    const ffdc_device_filter filter{flags, FFDC_NO_SLOT, 0};
    ASSERT_EQ(
        bpf_map__update_elem(skeleton_->maps.device_filter, &dev, sizeof(dev), &filter, sizeof(filter), 0),
        0);
  }
  void TearDown() override {
    link_.reset();
    ring_.reset();
    skeleton_.reset();
    BlockIoTest::TearDown();
  }
  ffdc_block_counters& counters() { return skeleton_->bss->state.counters; }

  BpfSkeleton<block_io_bpf> skeleton_;
  BpfRingBuffer ring_;
  BpfLink link_;
};

TEST_F(StormTest, AFullTableIsSaidAndCounted) {
  Load(1, 256 * 1024);
  CutAt(10);
  // The only key goes to something else.
  const ffdc_storm_key taken{1, 0, 0, 0};
  const ffdc_storm_entry entry{};
  ASSERT_EQ(bpf_map__update_elem(skeleton_->maps.storm, &taken, sizeof(taken), &entry, sizeof(entry), 0), 0);
  DirectFile device(loop_->path());
  constexpr uint64_t kFailures = 500;
  for (uint64_t i = 0; i < kFailures; ++i) EXPECT_FALSE(device.Read(20));
  EXPECT_EQ(counters().overflow, kFailures);
  ring_buffer__consume(ring_.get());
  ASSERT_FALSE(records_.empty());
  EXPECT_LT(records_.size(), 100u);
  EXPECT_EQ(records_.size(), counters().sent[0]);
  EXPECT_EQ(records_[0].flags, FFDC_ERROR_KEY_OVERFLOW);
  EXPECT_EQ(records_[0].sector, 20 * kSectorsABlock);
}

TEST_F(StormTest, AFirstFailureThatFoundNoRoomIsMadeUpFor) {
  Load(64, 4096);
  DirectFile device(loop_->path());
  CutAt(10);
  // Nobody reads the ring: ops of this device, made distinct by storm keys that are
  // forgotten in between, fill it with firsts.
  uint64_t failures = 0;
  const ffdc_storm_key key{loop_->dev(), kOpRead, kStatusIoError, FFDC_RECORD_BLOCK_ERROR};
  while (counters().dropped[0] == 0 && failures < 1000) {
    bpf_map__delete_elem(skeleton_->maps.storm, &key, sizeof(key), 0);
    EXPECT_FALSE(device.Read(20));
    ++failures;
  }
  ASSERT_EQ(counters().dropped[0], 1u);
  EXPECT_EQ(counters().sent[0], failures - 1);
  ring_buffer__consume(ring_.get());
  EXPECT_EQ(records_.size(), failures - 1);
  records_.clear();

  EXPECT_FALSE(device.Read(21));
  ring_buffer__consume(ring_.get());
  ASSERT_EQ(records_.size(), 1u);
  EXPECT_TRUE((records_[0].flags & FFDC_ERROR_FIRST) != 0);
  EXPECT_EQ(records_[0].total, 2u);
  ffdc_storm_entry entry{};
  ASSERT_EQ(bpf_map__lookup_elem(skeleton_->maps.storm, &key, sizeof(key), &entry, sizeof(entry), 0), 0);
  EXPECT_EQ(entry.suppressed, 1u);
}

}  // namespace
}  // namespace ffdc
