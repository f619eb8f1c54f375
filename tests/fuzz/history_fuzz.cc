// SPDX-License-Identifier: Apache-2.0
// links: ffdc_probe
// Two ways in: the bytes as a whole history, and as the samples of a block whose
// frame is in order (or zstd's checksum would stop nearly every mutation).
#include <zstd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "probe/history.h"
#include "probe/history_codec.h"

namespace {

void CheckSample(const ffdc::HistorySample& sample) {
  for (size_t i = 1; i < sample.values.size(); ++i)
    if (sample.values[i - 1].first >= sample.values[i].first) abort();
}

std::string U32(size_t value) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  // An error or not: it must come back.
  static_cast<void>(ffdc::DecodeHistory(input, CheckSample));
  if (input.empty()) return 0;
  const std::string_view raw = input.substr(1);
  std::string frame(ZSTD_compressBound(raw.size()), '\0');
  frame.resize(ZSTD_compress(frame.data(), frame.size(), raw.data(), raw.size(), 1));
  const auto samples = static_cast<unsigned char>(input.front());
  const std::string whole = std::string(ffdc::kHistoryMagic) + U32(frame.size()) + U32(raw.size()) +
                            U32(samples) + frame + ffdc::HistoryEnd(1);
  static_cast<void>(ffdc::DecodeHistory(whole, CheckSample));
  return 0;
}
