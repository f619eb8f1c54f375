// SPDX-License-Identifier: Apache-2.0
// links: ffdc_capture
// Lines of /proc and of cgroupfs: names in them are the choice of processes,
// mounts and containers. The first byte chooses the parser.
#include <cstdint>
#include <cstdlib>

#include "base/mountinfo.h"
#include "capture/blocked_tasks.h"
#include "capture/node_state.h"
#include "capture/process_io.h"

// After json_line.h, which has a word with the sanitizer about it.
#include <rapidjson/reader.h>

namespace {

void CheckJson(ffdc::JsonLine& line) {
  const std::string text(line.End());
  rapidjson::StringStream stream(text.c_str());
  rapidjson::BaseReaderHandler<> handler;
  rapidjson::Reader reader;
  if (!reader.Parse<rapidjson::kParseValidateEncodingFlag>(stream, handler)) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  ffdc::DeviceNames names("/nonexistent");
  ffdc::JsonLine line;
  line.Begin();
  switch (data[0] % 6) {
    case 0:
      if (const auto stat = ffdc::ParseTaskStat(text)) line.Field("comm", stat->comm);
      break;
    case 1:
      if (const auto mount = ffdc::ParseMount(text)) line.Field("point", mount->point);
      break;
    case 2:
      if (const auto socket = ffdc::ParseInetSocket(text))
        line.Field("s", ffdc::FormatInetSocket("tcp", *socket));
      break;
    case 3:
      ffdc::AddIoStat(text, names, line);
      break;
    case 4:
      ffdc::AddBlkioStat("ios", text, names, line);
      break;
    default:
      line.Field("cgroup", ffdc::ParseCgroup(text));
      if (ffdc::ParseProcessIo(text)) line.Field("io", true);
  }
  CheckJson(line);
  return 0;
}
