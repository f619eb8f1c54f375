// SPDX-License-Identifier: Apache-2.0
// io_processes: which processes did I/O just now, and since they began.
//
// No cmdline is read, of any process: that takes the process's mmap lock, which a
// task that hangs in a page fault holds for as long as the disk does. Names, I/O
// counters, state and wchan need no such lock.
#include <algorithm>
#include <chrono>
#include <thread>

#include "base/clock.h"
#include "base/fs.h"
#include "base/text.h"
#include "capture/blocked_tasks.h"
#include "capture/collector.h"
#include "capture/process_io.h"

namespace ffdc {
namespace {

constexpr size_t kMaxProcesses = 200;
constexpr std::chrono::milliseconds kBetweenReadings{200};

uint64_t Recent(const IoProcess& process) { return process.recent_read_bytes + process.recent_write_bytes; }
uint64_t Total(const IoProcess& process) { return process.total.read_bytes + process.total.write_bytes; }

bool FormatProcess(const KernelRoots& roots, const IoProcess& process, uint64_t interval_ns, JsonLine& line) {
  const auto folder = roots.proc / std::to_string(process.pid);
  const std::string stat_text = ReadLine(folder / "stat");
  const auto stat = ParseTaskStat(stat_text);
  if (!stat) return false;  // it ended meanwhile
  line.Begin();
  line.Field("pid", process.pid);
  line.Field("comm", stat->comm);
  line.Field("state", std::string_view(&stat->state, 1));
  line.Field("interval_ns", interval_ns);
  line.Field("recent_read_bytes", process.recent_read_bytes);
  line.Field("recent_write_bytes", process.recent_write_bytes);
  line.Field("read_bytes", process.total.read_bytes);
  line.Field("write_bytes", process.total.write_bytes);
  line.Field("cancelled_write_bytes", process.total.cancelled_write_bytes);
  line.Field("blkio_delay_ticks", stat->blkio_delay_ticks);
  if (const std::string wchan = ReadLine(folder / "wchan"); !wchan.empty() && wchan != "0") {
    line.Field("wchan", wchan);
  }
  if (const std::string cgroup = ParseCgroup(ReadLine(folder / "cgroup")); !cgroup.empty()) {
    line.Field("cgroup", cgroup);
  }
  return true;
}

Result<> WriteProcesses(CollectContext& context, const KernelRoots& roots) {
  FFDC_ASSIGN(CaptureFile * file, context.Create("io-processes.jsonl"));
  FFDC_ASSIGN(const IoSnapshot before, ReadProcessIos(roots.proc));
  const uint64_t begun_ns = SystemClock().MonotonicNs();
  std::this_thread::sleep_for(kBetweenReadings);
  FFDC_ASSIGN(const IoSnapshot after, ReadProcessIos(roots.proc));
  const uint64_t interval_ns = SystemClock().MonotonicNs() - begun_ns;
  if (after.empty()) {
    AddNote(context, "io_processes.accounting",
            "no process's I/O is known: /proc/PID/io cannot be read (CONFIG_TASK_IO_ACCOUNTING)");
  }
  if (ReadLine(roots.proc / "sys/kernel/task_delayacct") == "0") {
    AddNote(context, "io_processes.delay_accounting",
            "blkio_delay_ticks are not counted: kernel.task_delayacct is 0");
  }

  const IoRanking ranking = RankProcesses(before, after, kMaxProcesses);
  if (ranking.active_left_out > 0) {
    context.AddLoss("io_processes.left_out", ranking.active_left_out,
                    "processes that did I/O but less than the " + std::to_string(kMaxProcesses) + " listed");
  }
  JsonLine line;
  for (const IoProcess& process : ranking.processes) {
    if (!FormatProcess(roots, process, interval_ns, line)) continue;
    if (!file->Write(line.End())) break;
    file->Flush();  // the next one may be where reading ends
  }
  return {};
}

Result<> CollectorIoProcesses(CollectContext& context) { return CollectIoProcesses(context, {}); }
FFDC_REGISTER_COLLECTOR("io_processes", std::chrono::seconds(5), CollectorIoProcesses);

}  // namespace

std::optional<ProcessIo> ParseProcessIo(std::string_view text) {
  ProcessIo io;
  bool any = false;
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    const std::string_view name = NextWord(line);
    const auto value = ParseNumber<uint64_t>(NextWord(line));
    uint64_t* field = name == "read_bytes:"              ? &io.read_bytes
                      : name == "write_bytes:"           ? &io.write_bytes
                      : name == "cancelled_write_bytes:" ? &io.cancelled_write_bytes
                                                         : nullptr;
    if (field == nullptr || !value) continue;
    *field = *value;
    any = true;
  }
  if (!any) return std::nullopt;
  return io;
}

std::string ParseCgroup(std::string_view text) {
  std::string_view unified;
  std::string_view blkio;
  while (!text.empty()) {
    const std::string_view line = NextLine(text);
    // "4:blkio,memory:/path", "0::/path"; the path may hold colons.
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string controllers = "," + std::string(line.substr(first + 1, second - first - 1)) + ",";
    const std::string_view path = line.substr(second + 1);
    if (line.substr(0, first) == "0" && controllers == ",,") unified = path;
    if (controllers.find(",blkio,") != std::string::npos) blkio = path;
  }
  return std::string(unified.size() > 1 || blkio.empty() ? unified : blkio);
}

Result<IoSnapshot> ReadProcessIos(const std::filesystem::path& proc) {
  const std::vector<std::string> names = FolderEntries(proc);
  if (names.empty()) return Fail("cannot list the processes in " + proc.string());
  IoSnapshot snapshot;
  for (const std::string& name : names) {
    const auto pid = ParseNumber<uint32_t>(name);
    if (!pid) continue;
    if (const auto io = ParseProcessIo(ReadLine(proc / name / "io"))) snapshot.emplace(*pid, *io);
  }
  return snapshot;
}

IoRanking RankProcesses(const IoSnapshot& before, const IoSnapshot& after, size_t max_processes) {
  IoRanking ranking;
  auto& list = ranking.processes;
  for (const auto& [pid, now] : after) {
    IoProcess process{pid, now, 0, 0};
    if (Total(process) == 0) continue;
    const auto found = before.find(pid);
    ProcessIo then = found == before.end() ? ProcessIo{} : found->second;
    // Less than before: another process has the pid now.
    if (then.read_bytes > now.read_bytes || then.write_bytes > now.write_bytes) then = {};
    process.recent_read_bytes = now.read_bytes - then.read_bytes;
    process.recent_write_bytes = now.write_bytes - then.write_bytes;
    list.push_back(process);
  }
  std::sort(list.begin(), list.end(), [](const IoProcess& a, const IoProcess& b) {
    if (Recent(a) != Recent(b)) return Recent(a) > Recent(b);
    return Total(a) != Total(b) ? Total(a) > Total(b) : a.pid < b.pid;
  });
  if (list.size() > max_processes) {
    const auto rest = list.begin() + static_cast<ptrdiff_t>(max_processes);
    ranking.active_left_out = static_cast<uint64_t>(
        std::count_if(rest, list.end(), [](const IoProcess& process) { return Recent(process) > 0; }));
    list.erase(rest, list.end());
  }
  return ranking;
}

Result<> CollectIoProcesses(CollectContext& context, const KernelRoots& roots) {
  // Groups first: they are fewer, and no process can make their reading hang.
  FFDC_TRY(CollectIoCgroups(context, roots));
  return WriteProcesses(context, roots);
}

}  // namespace ffdc
