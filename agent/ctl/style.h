// SPDX-License-Identifier: Apache-2.0
// Colour, where somebody looks.
#pragma once

#include <string>
#include <string_view>

namespace ffdc::ctl {

enum class Style { kPlain, kBold, kDim, kRed, kYellow, kGreen };

class Painter {
 public:
  explicit Painter(bool colour) : colour_(colour) {}
  [[nodiscard]] std::string operator()(Style style, std::string_view text) const;
  [[nodiscard]] std::string Bold(std::string_view text) const { return (*this)(Style::kBold, text); }
  [[nodiscard]] std::string Dim(std::string_view text) const { return (*this)(Style::kDim, text); }

 private:
  bool colour_;
};

}  // namespace ffdc::ctl
