// SPDX-License-Identifier: Apache-2.0
// links: ffdc_capture
// A file of rules: whatever is in there, it is refused or its rules can be used.
#include <cstdlib>

#include "capture/redactor.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto rules = ffdc::ParseRedactRules({reinterpret_cast<const char*>(data), size}, "rules");
  if (!rules) return 0;
  if (rules->names.empty()) abort();
  ffdc::Redactor redactor(std::move(*rules));
  ffdc::Redaction redaction;
  redactor.Text("password=a 10.0.0.1 db1.example.com https://a:b@c/\n-----BEGIN PRIVATE KEY-----\nx",
                &redaction);
  return 0;
}
