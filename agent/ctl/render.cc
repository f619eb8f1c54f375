// SPDX-License-Identifier: Apache-2.0
#include "ctl/render.h"

#include <algorithm>

#include "ctl/format.h"
#include "ctl/table.h"
#include "ctl/text.h"

namespace ffdc::ctl {

std::string Field(std::string_view label, std::string_view text) {
  constexpr size_t kIndent = 2;
  constexpr size_t kLabelWidth = 11;
  std::string block;
  std::string start = std::string(kIndent, ' ') + std::string(label);
  for (const std::string& line : Wrap(Printable(text), kPageWidth - kIndent - kLabelWidth)) {
    start.resize(std::max(start.size(), kIndent + kLabelWidth), ' ');
    block += start + line + "\n";
    start.clear();
  }
  return block;
}

std::string Losses(const google::protobuf::RepeatedPtrField<v1::Loss>& losses, const Page& page) {
  Table table({{"", Align::kLeft, 24}, {"", Align::kRight}, {"", Align::kLeft, 16}});
  for (const v1::Loss& loss : losses) {
    if (loss.count() > 0)
      table.Add({{loss.what(), Style::kYellow}, FormatCount(loss.count()), loss.detail()});
  }
  return table.empty() ? "  nothing\n" : table.Render(page.paint, 2);
}

std::string Joined(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (const std::string& part : parts) {
    if (part.empty()) continue;
    if (!text.empty()) text += separator;
    text += part;
  }
  return text;
}

}  // namespace ffdc::ctl
