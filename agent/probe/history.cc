// SPDX-License-Identifier: Apache-2.0
#include "probe/history.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <deque>

#include "base/fs.h"
#include "probe/history_codec.h"
#include "probe/history_sources.h"

namespace ffdc {

namespace {

// The oldest block goes as a whole: small against the hour, large enough to compress.
constexpr uint64_t kBlocksPerHistory = 60;
constexpr uint64_t kBlocksPerBudget = 8;
constexpr char kLeftOut[] = "history.left_out";  // rows and values that were too many

class HistoryImpl final : public History {
 public:
  HistoryImpl(const HistoryOptions& options, const Clock& clock, ExtraSample extra)
      : max_bytes_(options.max_bytes),
        max_samples_(std::max<uint64_t>(options.max_samples, 1)),
        block_samples_(std::clamp<uint64_t>(max_samples_ / kBlocksPerHistory, 1, kHistoryMaxBlockSamples)),
        clock_(clock),
        extra_(std::move(extra)) {
    for (HistorySource& source : OpenHistorySources(options.procfs))
      sources_.push_back({std::move(source), {}, true});
  }

  void Sample() override;
  Result<Fd> Freeze() override;
  [[nodiscard]] uint64_t samples() const override { return finished_samples_ + current_.samples(); }
  [[nodiscard]] uint64_t bytes() const override { return finished_bytes_ + current_.raw_bytes(); }
  [[nodiscard]] uint64_t dropped() const override { return dropped_; }

 private:
  struct Block {
    std::string encoded;
    uint32_t samples = 0;
  };
  struct Indexed {
    HistorySource source;
    std::vector<uint32_t> indices;  // in current_, of the source's values
    bool stale = true;              // indices are of another block
  };

  void SampleSource(Indexed& indexed);
  void SampleExtra();
  void Set(uint32_t index, int64_t value) {
    if (index == HistoryBlockEncoder::kNoIndex) {
      ++left_out_;
    } else {
      current_.Set(index, value);
    }
  }
  void FinishBlock();
  void DropOldest();

  const uint64_t max_bytes_;
  const uint64_t max_samples_;
  const uint64_t block_samples_;
  const Clock& clock_;
  const ExtraSample extra_;
  std::vector<Indexed> sources_;
  std::string buffer_;
  // What extra_ named last time, in its order: its names rarely change.
  std::vector<std::pair<std::string, uint32_t>> extra_names_;
  uint64_t left_out_ = 0;
  HistoryBlockEncoder current_;
  std::deque<Block> finished_;
  uint64_t finished_samples_ = 0;
  uint64_t finished_bytes_ = 0;
  uint64_t dropped_ = 0;
};

void HistoryImpl::Sample() {
  left_out_ = 0;
  for (Indexed& indexed : sources_) SampleSource(indexed);
  if (extra_) SampleExtra();
  if (left_out_ > 0)
    if (const uint32_t index = current_.IndexOf(kLeftOut); index != HistoryBlockEncoder::kNoIndex)
      current_.Set(index, static_cast<int64_t>(left_out_));
  const ClockMoment now = clock_.ReadTogether();
  current_.EndSample(now.monotonic_ns, now.realtime_ns);

  const uint64_t max_raw = std::min<uint64_t>(max_bytes_ / kBlocksPerBudget, kHistoryMaxRawBytes / 4);
  if (current_.samples() >= block_samples_ || current_.raw_bytes() >= max_raw) FinishBlock();
  while (!finished_.empty() && (samples() > max_samples_ || bytes() > max_bytes_)) DropOldest();
}

void HistoryImpl::SampleSource(Indexed& indexed) {
  const bool changed = indexed.source.Read(buffer_);
  const HistoryRows& rows = indexed.source.rows();
  if (changed || indexed.stale) {
    indexed.indices.clear();
    for (const std::string& name : rows.names()) indexed.indices.push_back(current_.IndexOf(name));
    indexed.stale = false;
  }
  for (size_t i = 0; i < indexed.indices.size(); ++i) Set(indexed.indices[i], rows.values()[i]);
  left_out_ += rows.left_out();
}

void HistoryImpl::SampleExtra() {
  size_t place = 0;
  extra_([this, &place](const std::string& name, int64_t value) {
    if (place == extra_names_.size() || extra_names_[place].first != name) {
      extra_names_.resize(place);
      extra_names_.emplace_back(name, current_.IndexOf(name));
    }
    Set(extra_names_[place++].second, value);
  });
  extra_names_.resize(place);
}

void HistoryImpl::FinishBlock() {
  Block block{current_.Compress(), current_.samples()};
  current_.Reset();
  extra_names_.clear();
  for (Indexed& indexed : sources_) indexed.stale = true;
  if (block.encoded.empty()) {  // no memory for zstd
    dropped_ += block.samples;
    return;
  }
  finished_samples_ += block.samples;
  finished_bytes_ += block.encoded.size();
  finished_.push_back(std::move(block));
}

void HistoryImpl::DropOldest() {
  const Block& oldest = finished_.front();
  if (samples() <= max_samples_) dropped_ += oldest.samples;
  finished_samples_ -= oldest.samples;
  finished_bytes_ -= oldest.encoded.size();
  finished_.pop_front();
}

Result<Fd> HistoryImpl::Freeze() {
  Fd memfd(memfd_create("ffdc-history", MFD_CLOEXEC));
  if (!memfd.valid()) return FailErrno("cannot make a memory file for the 1 Hz history");
  constexpr std::string_view kName = "the frozen 1 Hz history";
  FFDC_TRY(WriteAll(memfd.get(), kHistoryMagic, kName));
  for (const Block& block : finished_) FFDC_TRY(WriteAll(memfd.get(), block.encoded, kName));
  size_t blocks = finished_.size();
  if (current_.samples() > 0) {
    const std::string block = current_.Compress();
    if (block.empty()) return Fail("cannot compress the newest part of the 1 Hz history: no memory", ENOMEM);
    FFDC_TRY(WriteAll(memfd.get(), block, kName));
    ++blocks;
  }
  FFDC_TRY(WriteAll(memfd.get(), HistoryEnd(blocks), kName));
  if (lseek(memfd.get(), 0, SEEK_SET) < 0) return FailErrno("cannot rewind the frozen 1 Hz history");
  return memfd;
}

}  // namespace

std::unique_ptr<History> History::Create(const HistoryOptions& options, const Clock& clock,
                                         ExtraSample extra) {
  return std::make_unique<HistoryImpl>(options, clock, std::move(extra));
}

}  // namespace ffdc
