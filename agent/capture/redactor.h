// SPDX-License-Identifier: Apache-2.0
// Takes out of text what the rules name, line by line, in time that grows with the text alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "capture/alias.h"
#include "capture/redact_rules.h"

namespace re2 {
class RE2;
}

namespace ffdc {

// What one file came to.
struct Redaction {
  uint64_t redactions = 0;
  uint64_t lines_cut = 0;  // longer than kMaxLineBytes
  bool is_text = true;     // else nothing was looked at, and nothing written
};

class Redactor {
 public:
  static constexpr size_t kMaxLineBytes = 256u << 10;

  explicit Redactor(RedactRules rules);
  Redactor(const Redactor&) = delete;
  Redactor& operator=(const Redactor&) = delete;

  // What is read from `in` goes to `out`. A file that begins with binary data is none.
  Result<Redaction> Run(int in, int out, const std::string& name);
  // Of one text, for what lies in memory.
  std::string Text(std::string_view text, Redaction* redaction);

  [[nodiscard]] const RedactRules& rules() const { return rules_; }

 private:
  class Lines;
  void Line(std::string line, std::string* out, uint64_t* redactions);
  bool PrivateKey(std::string* line, uint64_t* redactions);
  static void Pattern(const RedactPattern& pattern, std::string* line, uint64_t* redactions);

  RedactRules rules_;
  Aliaser aliaser_;
  // All patterns in one: most lines hold nothing, and are looked at once.
  std::shared_ptr<const re2::RE2> any_;
  size_t key_lines_left_ = 0;  // inside a private key in PEM
};

}  // namespace ffdc
