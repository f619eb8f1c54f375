// SPDX-License-Identifier: Apache-2.0
// Failures of a device that has no requests: a zram of the test's own whose
// memory is too small for what is written.
#include <fstream>
#include <random>

#include "bpf/block_io_fixture.h"

namespace ffdc {
namespace {

class Zram {
 public:
  Zram() {
    std::ifstream("/sys/class/zram-control/hot_add") >> number_;
    Set("mem_limit", "64K");
    Set("disksize", "4M");
    dev_ = DevOf("/sys/block/" + name());
  }
  Zram(const Zram&) = delete;
  Zram& operator=(const Zram&) = delete;
  ~Zram() {
    Set("reset", "1");
    std::ofstream("/sys/class/zram-control/hot_remove") << number_;
  }
  [[nodiscard]] std::string name() const { return "zram" + std::to_string(number_); }
  [[nodiscard]] std::filesystem::path path() const { return "/dev/" + name(); }
  [[nodiscard]] uint32_t dev() const { return dev_; }

 private:
  void Set(const std::string& attribute, const std::string& value) const {
    std::ofstream("/sys/block/" + name() + "/" + attribute) << value;
  }
  int number_ = -1;
  uint32_t dev_ = 0;
};

class BlockBioTest : public BlockIoTest {
 protected:
  void SetUp() override {
    BlockIoTest::SetUp();
    Start();
    ASSERT_NE(zram_.dev(), 0u) << "no zram: CONFIG_ZRAM is needed for this test";
    other_dev_ = zram_.dev();
    Rewatch(other_dev_);
    std::mt19937_64 random(1);  // NOLINT(bugprone-random-generator-seed): any noise will do
    for (std::byte& byte : noise_.bytes) byte = static_cast<std::byte>(random());
  }
  // Writes what cannot be compressed until the device fails; the failed block.
  uint64_t FillUntilItFails() {
    DirectFile device(zram_.path());
    device.buffer() = noise_;
    for (uint64_t block = 0; block < 1024; ++block) {
      device.buffer().bytes[0] = static_cast<std::byte>(block);
      if (!device.Write(block)) return block;
    }
    ADD_FAILURE() << "the device never failed";
    return 0;
  }

  Zram zram_;
  Block noise_;
};

TEST_F(BlockBioTest, IsAttachedOnlyWhileThereIsSuchADevice) {
  EXPECT_FALSE(Status("block_bio").active());
  EXPECT_EQ(Status("block_bio").reason(), "no bio-based device is watched");
  FillUntilItFails();
  EXPECT_TRUE(Records().empty());
  probe_->SetBioDevices(true);
  EXPECT_TRUE(Status("block_bio").active()) << Status("block_bio").reason();
  EXPECT_EQ(Status("block_bio").reason(), "");
  FillUntilItFails();
  EXPECT_EQ(Records().size(), 1u);
  probe_->SetBioDevices(false);
  EXPECT_FALSE(Status("block_bio").active());
  FillUntilItFails();
  EXPECT_EQ(Records().size(), 1u);
}

TEST_F(BlockBioTest, AFailingBioIsOneRecordAndFreezesTheHistory) {
  probe_->SetBioDevices(true);
  const uint64_t block = FillUntilItFails();
  ASSERT_EQ(Records().size(), 1u);
  const ffdc_block_error& record = records_[0];
  EXPECT_EQ(record.header.kind, static_cast<uint32_t>(FFDC_RECORD_BIO_ERROR));
  EXPECT_EQ(record.dev, zram_.dev());
  EXPECT_EQ(record.part_dev, 0u);
  EXPECT_EQ(record.op, kOpWrite);
  EXPECT_EQ(record.status, kStatusIoError);
  EXPECT_EQ(record.sector, block * kSectorsABlock);
  EXPECT_EQ(record.len_bytes, kBlock);
  EXPECT_EQ(record.latency_ns, 0u);
  EXPECT_EQ(record.flags, FFDC_ERROR_FIRST | FFDC_ERROR_FROZE);
  EXPECT_EQ(Failures(zram_.dev(), kOpWrite, kStatusIoError), 1u);
  const auto history = HistoryOf(probe_->Freeze(), zram_.dev());
  ASSERT_EQ(history.size(), 1u);
  EXPECT_EQ(FFDC_IO_STATUS(&history[0]), kStatusIoError);
  EXPECT_GE(Status("block_bio").records(), 1u);
}

TEST_F(BlockBioTest, AnIgnoredDeviceIsLeftAlone) {
  probe_->SetBioDevices(true);
  probe_->SetDevice(zram_.dev(), false);
  FillUntilItFails();
  EXPECT_TRUE(Records().empty());
  EXPECT_EQ(Counter("block_bio", "filtered.ignored_device"), 1u);
}

TEST_F(BlockBioTest, BiosOfARequestBasedDeviceAreNotToldTwice) {
  probe_->SetBioDevices(true);
  CutAt(10);
  DirectFile device(loop_->path());
  EXPECT_FALSE(device.Read(20));
  ASSERT_EQ(Records().size(), 1u);
  EXPECT_EQ(records_[0].header.kind, static_cast<uint32_t>(FFDC_RECORD_BLOCK_ERROR));
}

}  // namespace
}  // namespace ffdc
