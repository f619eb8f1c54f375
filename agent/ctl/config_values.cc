// SPDX-License-Identifier: Apache-2.0
#include "ctl/config_values.h"

#include <cerrno>

#include "base/drop_ins.h"
#include "base/fs.h"
#include "base/toml_parser.h"
#include "base/toml_screen.h"

namespace ffdc::ctl {
namespace {

Unexpected Wrong(const std::string& path, unsigned line, std::string_view why) {
  return Fail(path + ":" + std::to_string(line) + ": " + std::string(why) + ": see `ffdcd --check-config`",
              EINVAL);
}

Result<> ReadInto(const std::string& path, ConfigValues& values) {
  FFDC_ASSIGN(const std::string text, ReadFile(path));
  // What the agent refuses before the TOML library sees it must not reach the library here.
  if (const auto unreadable = FindUnreadable(text)) return Wrong(path, unreadable->line, unreadable->why);
  try {
    const toml::table root = toml::parse(text, path);
    for (const auto& [section, node] : root) {
      const toml::table* table = node.as_table();
      if (table == nullptr) continue;
      for (const auto& [name, value] : *table) {
        if (const auto* word = value.as_string())
          values[std::string(section.str()) + "." + std::string(name.str())] = {word->get(), path};
      }
    }
  } catch (const toml::parse_error& error) {
    return Wrong(path, error.source().begin.line, error.description());
  }
  return {};
}

}  // namespace

std::string ValueOf(const ConfigValues& values, const std::string& key, const std::string& fallback) {
  const auto found = values.find(key);
  return found == values.end() ? fallback : found->second.text;
}

Result<ConfigValues> ReadConfigFiles(const std::vector<std::string>& paths) {
  ConfigValues values;
  for (const std::string& path : paths) FFDC_TRY(ReadInto(path, values));
  return values;
}

Result<ConfigValues> ReadConfig(const std::string& config_path) {
  FFDC_ASSIGN(std::vector<std::string> paths, ListDropIns(config_path));
  if (Exists(config_path)) paths.insert(paths.begin(), config_path);
  return ReadConfigFiles(paths);
}

}  // namespace ffdc::ctl
