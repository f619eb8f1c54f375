// SPDX-License-Identifier: Apache-2.0
#include "detect/device_sayings.h"

#include <algorithm>
#include <cstring>

#include "base/block_dev.h"
#include "base/block_words.h"
#include "detect/nvme_words.h"
#include "detect/open_events.h"
#include "detect/scsi_words.h"
#include "ffdc/abi/nvme.h"
#include "ffdc/abi/scsi.h"

namespace ffdc {
namespace {

constexpr size_t kMaxSayings = 512;
// Between a command's end and the end of its request lie softirqs and, of multipath, a work queue.
constexpr uint64_t kMatchSlackNs = 100'000'000;
// How long before a failure of unknown length its device may have spoken.
constexpr uint64_t kUntimedNs = 2'000'000'000;

}  // namespace

uint32_t NvmeDisk(const DetectorWorld& world, const ffdc_record_header& record) {
  const auto& error = reinterpret_cast<const ffdc_nvme_error&>(record);
  const std::string name(error.disk, strnlen(error.disk, sizeof error.disk));
  const std::string head = NvmeHead(name);
  const uint32_t dev = head.empty() || !world.disk_by_name ? 0 : world.disk_by_name(head);
  return dev == 0 ? error.dev : dev;
}

uint32_t DeviceSayings::Hear(const ffdc_record_header& record) {
  Saying saying;
  if (record.kind == FFDC_FAULT_SCSI_ERROR) {
    const auto& error = reinterpret_cast<const ffdc_scsi_error&>(record);
    const char* fact = error.response != 0 ? "sense" : error.host != 0 ? "scsi_host" : "scsi_status";
    saying = {record.time_ns, error.sector, error.len_bytes, error.dev, error.op, fact, ScsiErrorText(error)};
  } else if (record.kind == FFDC_FAULT_NVME_ERROR) {
    const auto& error = reinterpret_cast<const ffdc_nvme_error&>(record);
    saying = {record.time_ns,
              error.sector,
              error.len_bytes,
              NvmeDisk(world_, record),
              error.op,
              "nvme_status",
              NvmeStatusText(error.status)};
  } else {
    return 0;
  }
  const uint32_t dev = saying.dev;
  if (recent_.size() == kMaxSayings) recent_.pop_front();
  recent_.push_back(std::move(saying));
  return dev;
}

bool DeviceSayings::IsAbout(const Saying& saying, uint32_t dev, const v1::FailedIo& io) const {
  if (saying.dev != dev || io.op() != world_.op_name(saying.op)) return false;
  // A command that failed in its middle completes what is good first.
  const uint64_t sectors = std::max<uint64_t>(1, saying.len_bytes / kSectorBytes);
  if (io.sector() < saying.sector || io.sector() >= saying.sector + sectors) return false;
  const uint64_t before_ns = io.latency_ns() == 0 ? kUntimedNs : io.latency_ns() + kMatchSlackNs;
  return saying.time_ns + before_ns >= io.time_mono_ns() &&
         saying.time_ns <= io.time_mono_ns() + kMatchSlackNs;
}

bool DeviceSayings::Explain(uint32_t dev, v1::FailedIo& io, v1::Event& event) const {
  const auto found = std::find_if(recent_.rbegin(), recent_.rend(),
                                  [&](const Saying& saying) { return IsAbout(saying, dev, io); });
  if (found == recent_.rend()) return false;
  io.set_detail(found->text);
  const bool known = std::any_of(event.facts().begin(), event.facts().end(),
                                 [&](const v1::Fact& fact) { return fact.name() == found->fact; });
  if (!known) SetFact(event, found->fact, found->text);
  return true;
}

}  // namespace ffdc
