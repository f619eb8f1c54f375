// SPDX-License-Identifier: Apache-2.0
// links: ffdc_config
// Any text either parses, to settings that describe themselves in TOML that
// parses to the same, or is refused with a place.
#include <cstdlib>

#include "config/settings.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto settings = ffdc::ParseSettings({reinterpret_cast<const char*>(data), size}, "fuzz.toml");
  if (!settings) {
    if (!settings.error().message.starts_with("fuzz.toml:")) abort();
    return 0;
  }
  std::string text;
  for (const ffdc::SettingText& key : ffdc::DescribeSettings(*settings))
    text += key.key + " = " + key.value + "\n";
  const auto again = ffdc::ParseSettings(text, "fuzz.toml");
  if (!again) abort();
  std::string text_again;
  for (const ffdc::SettingText& key : ffdc::DescribeSettings(*again)) {
    text_again += key.key + " = " + key.value + "\n";
  }
  if (text != text_again) abort();
  return 0;
}
