// SPDX-License-Identifier: Apache-2.0
#include "base/drop_ins.h"

#include <string_view>

#include "base/fs.h"

namespace ffdc {
namespace {

constexpr std::string_view kSuffix = ".toml";

}  // namespace

std::string DropInFolder(const std::string& config_path) {
  const std::string stem = config_path.ends_with(kSuffix)
                               ? config_path.substr(0, config_path.size() - kSuffix.size())
                               : config_path;
  return stem + ".d";
}

Result<std::vector<std::string>> ListDropIns(const std::string& config_path) {
  const std::string folder = DropInFolder(config_path);
  FFDC_ASSIGN(const std::vector<std::string> names, ListFolder(folder));
  std::vector<std::string> paths;
  for (const std::string& name : names) {
    if (!name.ends_with(kSuffix) || name.starts_with('.')) continue;
    paths.push_back(folder);
    paths.back().append("/").append(name);
  }
  return paths;
}

}  // namespace ffdc
