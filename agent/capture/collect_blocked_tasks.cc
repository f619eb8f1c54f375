// SPDX-License-Identifier: Apache-2.0
// blocked_tasks: who waits uninterruptibly, and where in the kernel. The only
// witness of a stall that sees every kind of it.
#include <bpf/bpf.h>

#include <cerrno>
#include <chrono>

#include "base/fd.h"
#include "base/fs.h"
#include "base/text.h"
#include "base/utf8.h"
#include "capture/blocked_tasks.h"
#include "capture/collector.h"

namespace ffdc {
namespace {

// Line by line: the names of tasks are the tasks' own bytes.
Result<> CopyIterator(int link_fd, CaptureFile& file) {
  const Fd iterator(::bpf_iter_create(link_fd));
  if (!iterator.valid()) return FailErrno("cannot open the BPF task iterator");
  file.Write("# Tasks in uninterruptible sleep. Source: BPF task iterator (iter/task).\n");
  Result<> copied;
  do {
    copied = ForEachLine(iterator.get(), "the BPF task iterator to its end",
                         [&file](std::string_view line) { return file.Write(PlainText(line) + "\n"); });
    // EAGAIN: the iterator looked at many tasks and found none to tell of yet. It never says so
    // inside a line: what it has told of a task comes first.
  } while (!copied && copied.error().code == EAGAIN);
  return copied;
}

Result<> CollectorBlockedTasks(CollectContext& context) { return CollectBlockedTasks(context, {}); }
FFDC_REGISTER_COLLECTOR("blocked_tasks", std::chrono::seconds(5), CollectorBlockedTasks);

}  // namespace

std::optional<TaskStat> ParseTaskStat(std::string_view text) {
  // "pid (comm) S ppid ...": comm may hold blanks and parentheses itself.
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
  TaskStat stat;
  const auto pid = ParseNumber<uint32_t>(Trim(text.substr(0, open)));
  if (!pid) return std::nullopt;
  stat.pid = *pid;
  stat.comm = text.substr(open + 1, close - open - 1);
  text.remove_prefix(close + 1);
  const std::string_view state = NextWord(text);
  if (state.size() != 1) return std::nullopt;
  stat.state = state[0];
  // proc(5): state is field 3, ppid 4, starttime 22, delayacct_blkio_ticks 42.
  for (int field = 4; field <= 42; ++field) {
    const std::string_view word = NextWord(text);
    if (field == 4) stat.ppid = ParseNumber<uint32_t>(word).value_or(0);
    if (field == 22) stat.start_ticks = ParseNumber<uint64_t>(word).value_or(0);
    if (field == 42) stat.blkio_delay_ticks = ParseNumber<uint64_t>(word).value_or(0);
  }
  return stat;
}

namespace {

bool WriteBlockedTask(const std::filesystem::path& task, uint32_t tgid, const TaskStat& stat,
                      CaptureFile& file) {
  // The list so far must survive a read that never comes back.
  file.Flush();
  std::string text = "D pid=" + std::to_string(stat.pid) + " tgid=" + std::to_string(tgid) +
                     " ppid=" + std::to_string(stat.ppid) + " comm=" + PlainText(stat.comm) +
                     " state=D wchan=" + PlainText(ReadLine(task / "wchan")) + "\n";
  const std::string stack = ReadLine(task / "stack");
  std::string_view rest = stack;
  while (!rest.empty()) text += "  " + PlainText(NextLine(rest)) + "\n";
  if (stack.empty()) text += "  (no kernel stack: /proc/PID/stack cannot be read)\n";
  return file.Write(text);
}

}  // namespace

Result<> ScanBlockedTasks(const std::filesystem::path& proc, CaptureFile& file) {
  uint64_t seen = 0;
  for (const std::string& process : FolderEntries(proc)) {
    const auto tgid = ParseNumber<uint32_t>(process);
    if (!tgid) continue;
    for (const std::string& thread : FolderEntries(proc / process / "task")) {
      const auto task = proc / process / "task" / thread;
      const std::string text = ReadLine(task / "stat");
      const auto stat = ParseTaskStat(text);
      if (!stat) continue;  // it ended meanwhile
      ++seen;
      if (stat->state == 'D' && !WriteBlockedTask(task, *tgid, *stat, file)) return {};
    }
  }
  if (seen == 0) return Fail("no task can be read in " + proc.string());
  return {};
}

Result<> CollectBlockedTasks(CollectContext& context, const KernelRoots& roots) {
  FFDC_ASSIGN(CaptureFile * file, context.Create("blocked-tasks.txt"));
  std::string reason = "the agent has no task iterator (ffdcctl probe list says why)";
  if (!context.fds().empty()) {
    auto copied = CopyIterator(context.fds()[0], *file);
    if (copied) {
      file->Write("# End of list.\n");
      return {};
    }
    reason = copied.error().message;
  }
  AddNote(context, "blocked_tasks.iterator", reason + "; /proc was read instead");
  file->Write("# Tasks in uninterruptible sleep. Source: /proc, one task after the other, because " + reason +
              ".\n");
  FFDC_TRY(ScanBlockedTasks(roots.proc, *file));
  file->Write("# End of list.\n");
  return {};
}

}  // namespace ffdc
