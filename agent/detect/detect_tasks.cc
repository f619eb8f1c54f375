// SPDX-License-Identifier: Apache-2.0
#include "detect/detect_tasks.h"

#include <fcntl.h>
#include <libdevmapper.h>
#include <spawn.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <functional>
#include <map>
#include <memory>

#include "base/block_dev.h"
#include "base/block_words.h"
#include "base/fd.h"
#include "base/fs.h"
#include "base/progress.h"
#include "base/text.h"
#include "ffdc/abi/block.h"

namespace ffdc {
namespace {

constexpr size_t kMaxOutputBytes = 64u << 10;

// --- filesystems ---

void Append(std::string& line, const FillLevel& level) {
  line += " " + level.resource + " " + std::to_string(level.used) + " " + std::to_string(level.total);
}

// As df(1): what only root may use counts neither as used nor as free.
std::string LevelsOf(const std::string& point, size_t index) {
  std::string line = std::to_string(index);
  struct statvfs info {};
  if (statvfs(point.c_str(), &info) != 0) return line + " error " + std::to_string(errno);
  const uint64_t used = (info.f_blocks - info.f_bfree) * info.f_frsize;
  Append(line, {"space", used, used + info.f_bavail * info.f_frsize});
  if (info.f_files != 0) Append(line, {"inodes", info.f_files - info.f_ffree, info.f_files});
  return line;
}

Result<std::string> FillLevels(std::string_view points, std::span<const int> fds) {
  std::string reply;
  const auto log = [&](const std::string& line) {
    if (!fds.empty()) (void)WriteAll(fds[0], line, "the log of fill levels");  // only names a hang
  };
  for (size_t index = 0; !points.empty(); ++index) {
    const size_t end = std::min(points.find('\0'), points.size());
    const std::string point(points.substr(0, end));
    points.remove_prefix(std::min(end + 1, points.size()));
    log("@" + std::to_string(index) + "\n");
    ReportProgress();
    const std::string line = LevelsOf(point, index) + "\n";
    log(line);
    reply += line;
  }
  return reply;
}

std::vector<FillLevel> TakeLevels(std::string_view line) {
  std::vector<FillLevel> levels;
  for (std::string_view resource = NextWord(line); !resource.empty(); resource = NextWord(line)) {
    const auto used = ParseNumber<uint64_t>(NextWord(line));
    const auto total = ParseNumber<uint64_t>(NextWord(line));
    if (!used || !total) break;
    levels.push_back({std::string(resource), *used, *total});
  }
  return levels;
}

// --- thin pools ---

struct DestroyTask {
  void operator()(dm_task* task) const { dm_task_destroy(task); }
};
using DmTask = std::unique_ptr<dm_task, DestroyTask>;

void IgnoreLog(int /*level*/, const char* /*file*/, int /*line*/, int /*error*/, const char* /*format*/,
               ...) {}

// Calls sink(type, params, length in sectors) for each target of a device. No flush: it would wait for
// the pool's metadata.
void ForEachTarget(int task_type, const char* name,
                   const std::function<void(std::string_view, const char*, uint64_t)>& sink) {
  const DmTask task(dm_task_create(task_type));
  if (!task || dm_task_set_name(task.get(), name) == 0 || dm_task_no_flush(task.get()) == 0 ||
      dm_task_run(task.get()) == 0)
    return;
  void* next = nullptr;
  do {
    uint64_t start = 0;
    uint64_t length = 0;
    char* type = nullptr;
    char* params = nullptr;
    next = dm_get_next_target(task.get(), next, &start, &length, &type, &params);
    if (type != nullptr && params != nullptr) sink(type, params, length);
  } while (next != nullptr);
}

Result<> ForEachDevice(const std::function<void(const dm_names&)>& sink) {
  dm_log_with_errno_init(IgnoreLog);
  const DmTask task(dm_task_create(DM_DEVICE_LIST));
  if (!task || dm_task_run(task.get()) == 0) return FailErrno("cannot ask the device mapper for its devices");
  const dm_names* device = dm_task_get_names(task.get());
  if (device == nullptr || device->dev == 0) return {};
  while (true) {
    sink(*device);
    if (device->next == 0) return {};
    device = reinterpret_cast<const dm_names*>(reinterpret_cast<const char*>(device) + device->next);
  }
}

// The reply's words are apart by blanks.
std::string OneWord(std::string name) {
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

Result<std::string> ThinPools(std::string_view /*argument*/, std::span<const int> /*fds*/) {
  std::string reply;
  FFDC_TRY(ForEachDevice([&](const dm_names& device) {
    ForEachTarget(
        DM_DEVICE_STATUS, device.name, [&](std::string_view type, const char* params, uint64_t length) {
          const auto pool = type == "thin-pool" ? ParseThinPoolStatus(params, length) : std::nullopt;
          if (!pool) return;
          const uint32_t dev = major(device.dev) << FFDC_DEV_MINOR_BITS | minor(device.dev);
          std::string line = FormatDev(dev) + " " + OneWord(device.name) + " " + pool->mode;
          for (const FillLevel& level : pool->levels) Append(line, level);
          reply += line + "\n";
        });
  }));
  return reply;
}

Result<std::string> ThinVolumes(std::string_view pool, std::span<const int> /*fds*/) {
  constexpr size_t kMaxVolumes = 16;
  std::multimap<uint64_t, std::string> volumes;  // the smallest first
  FFDC_TRY(ForEachDevice([&](const dm_names& device) {
    std::string table;
    ForEachTarget(DM_DEVICE_TABLE, device.name, [&](std::string_view type, const char* params, uint64_t) {
      if (type == "thin") table = params;
    });
    if (table.empty()) return;
    ForEachTarget(DM_DEVICE_STATUS, device.name, [&](std::string_view, const char* params, uint64_t) {
      if (const auto bytes = ParseThinVolume(table, params, pool))
        volumes.emplace(*bytes, OneWord(device.name));
    });
    if (volumes.size() > kMaxVolumes) volumes.erase(volumes.begin());
  }));
  std::string reply;
  for (auto volume = volumes.rbegin(); volume != volumes.rend(); ++volume)
    reply += volume->second + " " + std::to_string(volume->first) + "\n";
  return reply;
}

std::optional<FillLevel> Fraction(std::string_view resource, std::string_view text, uint64_t total_bytes) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto used = ParseNumber<uint64_t>(text.substr(0, slash));
  const auto total = ParseNumber<uint64_t>(text.substr(slash + 1));
  if (!used || !total || *total == 0) return std::nullopt;
  const uint64_t unit = total_bytes == 0 ? 4096 : total_bytes / *total;  // metadata blocks are 4 KiB
  return FillLevel{std::string(resource), *used * unit, *total * unit};
}

// --- calendar ---

struct Spawned {
  pid_t pid = -1;
  Fd output;
};

Result<Spawned> Spawn(const std::vector<std::string>& command) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return FailErrno("cannot make a pipe");
  Spawned spawned{-1, Fd(ends[0])};
  const Fd write_end(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDERR_FILENO);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const int failed = posix_spawnp(&spawned.pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return FailErrno("cannot run " + command[0], failed);
  return spawned;
}

Result<std::string> NextElapse(std::string_view expression, std::span<const int> /*fds*/) {
  // NOLINTBEGIN(concurrency-mt-unsafe): a worker's own process, with one thread
  setenv("LC_ALL", "C", 1);
  setenv("SYSTEMD_COLORS", "0", 1);
  // NOLINTEND(concurrency-mt-unsafe)
  FFDC_ASSIGN(const Spawned spawned, Spawn({"systemd-analyze", "calendar", "--", std::string(expression)}));
  std::string output(kMaxOutputBytes, '\0');
  size_t length = 0;
  while (length < output.size()) {
    FFDC_ASSIGN(const size_t got, ReadSome(spawned.output.get(), output.data() + length,
                                           output.size() - length, "systemd-analyze"));
    if (got == 0) break;
    length += got;
  }
  output.resize(length);
  int status = 0;
  while (waitpid(spawned.pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    std::string_view rest = output;
    return Fail("systemd-analyze: " + std::string(NextLine(rest)));
  }
  const auto seconds = ParseNextElapse(output);
  return seconds ? std::to_string(*seconds) : std::string();
}

// "Sat 2026-11-28 00:00:00 UTC", with or without a fraction of a second.
std::optional<int64_t> ParseUtc(std::string_view text) {
  NextWord(text);
  const std::string_view date = NextWord(text);
  std::string_view time = NextWord(text);
  if (Trim(text) != "UTC") return std::nullopt;
  time = time.substr(0, time.find('.'));
  tm parts{};
  const std::string whole = std::string(date) + " " + std::string(time);
  const char* end = strptime(whole.c_str(), "%Y-%m-%d %H:%M:%S", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return timegm(&parts);
}

}  // namespace

std::optional<ThinPool> ParseThinPoolStatus(std::string_view params, uint64_t length_sectors) {
  // Documentation/admin-guide/device-mapper/thin-provisioning.rst
  ThinPool pool;
  const std::string_view transaction = NextWord(params);
  if (transaction == "Fail" || transaction == "Error") {
    pool.mode = "fail";
    return pool;
  }
  const auto metadata = Fraction("metadata", NextWord(params), 0);
  const auto data = Fraction("data", NextWord(params), length_sectors * kSectorBytes);
  if (!ParseNumber<uint64_t>(transaction) || !metadata || !data) return std::nullopt;
  NextWord(params);  // the held root of the metadata
  pool.mode = NextWord(params);
  pool.levels = {*data, *metadata};
  return pool;
}

std::vector<MountLevels> ParseMountLevels(std::string_view reply) {
  std::vector<MountLevels> mounts;
  while (!reply.empty()) {
    std::string_view line = NextLine(reply);
    const auto index = ParseNumber<size_t>(NextWord(line));
    if (!index) continue;
    std::string_view rest = line;
    if (NextWord(rest) == "error") {
      mounts.push_back({*index, ParseNumber<int>(NextWord(rest)).value_or(EIO), {}});
    } else {
      mounts.push_back({*index, 0, TakeLevels(line)});
    }
  }
  return mounts;
}

std::optional<size_t> LastAsked(std::string_view log) {
  std::optional<size_t> last;
  while (!log.empty()) {
    const std::string_view line = NextLine(log);
    if (line.starts_with('@')) last = ParseNumber<size_t>(line.substr(1));
  }
  return last;
}

std::vector<ThinPool> ParseThinPools(std::string_view reply) {
  std::vector<ThinPool> pools;
  while (!reply.empty()) {
    std::string_view line = NextLine(reply);
    ThinPool pool;
    const auto dev = ParseDev(NextWord(line));
    if (!dev) continue;
    pool.dev = *dev;
    pool.name = NextWord(line);
    pool.mode = NextWord(line);
    pool.levels = TakeLevels(line);
    pools.push_back(std::move(pool));
  }
  return pools;
}

std::optional<uint64_t> ParseThinVolume(std::string_view table, std::string_view status,
                                        std::string_view pool) {
  // Documentation/admin-guide/device-mapper/thin-provisioning.rst: "<pool> <id>"; "<mapped> <highest>"
  if (NextWord(table) != pool) return std::nullopt;
  const auto sectors = ParseNumber<uint64_t>(NextWord(status));  // "-" or "Fail": not known
  if (!sectors) return std::nullopt;
  return *sectors * kSectorBytes;
}

std::vector<ThinVolume> ParseThinVolumes(std::string_view reply) {
  std::vector<ThinVolume> volumes;
  while (!reply.empty()) {
    std::string_view line = NextLine(reply);
    const std::string_view name = NextWord(line);
    if (const auto bytes = ParseNumber<uint64_t>(NextWord(line)))
      volumes.push_back({std::string(name), *bytes});
  }
  return volumes;
}

std::optional<int64_t> ParseNextElapse(std::string_view output) {
  std::optional<int64_t> found;
  while (!output.empty()) {
    std::string_view line = Trim(NextLine(output));
    const size_t colon = line.find(": ");
    if (colon == std::string_view::npos) continue;
    const std::string_view label = line.substr(0, colon);
    if (label != "Next elapse" && label != "(in UTC)") continue;  // the second where local time is another
    if (const auto seconds = ParseUtc(line.substr(colon + 2))) found = seconds;
  }
  return found;
}

WorkerTasks DetectTasks() {
  return {
      {"detect.fill_levels", FillLevels},
      {"detect.thin_pools", ThinPools},
      {"detect.thin_volumes", ThinVolumes},
      {"detect.next_elapse", NextElapse},
  };
}

}  // namespace ffdc
