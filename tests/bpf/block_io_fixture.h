// SPDX-License-Identifier: Apache-2.0
// What the block probe's tests have in common: the probe on the running kernel,
// and I/O on loop devices that really fails. Needs root; without it tests fail.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/block_dev.h"
#include "base/fd.h"
#include "base/fs.h"
#include "bpf/oracle.h"
#include "fakes/loop_device.h"
#include "probe/block_probe.h"
#include "probe/bpf_support.h"

namespace ffdc {

constexpr uint8_t kOpRead = 0;
constexpr uint8_t kOpWrite = 1;
constexpr uint8_t kStatusNoSpace = 3;
constexpr uint8_t kStatusIoError = 10;
constexpr size_t kBlock = 4096;
constexpr uint64_t kSectorsABlock = kBlock / 512;

struct alignas(kBlock) Block {
  std::array<std::byte, kBlock> bytes{};
};

// O_DIRECT I/O on a whole block at a time.
class DirectFile {
 public:
  explicit DirectFile(const std::filesystem::path& path)
      : fd_(::open(path.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC)) {
    EXPECT_TRUE(fd_.valid()) << path;
  }
  bool Read(uint64_t block) {
    return pread(fd_.get(), &buffer_, kBlock, static_cast<off_t>(block * kBlock)) ==
           static_cast<ssize_t>(kBlock);
  }
  bool Write(uint64_t block) {
    return pwrite(fd_.get(), &buffer_, kBlock, static_cast<off_t>(block * kBlock)) ==
           static_cast<ssize_t>(kBlock);
  }
  Block& buffer() { return buffer_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  Fd fd_;
  Block buffer_;
};

// 0: no such disk.
inline uint32_t DevOf(const std::filesystem::path& disk) {
  return ParseDev(ReadLine(disk / "dev")).value_or(0);
}

// Every disk that there is now.
inline std::vector<uint32_t> AllDisks() {
  std::vector<uint32_t> devs;
  for (const auto& disk : std::filesystem::directory_iterator("/sys/block")) {
    if (const uint32_t dev = DevOf(disk.path()); dev != 0) devs.push_back(dev);
  }
  return devs;
}

class BlockIoTest : public ::testing::Test {
 protected:
  static constexpr uint64_t kBlocks = 1024;

  void SetUp() override {
    path_ = "/var/tmp/ffdc-bpf-test-" + std::to_string(getpid()) + ".img";
    auto loop = fakes::LoopDevice::Create(path_, kBlocks * kBlock);
    ASSERT_TRUE(loop) << loop.error().message;
    loop_ = std::make_unique<fakes::LoopDevice>(std::move(*loop));
  }
  void TearDown() override {
    oracle_.reset();
    probe_.reset();
    loop_.reset();
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  // The probe, watching the test's device and nothing else there is now.
  void Start(const BlockProbeOptions& options = {}) {
    probe_ = BlockProbe::Start(options, [this](const ffdc_block_error& record) {
      if (record.dev != loop_->dev() && record.dev != other_dev_) return;
      records_.push_back(record);
      if (freeze_on_record_) frozen_ = probe_->Freeze();
    });
    for (const v1::Probe& status : probe_->Status()) {
      if (status.name() == "block_bio") continue;
      ASSERT_TRUE(status.active()) << status.name() << ": " << status.reason();
    }
    for (const uint32_t dev : AllDisks()) probe_->SetDevice(dev, false);
    Rewatch(loop_->dev());
    probe_->Rearm();  // another device's failure may have come first
  }
  // Watches a device of which nothing is known, whatever had its number before.
  void Rewatch(uint32_t dev) {
    probe_->RemoveDevice(dev);
    probe_->SetDevice(dev, true);
  }

  // Counts what the kernel shows of the test's device, from here on.
  void StartOracle() {
    auto oracle = Oracle::Start(loop_->dev());
    ASSERT_TRUE(oracle) << oracle.error().message;
    oracle_ = std::make_unique<Oracle>(std::move(*oracle));
  }

  // Blocks from here on cannot be read any more.
  void CutAt(uint64_t block) { ASSERT_TRUE(loop_->Truncate(block * kBlock)); }

  const std::vector<ffdc_block_error>& Records() {
    probe_->Consume();
    return records_;
  }

  [[nodiscard]] v1::Probe Status(const std::string& name) const {
    for (const v1::Probe& status : probe_->Status()) {
      if (status.name() == name) return status;
    }
    ADD_FAILURE() << "no probe " << name;
    return {};
  }
  [[nodiscard]] uint64_t Counter(const std::string& probe, const std::string& what) const {
    const v1::Probe status = Status(probe);
    for (const v1::Loss& counter : status.counters()) {
      if (counter.what() == what) return counter.count();
    }
    return 0;
  }
  // Failures counted of one (op, status) of the device; suppressed ones in *suppressed.
  uint64_t Failures(uint32_t dev, uint8_t op, uint8_t status, uint64_t* suppressed = nullptr) const {
    for (const auto& [key, entry] : probe_->FailureCounts()) {
      if (key.dev != dev || key.op != op || key.status != status) continue;
      if (suppressed != nullptr) *suppressed = entry.suppressed;
      return entry.total;
    }
    return 0;
  }

  // The device's I/O of a frozen history, in time order.
  static std::vector<ffdc_io_record> HistoryOf(const FrozenHistory& frozen, uint32_t dev) {
    std::vector<ffdc_io_record> found;
    uint64_t records = 0;
    for (const auto& segment : frozen.segments) {
      std::vector<ffdc_io_record> all(segment->records);
      const size_t size = all.size() * sizeof(ffdc_io_record);
      EXPECT_EQ(pread(segment->memfd.get(), all.data(), size, 0), static_cast<ssize_t>(size));
      records += all.size();
      std::copy_if(all.begin(), all.end(), std::back_inserter(found),
                   [&](const ffdc_io_record& record) { return record.dev == dev; });
    }
    EXPECT_EQ(records, frozen.records);
    std::sort(found.begin(), found.end(),
              [](const ffdc_io_record& a, const ffdc_io_record& b) { return a.complete_ns < b.complete_ns; });
    return found;
  }

  std::filesystem::path path_;
  std::unique_ptr<fakes::LoopDevice> loop_;
  std::unique_ptr<BlockProbe> probe_;
  std::vector<ffdc_block_error> records_;
  uint32_t other_dev_ = 0;  // records of this device are kept too
  std::unique_ptr<Oracle> oracle_;
  bool freeze_on_record_ = false;
  FrozenHistory frozen_;
};

}  // namespace ffdc
