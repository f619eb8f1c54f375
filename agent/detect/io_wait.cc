// SPDX-License-Identifier: Apache-2.0
#include "detect/io_wait.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "base/utf8.h"
#include "detect/open_events.h"

namespace ffdc {
namespace {

constexpr size_t kMaxWaiters = 32;

// How a task gets to sleep: says nothing of what for. A '*' at the end stands for anything.
constexpr std::array<std::string_view, 13> kSleep = {"__schedule",
                                                     "schedule",
                                                     "schedule_timeout",
                                                     "schedule_preempt_disabled",
                                                     "__traceiter*",
                                                     "__wait_on_bit",
                                                     "__wait_on_bit_lock",
                                                     "bit_wait",
                                                     "out_of_line_wait_on_bit*",
                                                     "wait_for_common",
                                                     "wait_woken",
                                                     "__wait_for_common",
                                                     "wait_for_completion"};

// As a rule for a disk, unless what called them says otherwise.
constexpr std::array<std::string_view, 3> kPerhapsIo = {"io_schedule*", "bit_wait_io*",
                                                        "wait_for_completion_io*"};

constexpr std::array<std::string_view, 44> kIo = {
    // a bio that was sent, or that the device lets nobody send (frozen, suspended, no request free)
    "submit_bio*", "__submit_bio*", "generic_make_request*", "blk_io_schedule", "blk_mq_get_tag",
    "blk_mq_submit_bio", "blk_queue_enter", "__bio_queue_enter", "bio_queue_enter", "rq_qos_wait",
    "__rq_qos_throttle", "wbt_wait", "blkdev_issue_*",
    // direct I/O
    "__blkdev_direct_IO*", "blkdev_direct_IO*", "__blockdev_direct_IO", "do_blockdev_direct_IO",
    "dio_await_one", "__iomap_dio_rw", "iomap_dio_*",
    // pages and buffers
    "folio_wait_*", "__folio_lock*", "wait_on_page_*", "__lock_page*", "__wait_on_page*", "__wait_on_buffer",
    "__lock_buffer", "__sync_dirty_buffer", "wb_wait_for_completion", "filemap_fdatawait_*",
    "__filemap_fdatawait_range",
    // journals
    "jbd2_log_wait_commit", "jbd2_journal_commit_transaction", "wait_transaction_locked", "xfs_log_force*",
    "xlog_*", "xfs_buf_iowait", "btrfs_wait_*", "wait_current_trans",
    // what holds bios back below a device of its own
    "dm_*", "md_*", "raid5_*", "wait_barrier*", "nvme_ns_head_submit_bio"};

// Somebody has to let go of something, or an order to wait is obeyed: the disk may be well.
constexpr std::array<std::string_view, 44> kNotIo = {
    // locks
    "__mutex_lock*", "mutex_lock*", "rwsem_*", "down", "down_*", "__down*", "rt_mutex*", "rt_spin_lock*",
    "__rt_*", "percpu_*", "__percpu_*", "synchronize_*", "__synchronize_*", "rcu_*", "__wait_rcu_gp",
    // frozen filesystem or task, vfork, exec, exit
    "__sb_start_write", "sb_start_*", "__refrigerator", "kernel_clone", "_do_fork", "do_coredump",
    "coredump_*", "exit_mm", "de_thread", "msleep*", "usleep_*",
    // throttled: as many pages as are written, its control group's io.latency and io.cost
    "balance_dirty_pages*", "blkcg_maybe_throttle_*", "ioc_rqos_throttle", "iocg_*",
    // a device's own command, which may take as long as it likes (format, self-test)
    "blk_execute_rq*", "scsi_execute*", "nvme_submit_*", "dm_wait_for_completion", "blk_mq_freeze_queue_wait",
    // network and user-space filesystems
    "rpc_*", "__rpc_*", "nfs*", "ceph_*", "fuse_*", "request_wait_answer", "cifs_*", "smb2_*", "p9_*"};

bool IsOneOf(std::string_view name, std::span<const std::string_view> patterns) {
  return std::any_of(patterns.begin(), patterns.end(), [name](std::string_view pattern) {
    if (!pattern.ends_with('*')) return name == pattern;
    pattern.remove_suffix(1);
    return name.starts_with(pattern);
  });
}

// "folio_wait_bit" of "folio_wait_bit.isra.0+0x12/0x34 [module]".
std::string_view FunctionOf(std::string_view frame) { return frame.substr(0, frame.find_first_of("+. ")); }

bool IsControl(std::string_view character) {
  const auto byte = static_cast<unsigned char>(character[0]);
  return character.size() == 1 && (byte < 0x20 || byte == 0x7f);
}

}  // namespace

TaskWait ClassifyWait(const std::vector<std::string>& frames) {
  TaskWait wait;
  bool perhaps = false;
  for (const std::string& frame : frames) {
    const std::string_view function = FunctionOf(frame);
    if (IsOneOf(function, kSleep)) continue;
    if (IsOneOf(function, kPerhapsIo)) {
      perhaps = true;
      if (wait.function.empty()) wait.function = function;
      continue;
    }
    const bool not_io = IsOneOf(function, kNotIo);
    if (not_io || IsOneOf(function, kIo)) return {!not_io, std::string(function)};
    if (wait.function.empty()) wait.function = function;
  }
  if (wait.function.empty() && !frames.empty()) wait.function = FunctionOf(frames.front());
  wait.is_io = perhaps;
  return wait;
}

std::string TaskName(const std::string& comm) { return EscapeBytes(comm, IsControl); }

void SetWaiters(v1::Event& event, std::vector<WaitingTask> tasks, const DetectorWorld& world) {
  std::stable_sort(tasks.begin(), tasks.end(), [](const WaitingTask& a, const WaitingTask& b) {
    return a.waiting_ns != b.waiting_ns ? a.waiting_ns > b.waiting_ns : a.wait.is_io > b.wait.is_io;
  });
  event.clear_waiters();
  event.clear_clients();
  for (const WaitingTask& waiting : tasks) {
    const v1::Client client = world.client(waiting.task->cgroup_id, waiting.task->cgroup_hierarchy);
    CountClient(event, client);
    if (static_cast<size_t>(event.waiters_size()) >= kMaxWaiters) continue;
    v1::Waiter& waiter = *event.add_waiters();
    waiter.set_pid(waiting.task->pid);
    waiter.set_tgid(waiting.task->tgid);
    waiter.set_comm(TaskName(waiting.task->comm));
    waiter.set_waiting_ns(waiting.waiting_ns);
    waiter.set_waits_in(TaskName(waiting.wait.function));
    if (!client.type().empty()) *waiter.mutable_client() = client;
  }
}

}  // namespace ffdc
