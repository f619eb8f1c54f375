// SPDX-License-Identifier: Apache-2.0
// The kernel's counters behind the 1 Hz history. Their files stay open: a sample
// is a pread, a parse and no allocation as long as no name comes or goes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace ffdc {

// What a file had to say: rows of values. The names are made anew only when a
// row's key or length is not what it was last time.
class HistoryRows {
 public:
  // Appends one name a value; the prefix is the file's.
  using Namer = void (*)(std::string_view prefix, std::string_view key, size_t count,
                         std::vector<std::string>& names);

  explicit HistoryRows(std::string_view prefix) : prefix_(prefix) {}

  void Begin();
  void Row(std::string_view key, std::span<const int64_t> values, Namer namer);
  void LeaveOut() { ++left_out_; }  // a row too many
  // true: names() changed.
  bool End();

  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] const std::vector<int64_t>& values() const { return values_; }
  [[nodiscard]] uint64_t left_out() const { return left_out_; }
  [[nodiscard]] size_t rows() const { return row_; }

 private:
  struct Shape {
    std::string key;
    size_t count = 0;
    Namer namer = nullptr;
  };

  std::string_view prefix_;
  std::vector<Shape> shapes_;
  size_t row_ = 0;
  bool changed_ = false;
  std::vector<std::string> names_;
  std::vector<int64_t> values_;
  uint64_t left_out_ = 0;
};

class HistorySource {
 public:
  using Parser = void (*)(std::string_view text, HistoryRows& rows);

  HistorySource(Fd file, std::string_view prefix, Parser parse)
      : file_(std::move(file)), rows_(prefix), parse_(parse) {}

  // Reads the file into rows(), through a buffer that all sources share. true: the names changed.
  bool Read(std::string& buffer);
  [[nodiscard]] const HistoryRows& rows() const { return rows_; }

 private:
  Fd file_;
  HistoryRows rows_;
  Parser parse_;
};

// All that this kernel has (PSI is an option).
std::vector<HistorySource> OpenHistorySources(const std::filesystem::path& procfs);

}  // namespace ffdc
