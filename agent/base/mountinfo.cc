// SPDX-License-Identifier: Apache-2.0
#include "base/mountinfo.h"

#include <algorithm>

#include "base/fs.h"
#include "base/text.h"

namespace ffdc {
namespace {

bool IsOctal(char c) { return c >= '0' && c <= '7'; }

std::string UndoOctal(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && text[i + 1] <= '3' && IsOctal(text[i + 1]) &&
        IsOctal(text[i + 2]) && IsOctal(text[i + 3])) {
      bytes += static_cast<char>((text[i + 1] - '0') << 6 | (text[i + 2] - '0') << 3 | (text[i + 3] - '0'));
      i += 3;
    } else {
      bytes += text[i];
    }
  }
  return bytes;
}

// Fields stand one blank apart: an empty source leaves two, and a carriage return is part of a name.
std::string_view NextField(std::string_view& line) {
  const std::string_view field = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(field.size() + 1, line.size()));
  return field;
}

bool IsBelow(std::string_view path, std::string_view folder) {
  if (folder == "/") return true;
  return path.substr(0, folder.size()) == folder &&
         (path.size() == folder.size() || path[folder.size()] == '/');
}

}  // namespace

std::optional<Mount> ParseMount(std::string_view line) {
  Mount mount;
  const auto id = ParseNumber<uint32_t>(NextField(line));
  const auto parent_id = ParseNumber<uint32_t>(NextField(line));
  if (!id || !parent_id) return std::nullopt;
  mount.id = *id;
  mount.parent_id = *parent_id;
  mount.dev = NextField(line);
  if (mount.dev.find(':') == std::string::npos) return std::nullopt;
  mount.root = UndoOctal(NextField(line));
  mount.point = UndoOctal(NextField(line));
  mount.options = NextField(line);
  // Any number of optional fields, ended by a lone hyphen.
  std::string_view field;
  while ((field = NextField(line)) != "-") {
    if (field.empty()) return std::nullopt;
    if (!mount.propagation.empty()) mount.propagation += ' ';
    mount.propagation += field;
  }
  mount.type = UndoOctal(NextField(line));
  mount.source = UndoOctal(NextField(line));
  mount.super_options = UndoOctal(line);
  if (mount.point.empty() || mount.type.empty()) return std::nullopt;
  return mount;
}

Result<MountList> ReadMounts(const std::filesystem::path& proc) {
  MountList table;
  FFDC_TRY(ForEachLine(proc / "self/mountinfo", [&](std::string_view line) {
    if (auto mount = ParseMount(line)) {
      table.mounts.push_back(std::move(*mount));
    } else {
      ++table.malformed;
    }
    return true;
  }));
  return table;
}

const Mount* MountOfPath(const MountList& table, std::string_view path) {
  const Mount* best = nullptr;
  for (const Mount& mount : table.mounts) {
    if (!IsBelow(path, mount.point)) continue;
    if (best == nullptr || mount.point.size() >= best->point.size()) best = &mount;
  }
  return best;
}

}  // namespace ffdc
