// SPDX-License-Identifier: Apache-2.0
// How the 1 Hz history is written.
//
//   history := "FFDCHIS1" block* end
//   block   := u32 compressed_bytes, u32 raw_bytes, u32 samples (little-endian),
//              then a zstd frame (with checksum) of samples
//   end     := u32 0, u32 0, u32 blocks
//   sample  := zigzag mono_ns, zigzag wall_ns,
//              varint n, n * (varint length, name)     names first seen here
//              varint n, n * varint index              values that come or go
//              zigzag value * (values that are there)  in the order of their index
//
// A name's index is its place of first sight in the block. Times and values are
// differences to the one before them in the block (modulo 2^64; the first to 0),
// so that what does not change is a run of zero bytes. No block needs another:
// the oldest can go.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace ffdc {

inline constexpr std::string_view kHistoryMagic = "FFDCHIS1";
inline constexpr size_t kHistoryMaxNames = 1u << 16;  // of one block
inline constexpr size_t kHistoryMaxNameBytes = 256;
inline constexpr size_t kHistoryMaxRawBytes = 32u << 20;  // of one block
inline constexpr size_t kHistoryMaxBlockSamples = 60;

std::string HistoryEnd(size_t blocks);

// The block in the making.
class HistoryBlockEncoder {
 public:
  static constexpr uint32_t kNoIndex = UINT32_MAX;

  // kNoIndex: the name is empty or too long, or the block is full of names.
  uint32_t IndexOf(const std::string& name);
  // A value of the sample in the making.
  void Set(uint32_t index, int64_t value) {
    current_[index] = value;
    set_[index] = true;
  }
  void EndSample(uint64_t mono_ns, int64_t wall_ns);

  [[nodiscard]] uint32_t samples() const { return samples_; }
  [[nodiscard]] size_t raw_bytes() const { return raw_.size(); }
  // The block, compressed. Empty when zstd has no memory.
  [[nodiscard]] std::string Compress() const;
  // Starts the next block: no name is known any more.
  void Reset();

 private:
  std::string raw_;
  uint32_t samples_ = 0;
  uint64_t last_mono_ns_ = 0;
  uint64_t last_wall_ns_ = 0;
  std::unordered_map<std::string, uint32_t> index_;
  std::vector<std::string> new_names_;
  std::vector<int64_t> current_;
  std::vector<int64_t> last_;
  std::vector<bool> set_;      // has a value in the sample in the making
  std::vector<bool> present_;  // had one in the sample before
};

}  // namespace ffdc
