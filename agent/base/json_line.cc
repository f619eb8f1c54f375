// SPDX-License-Identifier: Apache-2.0
#include "base/json_line.h"

#include <algorithm>

#include "base/utf8.h"

namespace ffdc {

void JsonLine::String(std::string_view value) {
  const bool ascii =
      std::all_of(value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii) {
    writer_.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
    return;
  }
  const std::string text = Utf8Text(value);
  writer_.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

}  // namespace ffdc
