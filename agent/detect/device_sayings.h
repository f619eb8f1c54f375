// SPDX-License-Identifier: Apache-2.0
// What devices said of the I/O that they failed, kept until the block layer's
// record of the same failure asks for it, or the other way round: the two come
// through different ring buffers.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "detect/detector.h"

namespace ffdc {

class DeviceSayings {
 public:
  explicit DeviceSayings(const DetectorWorld& world) : world_(world) {}

  // The disk that a record of SCSI or NVMe speaks of; 0: it speaks of none, or only of a timeout.
  uint32_t Hear(const ffdc_record_header& record);
  // Fills in the failed I/O's `detail` and adds the event's fact, if the device has said something
  // about it. A later try's answer goes before an earlier one's.
  bool Explain(uint32_t dev, v1::FailedIo& io, v1::Event& event) const;

 private:
  struct Saying {
    uint64_t time_ns = 0;
    uint64_t sector = 0;
    uint32_t len_bytes = 0;
    uint32_t dev = 0;
    uint8_t op = 0;
    const char* fact = "";  // "sense", "scsi_status", "scsi_host", "nvme_status"
    std::string text;
  };
  [[nodiscard]] bool IsAbout(const Saying& saying, uint32_t dev, const v1::FailedIo& io) const;

  DetectorWorld world_;
  std::deque<Saying> recent_;  // oldest first
};

// The disk of an NVMe record: of a path, the multipath disk that it belongs to.
uint32_t NvmeDisk(const DetectorWorld& world, const ffdc_record_header& record);

}  // namespace ffdc
