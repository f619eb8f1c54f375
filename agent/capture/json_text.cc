// SPDX-License-Identifier: Apache-2.0
#include "capture/json_text.h"

#include <algorithm>

#include "base/rapidjson.h"

namespace ffdc {
namespace {

bool IsJson(std::string_view line) {
  const size_t first = line.find_first_not_of(" \t\r");
  // A NUL would be taken for the end.
  if (first == line.npos || (line[first] != '{' && line[first] != '[') || line.find('\0') != line.npos)
    return false;
  rapidjson::MemoryStream stream(line.data(), line.size());
  rapidjson::BaseReaderHandler<> nothing;
  // Iterative: however deep it is nested, the stack is not.
  return !rapidjson::Reader().Parse<rapidjson::kParseIterativeFlag>(stream, nothing).IsError();
}

bool IsBare(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' || c == '.' || c == 'E';
}

}  // namespace

std::optional<JsonText> JsonText::Of(std::string_view line) {
  if (!IsJson(line)) return {};
  JsonText json;
  for (size_t at = 0; at < line.size();) {
    const size_t begin = at;
    if (line[at] == '"') {
      for (++at; line[at] != '"';) {
        const size_t size = line[at] != '\\' ? 1 : line[at + 1] == 'u' ? 6 : 2;
        if (size > 1) json.escapes_.emplace_back(at, at + size);
        at += size;
      }
      json.texts_.push_back({begin + 1, at++, false});
    } else if (IsBare(line[at])) {
      while (at < line.size() && IsBare(line[at])) ++at;
      json.texts_.push_back({begin, at, true});
    } else {
      ++at;
    }
  }
  return json;
}

std::vector<JsonText::Piece>::const_iterator JsonText::FirstBehind(size_t at) const {
  return std::upper_bound(texts_.begin(), texts_.end(), at,
                          [](size_t place, const Piece& text) { return place < text.end; });
}

JsonText::Piece JsonText::Widened(const Piece& piece) const {
  Piece widened = piece;
  const auto around = [this](size_t at) {
    const auto next =
        std::upper_bound(escapes_.begin(), escapes_.end(), at,
                         [](size_t place, const auto& escape) { return place < escape.second; });
    return next != escapes_.end() && next->first < at ? *next : std::pair(at, at);
  };
  widened.begin = around(piece.begin).first;
  widened.end = around(piece.end).second;
  return widened;
}

std::vector<JsonText::Piece> JsonText::Within(size_t begin, size_t end) const {
  std::vector<Piece> pieces;
  for (auto text = FirstBehind(begin); text != texts_.end() && text->begin < end; ++text) {
    if (text->bare) {
      pieces.push_back(*text);
      continue;
    }
    const Piece piece = Widened({std::max(begin, text->begin), std::min(end, text->end), false});
    if (piece.begin < piece.end) pieces.push_back(piece);
  }
  return pieces;
}

size_t JsonText::EndOfString(size_t at) const {
  const auto text = FirstBehind(at);
  return text == texts_.end() ? at : text->end;
}

}  // namespace ffdc
