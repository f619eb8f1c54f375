// SPDX-License-Identifier: Apache-2.0
// task.hung: the kernel's own watchdog (khungtaskd) found tasks that sleep
// uninterruptibly for kernel.hung_task_timeout_secs. One event a node: its tasks
// are the waiters. It is over when none of them is in the same wait any more.
#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "detect/io_wait.h"
#include "detect/open_events.h"
#include "ffdc/abi/fault.h"
#include "ffdc/abi/task.h"

namespace ffdc {
namespace {

constexpr size_t kMaxTasks = 256;

class TaskHungDetector final : public Detector {
 public:
  TaskHungDetector(const DetectorWorld& world, EventSink sink)
      : world_(world), key_("node:" + world.node), events_(world, std::move(sink), "task.hung", v1::X2) {}

  void OnRecord(const ffdc_record_header& header) override {
    if (header.kind != FFDC_FAULT_TASK_HUNG || header.size_bytes < sizeof(ffdc_task_hung)) return;
    const auto& record = reinterpret_cast<const ffdc_task_hung&>(header);
    const TaskId id(record.pid, record.start_ns);
    const auto known = tasks_.find(id);
    // The kernel tells of the same wait again each time it looks.
    if (known != tasks_.end() && known->second.task.switches == record.switches) return;
    if (tasks_.size() >= kMaxTasks && known == tasks_.end()) return;
    tasks_[id] = {TaskOf(record), {}, header.time_ns};
    v1::Event& event = events_.Note(key_, header.time_ns, 1, [&](v1::Event& fresh) {
      v1::Subject& subject = *fresh.mutable_subject();
      subject.set_type("node");
      subject.set_id(key_);
      subject.set_name(world_.node);
    });
    if (record.dev != 0) Relate(event, world_.whole_disk(record.dev));
    Describe(event);
    events_.Publish(key_);
  }

  void OnTick(const FailureTotals& /*totals*/) override {
    if (events_.empty()) return;
    LookAgain();
    if (tasks_.empty()) {
      events_.End(key_, world_.clock->MonotonicNs());
      disks_.clear();
    } else {
      Describe(events_.Note(key_, world_.clock->MonotonicNs(), 0, [](v1::Event&) {}));
      events_.Tick(false);
    }
  }

 private:
  using TaskId = std::pair<uint32_t, uint64_t>;  // thread id, start: numbers are used again
  struct Hung {
    BlockedTask task;
    TaskWait wait;
    uint64_t since_ns = 0;  // the kernel's first word of it
  };

  static BlockedTask TaskOf(const ffdc_task_hung& record) {
    BlockedTask task;
    task.pid = record.pid;
    task.tgid = record.tgid;
    task.start_ns = record.start_ns;
    task.switches = record.switches;
    task.cgroup_id = record.cgroup_id;
    task.cgroup_hierarchy = record.cgroup_hierarchy;
    task.comm.assign(record.comm, strnlen(record.comm, sizeof record.comm));
    return task;
  }

  // So that it joins the incident of the disk that the task waits for.
  void Relate(v1::Event& event, uint32_t dev) {
    if (!world_.watched(dev) || !disks_.insert(dev).second) return;
    event.add_related_ids(world_.subject(dev).id());
    for (std::string& id : world_.related(dev)) event.add_related_ids(std::move(id));
  }

  // Forgets those that went on; the others' stacks tell where they wait.
  void LookAgain() {
    std::map<TaskId, Hung> still;
    for (const BlockedTask& task : world_.blocked_tasks()) {
      const auto found = tasks_.find({task.pid, task.start_ns});
      if (found == tasks_.end() || found->second.task.switches != task.switches) continue;
      found->second.wait = ClassifyWait(task.frames);
      still.insert(*found);
    }
    tasks_ = std::move(still);
  }

  void Describe(v1::Event& event) {
    const uint64_t now = world_.clock->MonotonicNs();
    std::vector<WaitingTask> waiting;
    for (const auto& [id, hung] : tasks_)
      waiting.push_back({&hung.task, hung.wait, now - std::min(now, hung.since_ns)});
    SetWaiters(event, std::move(waiting), world_);
    const v1::Waiter& first = event.waiters(0);
    std::string summary = std::to_string(tasks_.size()) +
                          (tasks_.size() == 1 ? " task hangs: " : " tasks hang: ") + first.comm() + " (pid " +
                          std::to_string(first.pid()) + ")";
    if (!first.waits_in().empty()) summary += " in " + first.waits_in();
    event.set_summary(summary);
  }

  DetectorWorld world_;
  const std::string key_;
  OpenEvents events_;
  std::map<TaskId, Hung> tasks_;
  std::set<uint32_t> disks_;  // named in the open event
};

FFDC_REGISTER_DETECTOR("task.hung",
                       [](const DetectorWorld& world, EventSink sink) -> std::unique_ptr<Detector> {
                         return std::make_unique<TaskHungDetector>(world, std::move(sink));
                       });

}  // namespace
}  // namespace ffdc
