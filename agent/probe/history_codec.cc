// SPDX-License-Identifier: Apache-2.0
#include "probe/history_codec.h"

#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <unordered_set>

#include "probe/history.h"

namespace ffdc {

namespace {

constexpr size_t kBlockHeaderBytes = 12;
constexpr int kZstdLevel = 3;

void AppendVarint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

void AppendZigzag(std::string& out, uint64_t difference) {
  const uint64_t sign = difference >> 63 != 0 ? UINT64_MAX : 0;
  AppendVarint(out, difference << 1 ^ sign);
}

void AppendU32(std::string& out, uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 0xff);
}

// Reads forward through bytes that may be anything; once it failed, stays failed.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool AtEnd() const { return rest_.empty(); }

  std::string_view Bytes(size_t count) {
    if (count > rest_.size()) {
      Break();
      return {};
    }
    const std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }

  uint32_t U32() {
    uint32_t value = 0;
    int shift = 0;
    for (const char byte : Bytes(4)) {
      value |= static_cast<uint32_t>(static_cast<unsigned char>(byte)) << shift;
      shift += 8;
    }
    return value;
  }

  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const uint64_t byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      if (shift == 63 && byte > 1) break;  // more than 64 bits
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    Break();
    return 0;
  }

  uint64_t Zigzag() {
    const uint64_t value = Varint();
    return value >> 1 ^ (~(value & 1) + 1);
  }

  // A count of things that are at least min_bytes long each: never more than can follow.
  size_t Count(size_t min_bytes) {
    const uint64_t count = Varint();
    if (count > rest_.size() / min_bytes) {
      Break();
      return 0;
    }
    return count;
  }

  void Break() {
    ok_ = false;
    rest_ = {};
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

class BlockDecoder {
 public:
  explicit BlockDecoder(std::string_view raw) : reader_(raw) {}

  // The next sample, valid until the next call; nullptr: malformed.
  const HistorySample* Next() {
    mono_ns_ += reader_.Zigzag();
    wall_ns_ += reader_.Zigzag();
    const bool named = ReadNames();
    const bool toggled = ReadToggles();
    if (!reader_.ok()) return nullptr;
    if (named || toggled) Lay();
    for (size_t index = 0; index < names_.size(); ++index) {
      if (!present_[index]) continue;
      last_[index] += reader_.Zigzag();
      sample_.values[place_[index]].second = static_cast<int64_t>(last_[index]);
    }
    sample_.mono_ns = mono_ns_;
    sample_.wall_ns = static_cast<int64_t>(wall_ns_);
    return reader_.ok() ? &sample_ : nullptr;
  }

  [[nodiscard]] bool AtEnd() const { return reader_.ok() && reader_.AtEnd(); }

 private:
  bool ReadNames() {
    const size_t count = reader_.Count(2);
    for (size_t i = 0; i < count && reader_.ok(); ++i) {
      const size_t length = reader_.Varint();
      const std::string name(length <= kHistoryMaxNameBytes ? reader_.Bytes(length) : std::string_view());
      if (name.empty() || names_.size() >= kHistoryMaxNames || !known_.insert(name).second) {
        reader_.Break();
        return false;
      }
      names_.push_back(name);
    }
    last_.resize(names_.size());
    place_.resize(names_.size());
    present_.resize(names_.size());
    return count > 0;
  }

  bool ReadToggles() {
    const size_t count = reader_.Count(1);
    for (size_t i = 0; i < count; ++i) {
      const uint64_t index = reader_.Varint();
      if (index >= names_.size()) {
        reader_.Break();
        return false;
      }
      present_[index] = !present_[index];
    }
    return count > 0;
  }

  // Sorts the names that are there and notes where each index' value goes.
  void Lay() {
    std::vector<uint32_t> order;
    for (uint32_t index = 0; index < names_.size(); ++index)
      if (present_[index]) order.push_back(index);
    std::sort(order.begin(), order.end(), [this](uint32_t a, uint32_t b) { return names_[a] < names_[b]; });
    sample_.values.resize(order.size());
    for (uint32_t place = 0; place < order.size(); ++place) {
      sample_.values[place].first = names_[order[place]];
      place_[order[place]] = place;
    }
  }

  Decoder reader_;
  uint64_t mono_ns_ = 0;
  uint64_t wall_ns_ = 0;
  std::vector<std::string> names_;
  std::unordered_set<std::string> known_;  // names_
  std::vector<uint64_t> last_;
  std::vector<uint32_t> place_;
  std::vector<bool> present_;
  HistorySample sample_;
};

Unexpected Malformed(size_t block, const std::string& why) {
  return Fail("cannot decode the 1 Hz history: block " + std::to_string(block) + ": " + why);
}

struct BlockHeader {
  uint32_t compressed_bytes;
  uint32_t raw_bytes;
  uint32_t samples;
};

Result<> DecodeBlock(size_t number, const BlockHeader& header, Decoder& reader, std::string& raw,
                     const std::function<void(const HistorySample&)>& sink) {
  const auto [compressed_bytes, raw_bytes, samples] = header;
  const std::string_view compressed = reader.Bytes(compressed_bytes);
  if (!reader.ok()) return Malformed(number, "cut short");
  if (samples == 0 || samples > kHistoryMaxBlockSamples || raw_bytes > kHistoryMaxRawBytes)
    return Malformed(number, "sizes out of bounds");
  // Before the memory is taken: what the frame itself says must agree.
  if (ZSTD_getFrameContentSize(compressed.data(), compressed.size()) != raw_bytes)
    return Malformed(number, "not the frame that its header promises");
  raw.resize(raw_bytes);
  const size_t got = ZSTD_decompress(raw.data(), raw.size(), compressed.data(), compressed.size());
  if (ZSTD_isError(got) != 0) return Malformed(number, ZSTD_getErrorName(got));
  if (got != raw_bytes) return Malformed(number, "cut short inside");

  BlockDecoder decoder(raw);
  for (uint32_t i = 0; i < samples; ++i) {
    const HistorySample* sample = decoder.Next();
    if (sample == nullptr) return Malformed(number, "sample " + std::to_string(i) + " is malformed");
    sink(*sample);
  }
  if (!decoder.AtEnd()) return Malformed(number, "bytes after its last sample");
  return {};
}

}  // namespace

uint32_t HistoryBlockEncoder::IndexOf(const std::string& name) {
  if (const auto known = index_.find(name); known != index_.end()) return known->second;
  if (name.empty() || name.size() > kHistoryMaxNameBytes || index_.size() >= kHistoryMaxNames)
    return kNoIndex;
  const auto index = static_cast<uint32_t>(index_.size());
  index_.emplace(name, index);
  new_names_.push_back(name);
  current_.push_back(0);
  last_.push_back(0);
  set_.push_back(false);
  present_.push_back(false);
  return index;
}

void HistoryBlockEncoder::EndSample(uint64_t mono_ns, int64_t wall_ns) {
  const auto wall = static_cast<uint64_t>(wall_ns);
  AppendZigzag(raw_, mono_ns - last_mono_ns_);
  AppendZigzag(raw_, wall - last_wall_ns_);
  last_mono_ns_ = mono_ns;
  last_wall_ns_ = wall;

  AppendVarint(raw_, new_names_.size());
  for (const std::string& name : new_names_) {
    AppendVarint(raw_, name.size());
    raw_ += name;
  }
  new_names_.clear();

  size_t toggles = 0;
  for (size_t i = 0; i < set_.size(); ++i) toggles += set_[i] != present_[i] ? 1 : 0;
  AppendVarint(raw_, toggles);
  for (size_t i = 0; i < set_.size() && toggles > 0; ++i)
    if (set_[i] != present_[i]) AppendVarint(raw_, i);

  for (size_t i = 0; i < set_.size(); ++i) {
    if (!set_[i]) continue;
    AppendZigzag(raw_, static_cast<uint64_t>(current_[i]) - static_cast<uint64_t>(last_[i]));
    last_[i] = current_[i];
  }
  present_ = set_;
  std::fill(set_.begin(), set_.end(), false);
  ++samples_;
}

std::string HistoryBlockEncoder::Compress() const {
  const std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  if (!context) return {};
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kZstdLevel);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  std::string frame(ZSTD_compressBound(raw_.size()), '\0');
  const size_t size = ZSTD_compress2(context.get(), frame.data(), frame.size(), raw_.data(), raw_.size());
  if (ZSTD_isError(size) != 0) return {};

  std::string block;
  block.reserve(kBlockHeaderBytes + size);
  AppendU32(block, static_cast<uint32_t>(size));
  AppendU32(block, static_cast<uint32_t>(raw_.size()));
  AppendU32(block, samples_);
  block.append(frame, 0, size);
  return block;
}

std::string HistoryEnd(size_t blocks) {
  std::string end;
  AppendU32(end, 0);
  AppendU32(end, 0);
  AppendU32(end, static_cast<uint32_t>(blocks));
  return end;
}

void HistoryBlockEncoder::Reset() {
  raw_.clear();
  samples_ = 0;
  last_mono_ns_ = 0;
  last_wall_ns_ = 0;
  index_.clear();
  new_names_.clear();
  current_.clear();
  last_.clear();
  set_.clear();
  present_.clear();
}

Result<> DecodeHistory(std::string_view encoded, const std::function<void(const HistorySample&)>& sink) {
  Decoder reader(encoded);
  if (reader.Bytes(kHistoryMagic.size()) != kHistoryMagic)
    return Fail("cannot decode the 1 Hz history: it does not start with " + std::string(kHistoryMagic));
  std::string raw;
  for (size_t block = 0;; ++block) {
    const uint32_t compressed_bytes = reader.U32();
    const uint32_t raw_bytes = reader.U32();
    const uint32_t samples = reader.U32();
    if (!reader.ok()) return Malformed(block, "cut short");
    if (compressed_bytes == 0) {
      if (raw_bytes != 0 || samples != block || !reader.AtEnd()) return Malformed(block, "not a proper end");
      return {};
    }
    FFDC_TRY(DecodeBlock(block, {compressed_bytes, raw_bytes, samples}, reader, raw, sink));
  }
}

}  // namespace ffdc
