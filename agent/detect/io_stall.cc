// SPDX-License-Identifier: Apache-2.0
// io.stall: a disk has I/O under way, or a task waits for it, and nothing of it
// ended for stall_after. Neither alone sees every stall: requests that a device
// holds back are in flight nowhere, and asynchronous I/O makes no task wait.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/text.h"
#include "detect/io_wait.h"
#include "detect/open_events.h"

namespace ffdc {
namespace {

constexpr uint64_t kMs = 1'000'000;
// The polls come twice a second, not to the nanosecond.
constexpr uint64_t kSlackNs = 50 * kMs;
// A walk over all tasks takes so small a part of the time until the next one...
constexpr uint64_t kRestForEachNs = 2000;
constexpr uint64_t kRestWhenInDoubt = 100;
// ... but there is one a second at least.
constexpr uint64_t kMaxRestNs = 1000 * kMs;
// Time in which the agent did not run (a paused virtual machine) is no time in which disks were silent.
constexpr uint64_t kMaxStepNs = 2000 * kMs;

using TaskId = std::pair<uint32_t, uint64_t>;  // thread id, start: numbers are used again

std::string FirstWord(const std::string& text) { return text.substr(0, text.find(' ')); }

class IoStallDetector final : public Detector {
 public:
  IoStallDetector(const DetectorWorld& world, EventSink sink)
      : world_(world),
        stall_ns_(static_cast<uint64_t>(world.options.stall_after.count())),
        events_(world, std::move(sink), "io.stall", v1::X1) {}

  void OnPoll() override {
    if (!world_.disk_flows || !world_.blocked_tasks) return;
    const uint64_t start_ns = world_.clock->MonotonicNs();
    const uint64_t step_ns = start_ns - std::exchange(looked_ns_, start_ns);
    if (step_ns > kMaxStepNs) lost_ns_ += step_ns - 1;
    Look();
  }
  void OnTick(const FailureTotals& /*totals*/) override { events_.Tick(false); }

 private:
  // Times are those of Now().
  struct Disk {
    DiskFlow flow;
    uint64_t quiet_since_ns = 0;              // nothing ended since
    uint64_t busy_since_ns = 0;               // something was in flight since; 0: nothing is
    std::vector<size_t> tasks;                // that wait for its I/O; of blocked_
    std::vector<size_t> others;               // that wait with its files, for locks and the like
    std::optional<v1::Subject> subject;       // while it is silent
    std::optional<uint64_t> silent_since_ns;  // it is stalled, or would be but for a lower one
    bool seen = false;
  };
  struct Known {
    uint64_t switches = 0;
    uint64_t since_ns = 0;
  };

  // CLOCK_MONOTONIC without the time in which the agent did not run.
  [[nodiscard]] uint64_t Now() const { return looked_ns_ - lost_ns_; }
  [[nodiscard]] uint64_t Monotonic(uint64_t time_ns) const { return time_ns + lost_ns_; }
  [[nodiscard]] bool IsLong(uint64_t since_ns) const { return Now() - since_ns + kSlackNs >= stall_ns_; }
  [[nodiscard]] uint64_t TaskSince(const BlockedTask& task) const {
    return known_.at({task.pid, task.start_ns}).since_ns;
  }

  void Look();
  void UpdateDisks();
  void UpdateTasks();
  [[nodiscard]] bool InDoubt() const;
  void Judge(uint32_t dev, Disk& disk);
  std::optional<uint64_t> SilentSince(uint32_t dev, const Disk& disk);
  std::optional<bool> IsLimited(uint32_t dev, uint64_t cgroup_id, uint32_t hierarchy);
  [[nodiscard]] std::vector<uint32_t> Above(uint32_t dev) const;
  void Report(uint32_t dev, Disk& disk, const std::vector<uint32_t>& above, bool only);
  void Describe(v1::Event& event, const Disk& disk, const std::vector<uint32_t>& above, bool only);
  static std::string Key(uint32_t dev) { return std::to_string(dev); }

  DetectorWorld world_;
  const uint64_t stall_ns_;
  OpenEvents events_;
  std::map<uint32_t, Disk> disks_;
  std::set<uint32_t> open_;
  std::vector<BlockedTask> blocked_;
  std::vector<TaskWait> waits_;  // of blocked_
  std::map<TaskId, Known> known_;
  uint64_t looked_ns_ = 0;
  uint64_t lost_ns_ = 0;
  uint64_t walked_ns_ = 0;
  uint64_t walked_at_ns_ = 0;  // in the time of Now(): what blocked_ tells of
  uint64_t walk_cost_ns_ = 0;
  bool tasks_wait_ = false;  // for a disk, when last looked at
};

void IoStallDetector::Look() {
  UpdateDisks();
  UpdateTasks();
  for (auto& [dev, disk] : disks_) Judge(dev, disk);
  // One event for a stack: of its lowest disk that is silent. A lower one explains the upper ones
  // also in the moment in which it goes on first.
  std::map<uint32_t, std::vector<uint32_t>> above;
  std::set<uint32_t> explained;
  for (const auto& [dev, disk] : disks_) {
    if (!disk.silent_since_ns && !open_.contains(dev)) continue;
    above[dev] = Above(dev);
    explained.insert(above[dev].begin(), above[dev].end());
  }
  std::vector<uint32_t> lowest;
  for (auto& [dev, disk] : disks_) {
    if (disk.silent_since_ns && (!explained.contains(dev) || open_.contains(dev))) lowest.push_back(dev);
  }
  for (auto next = open_.begin(); next != open_.end();) {
    const uint32_t dev = *next++;
    const auto disk = disks_.find(dev);
    if (disk != disks_.end() && disk->second.silent_since_ns) continue;
    events_.End(Key(dev), world_.clock->MonotonicNs());
    open_.erase(dev);
  }
  for (const uint32_t dev : lowest) Report(dev, disks_[dev], above[dev], lowest.size() == 1);
}

void IoStallDetector::UpdateDisks() {
  for (auto& [dev, disk] : disks_) disk.seen = false;
  for (const DiskFlow& flow : world_.disk_flows()) {
    const auto [found, fresh] = disks_.try_emplace(flow.dev);
    Disk& disk = found->second;
    if (fresh || flow.completed != disk.flow.completed) disk.quiet_since_ns = Now();
    if (flow.in_flight == 0) {
      disk.busy_since_ns = 0;
    } else if (disk.busy_since_ns == 0) {
      disk.busy_since_ns = Now();
    }
    disk.flow = flow;
    disk.seen = true;
  }
  std::erase_if(disks_, [](const auto& entry) { return !entry.second.seen; });
}

// Whether anything may become a stall.
bool IoStallDetector::InDoubt() const {
  return tasks_wait_ || !open_.empty() ||
         std::any_of(disks_.begin(), disks_.end(), [this](const auto& entry) {
           return entry.second.busy_since_ns != 0 && entry.second.quiet_since_ns != Now();
         });
}

void IoStallDetector::UpdateTasks() {
  const uint64_t rest_ns =
      std::min(walk_cost_ns_ * (InDoubt() ? kRestWhenInDoubt : kRestForEachNs), kMaxRestNs);
  if (disks_.empty() || looked_ns_ + kSlackNs < walked_ns_ + rest_ns) return;
  walked_ns_ = looked_ns_;
  walked_at_ns_ = Now();
  for (auto& [dev, disk] : disks_) {
    disk.tasks.clear();
    disk.others.clear();
  }
  waits_.clear();
  blocked_ = world_.blocked_tasks();
  walk_cost_ns_ = world_.clock->MonotonicNs() - walked_ns_;
  tasks_wait_ = false;
  std::map<TaskId, Known> known;
  for (size_t i = 0; i < blocked_.size(); ++i) {
    const BlockedTask& task = blocked_[i];
    const TaskId id(task.pid, task.start_ns);
    const auto before = known_.find(id);
    const bool same = before != known_.end() && before->second.switches == task.switches;
    known[id] = same ? before->second : Known{task.switches, Now()};
    const TaskWait& wait = waits_.emplace_back(ClassifyWait(task.frames));
    const auto disk = disks_.find(task.file_dev == 0 ? 0 : world_.whole_disk(task.file_dev));
    if (disk == disks_.end()) continue;
    (wait.is_io ? disk->second.tasks : disk->second.others).push_back(i);
    tasks_wait_ |= wait.is_io;
  }
  known_ = std::move(known);
}

void IoStallDetector::Judge(uint32_t dev, Disk& disk) {
  const auto since = SilentSince(dev, disk);
  // While it goes on, the time it began stays, whoever waits now.
  if (!since || !disk.silent_since_ns) disk.silent_since_ns = since;
  if (!disk.silent_since_ns) disk.subject.reset();
  if (disk.silent_since_ns && !disk.subject) disk.subject = world_.subject(dev);
}

// Since when nothing of the disk ends though somebody waits, if that is long enough.
std::optional<uint64_t> IoStallDetector::SilentSince(uint32_t dev, const Disk& disk) {
  const bool open = disk.silent_since_ns.has_value();
  if (!IsLong(disk.quiet_since_ns)) return std::nullopt;
  if (disk.flow.in_flight > 0) {
    const uint64_t since_ns = std::max(disk.quiet_since_ns, disk.busy_since_ns);
    // What is throttled is in flight in no device of its own, but may be in one above it. Of a
    // cgroup that is gone, the I/O that its limits held back is on its way.
    const bool by_order = disk.flow.stacked && IsLimited(dev, disk.flow.cgroup_id, disk.flow.cgroup_hierarchy)
                                                   .value_or(Now() - since_ns < 2 * stall_ns_);
    if ((open || IsLong(since_ns)) && !by_order) return since_ns;
  }
  std::optional<uint64_t> first;
  for (const size_t i : disk.tasks) {
    const uint64_t since_ns = std::max(disk.quiet_since_ns, TaskSince(blocked_[i]));
    // Not longer than until it was last seen; with its cgroup, a task is gone too.
    const bool is_long = open || walked_at_ns_ + kSlackNs >= since_ns + stall_ns_;
    if (!is_long || IsLimited(dev, blocked_[i].cgroup_id, blocked_[i].cgroup_hierarchy).value_or(true))
      continue;
    first = std::min(first.value_or(since_ns), since_ns);
  }
  return first;
}

// Whether the cgroup's own limits, on the disk or one below it, may be what it waits for. nullopt:
// it is gone, and its limits with it.
std::optional<bool> IoStallDetector::IsLimited(uint32_t dev, uint64_t cgroup_id, uint32_t hierarchy) {
  if (cgroup_id == 0 || !world_.tightly_limited) return false;
  const auto limited = world_.tightly_limited(cgroup_id, hierarchy);
  if (!limited) return std::nullopt;
  if (limited->empty()) return false;
  const std::vector<std::string> related = world_.related(dev);
  return std::any_of(limited->begin(), limited->end(), [&](uint32_t other) {
    return world_.whole_disk(other) == dev ||
           std::find(related.begin(), related.end(), world_.subject(world_.whole_disk(other)).id()) !=
               related.end();
  });
}

// The silent disks among those above this one.
std::vector<uint32_t> IoStallDetector::Above(uint32_t dev) const {
  std::vector<uint32_t> above;
  const Disk& disk = disks_.at(dev);
  const v1::Subject subject = disk.subject ? *disk.subject : world_.subject(dev);
  for (const auto& [other, upper] : disks_) {
    if (other == dev || !upper.silent_since_ns) continue;
    const std::string name = FirstWord(upper.subject->name());
    if (std::any_of(subject.used_by().begin(), subject.used_by().end(),
                    [&](const std::string& user) { return FirstWord(user) == name; }))
      above.push_back(other);
  }
  return above;
}

void IoStallDetector::Report(uint32_t dev, Disk& disk, const std::vector<uint32_t>& above, bool only) {
  const bool opens = open_.insert(dev).second;
  // Since what it wrote may change with every look, it is sent once a second.
  v1::Event& event =
      events_.Note(Key(dev), opens ? Monotonic(*disk.silent_since_ns) : world_.clock->MonotonicNs(),
                   opens ? 1 : 0, [&](v1::Event& fresh) {
                     *fresh.mutable_subject() = *disk.subject;
                     AddRelated(fresh, world_, dev);
                   });
  Describe(event, disk, above, only);
  events_.Publish(Key(dev));
}

void IoStallDetector::Describe(v1::Event& event, const Disk& disk, const std::vector<uint32_t>& above,
                               bool only) {
  const uint64_t silent_ns = Now() - *disk.silent_since_ns;
  std::vector<size_t> indexes = disk.tasks;
  indexes.insert(indexes.end(), disk.others.begin(), disk.others.end());
  std::string stalls;
  for (const uint32_t dev : above) {
    const Disk& upper = disks_.at(dev);
    stalls += (stalls.empty() ? "" : ", ") + upper.subject->name();
    indexes.insert(indexes.end(), upper.tasks.begin(), upper.tasks.end());
    indexes.insert(indexes.end(), upper.others.begin(), upper.others.end());
  }
  std::vector<WaitingTask> waiting;
  for (size_t i = 0; i < blocked_.size(); ++i) {
    // Kernel threads, page faults and the like wait for nobody knows which disk: for the only one.
    const bool anybodys = only && blocked_[i].file_dev == 0 && waits_[i].is_io;
    if (!anybodys && std::find(indexes.begin(), indexes.end(), i) == indexes.end()) continue;
    waiting.push_back({&blocked_[i], waits_[i], walked_at_ns_ - TaskSince(blocked_[i])});
  }
  std::string summary = event.subject().name() + ": no I/O ended for " + SecondsText(silent_ns) + " s";
  if (disk.flow.in_flight > 0) summary += ", " + std::to_string(disk.flow.in_flight) + " in flight";
  SetFact(event, "in_flight", std::to_string(disk.flow.in_flight));
  SetFact(event, "waiting_ns", std::to_string(silent_ns));
  if (!stalls.empty()) SetFact(event, "stalls", stalls);
  // They may all have gone, and the I/O still be under way: those who waited first are who was hurt.
  if (!waiting.empty() || disk.flow.cgroup_id != 0) {
    const size_t count = waiting.size();
    SetWaiters(event, std::move(waiting), world_);
    if (event.clients().empty())
      CountClient(event, world_.client(disk.flow.cgroup_id, disk.flow.cgroup_hierarchy));
    if (count > 0) {
      const v1::Waiter& first = event.waiters(0);
      summary +=
          ", " + first.comm() + " (pid " + std::to_string(first.pid()) + ") waits in " + first.waits_in();
    }
    if (count > 1) summary += ", and " + std::to_string(count - 1) + " more";
  }
  event.set_summary(summary);
}

FFDC_REGISTER_DETECTOR("io.stall",
                       [](const DetectorWorld& world, EventSink sink) -> std::unique_ptr<Detector> {
                         return std::make_unique<IoStallDetector>(world, std::move(sink));
                       });

}  // namespace
}  // namespace ffdc
