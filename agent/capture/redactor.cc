// SPDX-License-Identifier: Apache-2.0
#include "capture/redactor.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "base/fs.h"
#include "capture/json_text.h"

namespace ffdc {
namespace {

constexpr size_t kChunkBytes = 256u << 10;
constexpr size_t kLookBytes = 8u << 10;
constexpr int64_t kAnyMemory = 8 << 20;
constexpr int kMaxGroups = 8;
// A key that does not end is no reason to leave out all that follows.
constexpr size_t kMaxKeyLines = 1000;
constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";
constexpr std::string_view kKeyWord = "PRIVATE KEY-----";
constexpr size_t kMaxLabelBytes = 64;

constexpr std::string_view kMark = "[redacted:";

// Puts a line together anew, with a mark in place of what a rule found. JSON stays JSON: what a rule finds
// across strings, as the comma behind "password=", is no text.
class Rewriter {
 public:
  Rewriter(const std::string& line, const std::string& rule) : line_(line) {
    mark_.append(kMark).append(rule).append("]");
  }

  // In the order of the line.
  void Replace(size_t begin, size_t end) {
    if (!Json()) return Put({begin, end, false});
    for (const JsonText::Piece& piece : Json()->Within(begin, end)) Put(piece);
  }
  // Of the string in JSON around `at`; npos: it is no JSON.
  [[nodiscard]] size_t EndOfString(size_t at) { return Json() ? Json()->EndOfString(at) : std::string::npos; }
  [[nodiscard]] uint64_t replaced() const { return replaced_; }
  std::string Finish() { return std::move(out_.append(line_, copied_)); }

 private:
  // Most lines have nothing in them that asks.
  const std::optional<JsonText>& Json() {
    if (!std::exchange(looked_, true)) json_ = JsonText::Of(line_);
    return json_;
  }
  void Put(const JsonText::Piece& piece) {
    // Two of one number, or of one escape.
    if (piece.begin < copied_ && (piece.bare || piece.end <= copied_)) return;
    const size_t begin = std::max(piece.begin, copied_);
    if (std::string_view(line_).substr(begin).starts_with(kMark)) return;
    out_.append(line_, copied_, begin - copied_);
    out_.append(piece.bare ? '"' + mark_ + '"' : mark_);
    copied_ = piece.end;
    ++replaced_;
  }

  const std::string& line_;
  std::string mark_;
  std::string out_;
  size_t copied_ = 0;
  uint64_t replaced_ = 0;
  bool looked_ = false;
  std::optional<JsonText> json_;
};

// Where "-----BEGIN … PRIVATE KEY-----" begins and ends.
std::pair<size_t, size_t> FindKeyLine(std::string_view line, std::string_view opening, size_t from) {
  for (size_t at = line.find(opening, from); at != line.npos; at = line.find(opening, at + 1)) {
    const size_t word = line.substr(0, at + opening.size() + kMaxLabelBytes).find(kKeyWord, at);
    if (word != line.npos) return {at, word + kKeyWord.size()};
  }
  return {line.npos, line.npos};
}

}  // namespace

// Cuts what comes in pieces into lines.
class Redactor::Lines {
 public:
  Lines(Redactor& redactor, Redaction* redaction) : redactor_(redactor), redaction_(redaction) {}

  // Returns what is done by now.
  std::string Add(std::string_view piece) {
    std::string out;
    while (!piece.empty()) {
      const size_t end = piece.find('\n');
      Append(piece.substr(0, end));
      if (end == piece.npos) break;
      piece.remove_prefix(end + 1);
      EndLine(&out);
      out += '\n';
    }
    return out;
  }
  std::string Finish() {
    std::string out;
    EndLine(&out);
    return out;
  }

 private:
  void Append(std::string_view piece) {
    const size_t room = kMaxLineBytes - line_.size();
    line_.append(piece.substr(0, room));
    cut_ = cut_ || piece.size() > room;
  }
  void EndLine(std::string* out) {
    if (line_.empty()) return;
    redactor_.Line(std::exchange(line_, {}), out, &redaction_->redactions);
    if (std::exchange(cut_, false)) {
      *out += "[cut]";
      ++redaction_->lines_cut;
    }
  }

  Redactor& redactor_;
  Redaction* redaction_;
  std::string line_;
  bool cut_ = false;
};

Redactor::Redactor(RedactRules rules) : rules_(std::move(rules)), aliaser_(rules_.alias) {
  std::string all;
  for (const RedactPattern& pattern : rules_.patterns)
    all += (all.empty() ? "(?:" : "|(?:") + pattern.regex + ")";
  RE2::Options options;
  options.set_encoding(RE2::Options::EncodingLatin1);
  options.set_log_errors(false);
  options.set_never_capture(true);
  options.set_max_mem(kAnyMemory);
  auto any = std::make_shared<const RE2>(all, options);
  if (any->ok()) any_ = std::move(any);  // too large: then each pattern is tried
}

// True: the line is inside of a key, and nothing of it is left.
bool Redactor::PrivateKey(std::string* line, uint64_t* redactions) {
  if (key_lines_left_ > 0) {
    const size_t end = FindKeyLine(*line, kEnd, 0).second;
    key_lines_left_ = end == line->npos ? key_lines_left_ - 1 : 0;
    if (end == line->npos) return true;
    line->erase(0, end);
  }
  size_t begin = FindKeyLine(*line, kBegin, 0).first;
  if (begin == line->npos) return false;
  Rewriter rewriter(*line, "private_keys");
  while (begin != line->npos) {
    // A string in JSON may end before its key does.
    const size_t last = rewriter.EndOfString(begin);
    size_t end = FindKeyLine(std::string_view(*line).substr(0, last), kEnd, begin).second;
    if (end == line->npos) end = last != line->npos ? last : line->find('"', begin);
    if (end == line->npos) key_lines_left_ = kMaxKeyLines;
    end = std::min(end, line->size());
    rewriter.Replace(begin, end);
    begin = FindKeyLine(*line, kBegin, end).first;
  }
  *redactions += rewriter.replaced();
  *line = rewriter.Finish();
  return false;
}

void Redactor::Pattern(const RedactPattern& pattern, std::string* line, uint64_t* redactions) {
  Rewriter rewriter(*line, pattern.name);
  std::array<re2::StringPiece, kMaxGroups> found;
  const int groups = std::min(kMaxGroups, 1 + pattern.compiled->NumberOfCapturingGroups());
  const re2::StringPiece text(line->data(), line->size());
  for (size_t at = 0; at <= line->size() && pattern.compiled->Match(text, at, text.size(), RE2::UNANCHORED,
                                                                    found.data(), groups);) {
    const auto* which = std::find_if(found.begin() + 1, found.begin() + groups,
                                     [](const re2::StringPiece& group) { return group.data() != nullptr; });
    const re2::StringPiece& what = which == found.begin() + groups ? found[0] : *which;
    const auto begin = static_cast<size_t>(what.data() - line->data());
    const size_t end = begin + what.size();
    if (!what.empty()) rewriter.Replace(begin, end);
    // A pattern that may match nothing in some place still moves on.
    const auto match_end = static_cast<size_t>(found[0].data() - line->data()) + found[0].size();
    at = std::max({end, match_end, at + 1});
  }
  if (rewriter.replaced() == 0) return;
  *redactions += rewriter.replaced();
  *line = rewriter.Finish();
}

void Redactor::Line(std::string line, std::string* out, uint64_t* redactions) {
  if (rules_.private_keys && PrivateKey(&line, redactions)) return;
  const re2::StringPiece text(line.data(), line.size());
  const bool nothing = any_ != nullptr && !any_->Match(text, 0, text.size(), RE2::UNANCHORED, nullptr, 0);
  if (!rules_.patterns.empty() && !nothing) {
    for (const RedactPattern& pattern : rules_.patterns) Pattern(pattern, &line, redactions);
  }
  *out += aliaser_.Replace(line, redactions);
}

std::string Redactor::Text(std::string_view text, Redaction* redaction) {
  key_lines_left_ = 0;
  Lines lines(*this, redaction);
  const std::string out = lines.Add(text);
  return out + lines.Finish();
}

Result<Redaction> Redactor::Run(int in, int out, const std::string& name) {
  key_lines_left_ = 0;
  Redaction redaction;
  Lines lines(*this, &redaction);
  std::vector<char> chunk(kChunkBytes);
  for (bool first = true;; first = false) {
    FFDC_ASSIGN(const size_t got, ReadSome(in, chunk.data(), chunk.size(), name));
    if (got == 0) break;
    const std::string_view piece(chunk.data(), got);
    if (first && piece.substr(0, kLookBytes).find('\0') != piece.npos) {
      redaction.is_text = false;
      return redaction;
    }
    FFDC_TRY(WriteAll(out, lines.Add(piece), name));
  }
  FFDC_TRY(WriteAll(out, lines.Finish(), name));
  return redaction;
}

}  // namespace ffdc
