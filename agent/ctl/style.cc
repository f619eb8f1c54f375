// SPDX-License-Identifier: Apache-2.0
#include "ctl/style.h"

namespace ffdc::ctl {
namespace {

std::string_view Code(Style style) {
  switch (style) {
    case Style::kBold:
      return "1";
    case Style::kDim:
      return "2";
    case Style::kRed:
      return "1;31";
    case Style::kYellow:
      return "33";
    case Style::kGreen:
      return "32";
    case Style::kPlain:
      break;
  }
  return "";
}

}  // namespace

std::string Painter::operator()(Style style, std::string_view text) const {
  if (!colour_ || style == Style::kPlain || text.empty()) return std::string(text);
  return "\033[" + std::string(Code(style)) + "m" + std::string(text) + "\033[0m";
}

}  // namespace ffdc::ctl
