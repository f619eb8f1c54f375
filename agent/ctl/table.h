// SPDX-License-Identifier: Apache-2.0
// Columns of text that fit the page: what is too wide is shortened, the widest
// shrinkable column first.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ctl/style.h"
#include "ctl/text.h"

namespace ffdc::ctl {

enum class Align { kLeft, kRight };

struct Column {
  std::string_view header;
  Align align = Align::kLeft;
  size_t min_width = kPageWidth;  // never shortened below this (nor below the header); by default not at all
};

struct Cell {
  Cell(const std::string& cell_text, Style cell_style = Style::kPlain)  // NOLINT(google-explicit-constructor)
      : text(Printable(cell_text)), style(cell_style) {}
  Cell(std::string_view cell_text) : Cell(std::string(cell_text)) {}  // NOLINT(google-explicit-constructor)
  Cell(const char* cell_text) : Cell(std::string(cell_text)) {}       // NOLINT(google-explicit-constructor)
  std::string text;
  Style style;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void Add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }  // one cell a column
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  // Lines of at most `width` columns, each after `indent` blanks; ends with a newline.
  [[nodiscard]] std::string Render(const Painter& paint, size_t indent = 0, size_t width = kPageWidth) const;

 private:
  [[nodiscard]] std::vector<size_t> Widths(size_t available) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace ffdc::ctl
