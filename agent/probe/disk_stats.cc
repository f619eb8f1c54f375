// SPDX-License-Identifier: Apache-2.0
#include "probe/disk_stats.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/block_words.h"
#include "base/text.h"
#include "ffdc/abi/block.h"

namespace ffdc {
namespace {

constexpr size_t kFirstBufferBytes = 32u << 10;
constexpr size_t kMaxFileBytes = 4u << 20;

}  // namespace

//    8       0 sda 33172 9316 3327706 ...: Documentation/admin-guide/iostats.rst. Discards since
// 4.18, flushes since 5.5.
DiskStatsByDev ParseDiskStats(std::string_view text) {
  constexpr size_t kReads = 0;
  constexpr size_t kSectorsRead = 2;
  constexpr size_t kWrites = 4;
  constexpr size_t kSectorsWritten = 6;
  constexpr size_t kInFlight = 8;
  constexpr size_t kDiscards = 11;
  constexpr size_t kFlushes = 15;
  DiskStatsByDev disks;
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    const auto major = ParseNumber<uint32_t>(NextWord(line));
    const auto minor = ParseNumber<uint32_t>(NextWord(line));
    if (!major || !minor) continue;
    NextWord(line);
    std::array<uint64_t, kFlushes + 1> columns{};
    for (uint64_t& column : columns) column = ParseNumber<uint64_t>(NextWord(line)).value_or(0);
    DiskStats& disk = disks[*major << FFDC_DEV_MINOR_BITS | *minor];
    disk.completed = columns[kReads] + columns[kWrites] + columns[kDiscards] + columns[kFlushes];
    disk.in_flight = columns[kInFlight];
    disk.read_bytes = columns[kSectorsRead] * kSectorBytes;
    disk.written_bytes = columns[kSectorsWritten] * kSectorBytes;
  }
  return disks;
}

DiskStatsFile::DiskStatsFile(const std::string& path)
    : file_(open(path.c_str(), O_RDONLY | O_CLOEXEC)), buffer_(kFirstBufferBytes, '\0') {}

DiskStatsByDev DiskStatsFile::Read() {
  if (!file_.valid()) return {};
  size_t size = 0;
  while (size < kMaxFileBytes) {
    if (size == buffer_.size()) buffer_.resize(size * 2);
    const ssize_t got =
        pread(file_.get(), buffer_.data() + size, buffer_.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size += static_cast<size_t>(got);
  }
  return ParseDiskStats(std::string_view(buffer_).substr(0, size));
}

}  // namespace ffdc
