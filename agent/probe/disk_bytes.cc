// SPDX-License-Identifier: Apache-2.0
#include "probe/disk_bytes.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/text.h"
#include "ffdc/abi/block.h"

namespace ffdc {
namespace {

constexpr size_t kFirstBufferBytes = 32u << 10;
constexpr size_t kMaxFileBytes = 4u << 20;
constexpr uint64_t kSectorBytes = 512;

}  // namespace

//    8       0 sda 33172 9316 3327706 ... (Documentation/admin-guide/iostats.rst)
DiskBytesByDev ParseDiskBytes(std::string_view text) {
  constexpr size_t kSectorsRead = 2;
  constexpr size_t kSectorsWritten = 6;
  DiskBytesByDev disks;
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    const auto major = ParseNumber<uint32_t>(NextWord(line));
    const auto minor = ParseNumber<uint32_t>(NextWord(line));
    if (!major || !minor) continue;
    NextWord(line);
    std::array<uint64_t, kSectorsWritten + 1> columns{};
    for (uint64_t& column : columns) column = ParseNumber<uint64_t>(NextWord(line)).value_or(0);
    disks[*major << FFDC_DEV_MINOR_BITS | *minor] = {columns[kSectorsRead] * kSectorBytes,
                                                     columns[kSectorsWritten] * kSectorBytes};
  }
  return disks;
}

DiskByteCounter::DiskByteCounter(const std::string& path) : file_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}

void DiskByteCounter::Tick() {
  if (!file_.valid()) return;
  if (buffer_.empty()) buffer_.resize(kFirstBufferBytes);
  size_t size = 0;
  while (size < kMaxFileBytes) {
    if (size == buffer_.size()) buffer_.resize(size * 2);
    const ssize_t got =
        pread(file_.get(), buffer_.data() + size, buffer_.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size += static_cast<size_t>(got);
  }
  before_ = std::move(now_);
  now_ = ParseDiskBytes(std::string_view(buffer_).substr(0, size));
}

DiskBytes DiskByteCounter::LastSecond(uint32_t dev) const {
  const auto now = now_.find(dev);
  const auto before = before_.find(dev);
  if (now == now_.end() || before == before_.end()) return {};
  // Another disk of the same number starts from nothing.
  if (now->second.read < before->second.read || now->second.written < before->second.written) return {};
  return {now->second.read - before->second.read, now->second.written - before->second.written};
}

}  // namespace ffdc
