// SPDX-License-Identifier: Apache-2.0
#include "ctl/render.h"

#include <algorithm>

#include "ctl/format.h"
#include "ctl/text.h"

namespace ffdc::ctl {

std::string ProblemLines(const google::protobuf::RepeatedPtrField<std::string>& problems, const Page& page) {
  if (problems.empty()) return page.paint(Style::kGreen, "All is well.") + "\n";
  std::string text;
  for (const std::string& problem : problems) {
    std::string_view mark = "! ";
    for (const std::string& line : Wrap(Printable(problem), kPageWidth - mark.size())) {
      text += page.paint(Style::kRed, std::string(mark) + line) + "\n";
      mark = "  ";
    }
  }
  return text;
}

std::string Heading(std::string_view title, const Page& page) { return "\n" + page.paint.Bold(title) + "\n"; }

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

std::string Note(std::string_view name, std::string_view text, Style style, const Page& page) {
  constexpr std::string_view kIndent = "  ";
  constexpr std::string_view kHanging = "      ";
  const std::string start = Printable(name) + ":";
  std::string block;
  for (const std::string& line : Wrap(start + " " + Printable(text), kPageWidth - kHanging.size())) {
    if (!block.empty()) {
      block += std::string(kHanging) + line + "\n";
    } else if (line.starts_with(start)) {
      block += std::string(kIndent) + page.paint(style, start) + line.substr(start.size()) + "\n";
    } else {
      block += std::string(kIndent) + line + "\n";
    }
  }
  return block;
}

std::string Losses(const google::protobuf::RepeatedPtrField<v1::Loss>& losses, const Page& page) {
  std::string text;
  for (const v1::Loss& loss : losses) {
    if (loss.count() == 0) continue;
    text += Note(loss.what(), Joined({FormatCount(loss.count()), loss.detail()}, ", "), Style::kYellow, page);
  }
  return text.empty() ? "  nothing\n" : text;
}

std::string Notes(const google::protobuf::RepeatedPtrField<v1::Loss>& losses, const Page& page) {
  std::string text;
  for (const v1::Loss& loss : losses) {
    if (loss.count() == 0) text += Note(loss.what(), loss.detail(), Style::kDim, page);
  }
  return text;
}

std::string Interleave(std::string_view table, const std::vector<std::string>& blocks) {
  std::string text;
  for (const std::string& block : blocks) {
    const size_t line = std::min(table.find('\n'), table.size() - 1) + 1;
    text += std::string(table.substr(0, line)) + block;
    table.remove_prefix(line);
  }
  return text;
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
