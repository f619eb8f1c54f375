// SPDX-License-Identifier: Apache-2.0
// links: ffdc_store
// A capture's archive, its manifest and its kernel log, from a store that others write to too: the timeline
// is text in one order, whatever they hold.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "ffdc/v1/manifest.pb.h"
#include "store/timeline.h"

namespace {

class Bytes final : public ffdc::ByteSource {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] uint64_t size_bytes() const override { return bytes_.size(); }
  ffdc::Result<size_t> Read(char* buffer, size_t size) override {
    const size_t got = std::min(size, bytes_.size());
    memcpy(buffer, bytes_.data(), got);
    bytes_.remove_prefix(got);
    return got;
  }

 private:
  std::string_view bytes_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ffdc::Timeline timeline;
  ffdc::v1::Manifest manifest;
  if (manifest.ParseFromArray(data, static_cast<int>(size))) timeline.AddCapture(manifest);
  ffdc::v1::Incident incident;
  if (incident.ParseFromArray(data, static_cast<int>(size))) timeline.AddIncident(incident);
  timeline.AddKernelLog("a", text);
  Bytes archive(text);
  timeline.AddArchive("b", archive);
  const std::string lines = timeline.Jsonl();
  for (const char c : timeline.Text()) {
    if (c != '\n' && c != '\t' && static_cast<unsigned char>(c) < ' ') abort();
  }
  if (std::count(lines.begin(), lines.end(), '\n') > static_cast<ptrdiff_t>(size)) abort();
  return 0;
}
