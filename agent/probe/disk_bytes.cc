// SPDX-License-Identifier: Apache-2.0
#include "probe/disk_bytes.h"

#include <utility>

namespace ffdc {

void DiskByteCounter::Tick() {
  before_ = std::move(now_);
  now_ = file_.Read();
}

DiskBytes DiskByteCounter::LastSecond(uint32_t dev) const {
  const auto now = now_.find(dev);
  const auto before = before_.find(dev);
  if (now == now_.end() || before == before_.end()) return {};
  const DiskStats& is = now->second;
  const DiskStats& was = before->second;
  // Another disk of the same number starts from nothing.
  if (is.read_bytes < was.read_bytes || is.written_bytes < was.written_bytes) return {};
  return {is.read_bytes - was.read_bytes, is.written_bytes - was.written_bytes};
}

}  // namespace ffdc
