// SPDX-License-Identifier: Apache-2.0
// Where text may be taken out of a line of JSON, so that what is left is still JSON.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace ffdc {

class JsonText {
 public:
  struct Piece {
    size_t begin;
    size_t end;
    bool bare;  // a number, true, false or null: what replaces it needs quotes
  };

  // Nothing: the line is no JSON.
  static std::optional<JsonText> Of(std::string_view line);

  // What of [begin, end) is text, string by string: no quote, no half of an escape, no part of a number.
  [[nodiscard]] std::vector<Piece> Within(size_t begin, size_t end) const;
  // Where the string around `at` ends.
  [[nodiscard]] size_t EndOfString(size_t at) const;

 private:
  [[nodiscard]] std::vector<Piece>::const_iterator FirstBehind(size_t at) const;
  [[nodiscard]] Piece Widened(const Piece& piece) const;

  std::vector<Piece> texts_;  // without quotes; in order, as the next
  std::vector<std::pair<size_t, size_t>> escapes_;
};

}  // namespace ffdc
