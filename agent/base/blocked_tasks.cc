// SPDX-License-Identifier: Apache-2.0
#include "base/blocked_tasks.h"

#include <algorithm>
#include <optional>

#include "base/block_dev.h"
#include "base/text.h"

namespace ffdc {
namespace {

constexpr std::string_view kTaskLine = "D ";
constexpr std::string_view kFrameIndent = "  ";

// Takes "<name>=" off the word; empty where it does not start so.
std::string_view ValueOf(std::string_view word, std::string_view name) {
  if (!word.starts_with(name) || word.size() <= name.size() || word[name.size()] != '=') return {};
  return word.substr(name.size() + 1);
}

template <class T>
bool Take(std::string_view& line, std::string_view name, T& value) {
  std::string_view text = ValueOf(NextWord(line), name);
  const bool hex = text.starts_with("0x");
  if (hex) text.remove_prefix(2);
  const auto number = ParseNumber<T>(text, hex ? 16 : 10);
  if (number) value = *number;
  return number.has_value();
}

// All fields in the iterator's order, or nothing: a task may have a line's end in its name, and
// could make up a task behind it.
std::optional<BlockedTask> ParseTask(std::string_view line) {
  BlockedTask task;
  if (!Take(line, "pid", task.pid) || !Take(line, "tgid", task.tgid) || !Take(line, "ppid", task.ppid) ||
      !Take(line, "state", task.state) || !Take(line, "start", task.start_ns) ||
      !Take(line, "switches", task.switches)) {
    return std::nullopt;
  }
  const std::string_view cgroup = ValueOf(NextWord(line), "cgroup");
  const size_t colon = std::min(cgroup.find(':'), cgroup.size());
  const auto hierarchy = ParseNumber<uint32_t>(cgroup.substr(0, colon));
  const auto cgroup_id = ParseNumber<uint64_t>(cgroup.substr(std::min(colon + 1, cgroup.size())));
  if (!hierarchy || !cgroup_id) return std::nullopt;
  task.cgroup_hierarchy = *hierarchy;
  task.cgroup_id = *cgroup_id;
  const auto dev = ParseDev(ValueOf(NextWord(line), "dev"));
  const std::string_view file_system = ValueOf(NextWord(line), "fs");
  constexpr std::string_view kName = " comm=";
  if (!dev || file_system.empty() || !line.starts_with(kName)) return std::nullopt;
  task.file_dev = *dev;
  if (file_system != "-") task.file_system = file_system;
  task.comm = line.substr(kName.size());
  return task;
}

}  // namespace

std::vector<BlockedTask> ParseBlockedTasks(std::string_view text) {
  std::vector<BlockedTask> tasks;
  bool in_task = false;
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    if (line.starts_with(kTaskLine)) {
      auto task = ParseTask(line.substr(kTaskLine.size()));
      in_task = task.has_value();
      if (in_task) tasks.push_back(std::move(*task));
    } else if (in_task && line.starts_with(kFrameIndent)) {
      tasks.back().frames.emplace_back(Trim(line));
    }
  }
  return tasks;
}

}  // namespace ffdc
