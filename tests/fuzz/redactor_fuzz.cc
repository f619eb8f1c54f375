// SPDX-License-Identifier: Apache-2.0
// links: ffdc_capture
// Any text under all rules: what they leave has as many lines, and a line that was JSON is JSON.
#include <algorithm>
#include <cstdlib>

#include "capture/json_text.h"
#include "capture/redactor.h"

namespace {

ffdc::Redactor MakeRedactor() {
  auto rules = ffdc::ParseRedactRules(
      "builtin = ['passwords', 'private_keys', 'tokens', 'urls']\n[alias]\nsecret = '0123456789abcdef'\n"
      "addresses = true\nhosts = ['db1']\ndomains = ['example.com']\n",
      "rules");
  if (!rules) abort();
  return ffdc::Redactor(std::move(*rules));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static ffdc::Redactor redactor = MakeRedactor();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ffdc::Redaction redaction;
  const std::string out = redactor.Text(text, &redaction);
  if (std::count(text.begin(), text.end(), '\n') != std::count(out.begin(), out.end(), '\n')) abort();
  if (redaction.redactions == 0 && redaction.lines_cut == 0 && out.size() > text.size()) abort();
  const bool one_line = text.find('\n') == text.npos && redaction.lines_cut == 0;
  if (one_line && ffdc::JsonText::Of(text) && !ffdc::JsonText::Of(out)) abort();
  return 0;
}
