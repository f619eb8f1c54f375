// SPDX-License-Identifier: Apache-2.0
#include "ctl/table.h"

#include <algorithm>
#include <numeric>

namespace ffdc::ctl {
namespace {

constexpr size_t kGap = 2;

std::string Fit(const Cell& cell, const Column& column, size_t width, bool last, const Painter& paint) {
  const std::string text = ShortenMiddle(cell.text, width);
  const std::string fill(width - std::min(width, DisplayWidth(text)), ' ');
  if (column.align == Align::kRight) return fill + paint(cell.style, text);
  return paint(cell.style, text) + (last ? "" : fill);
}

void TrimRight(std::string& line) { line.erase(line.find_last_not_of(' ') + 1); }

}  // namespace

std::vector<size_t> Table::Widths(size_t available) const {
  std::vector<size_t> widths;
  std::vector<size_t> smallest;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t width = DisplayWidth(columns_[i].header);
    const size_t header = width;
    for (const auto& row : rows_) width = std::max(width, DisplayWidth(row[i].text));
    widths.push_back(width);
    smallest.push_back(std::max(header, std::min(width, columns_[i].min_width)));
  }
  const size_t gaps = kGap * (columns_.size() - 1);
  size_t total = std::accumulate(widths.begin(), widths.end(), gaps);
  while (total > available) {
    // One column of the widest that can still give.
    size_t widest = columns_.size();
    for (size_t i = 0; i < widths.size(); ++i) {
      if (widths[i] > smallest[i] && (widest == columns_.size() || widths[i] > widths[widest])) widest = i;
    }
    if (widest == columns_.size()) break;
    --widths[widest];
    --total;
  }
  return widths;
}

std::string Table::Render(const Painter& paint, size_t indent, size_t width) const {
  const std::vector<size_t> widths = Widths(width - indent);
  std::string text;
  const auto add_line = [&](const auto& cell_of) {
    std::string line(indent, ' ');
    for (size_t i = 0; i < columns_.size(); ++i) {
      const bool last = i + 1 == columns_.size();
      line += Fit(cell_of(i), columns_[i], widths[i], last, paint);
      if (!last) line += std::string(kGap, ' ');
    }
    TrimRight(line);
    text += line + "\n";
  };
  const bool has_header =
      std::any_of(columns_.begin(), columns_.end(), [](const Column& c) { return !c.header.empty(); });
  if (has_header) add_line([&](size_t i) { return Cell(std::string(columns_[i].header), Style::kBold); });
  for (const auto& row : rows_) add_line([&](size_t i) { return row[i]; });
  return text;
}

}  // namespace ffdc::ctl
