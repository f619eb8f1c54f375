// SPDX-License-Identifier: Apache-2.0
// path.lost, path.degraded, path.restored: how many paths are left to a subject. One
// event a subject. What several transports know of one subject (a multipath device by
// device mapper, and by the iSCSI sessions below it) is kept apart; the worst counts.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "base/text.h"
#include "detect/open_events.h"

namespace ffdc {
namespace {

constexpr uint64_t kFlapNs = 10'000'000'000;  // at most one pair of events in this time
constexpr uint64_t kWaitersEveryNs = 1'000'000'000;
constexpr uint64_t kWaitersOftenNs = 30'000'000'000;  // of a loss; after that, a walk every 10 s
constexpr uint64_t kWaitersLaterNs = 10'000'000'000;
constexpr int kMaxWaitersNamed = 32;
constexpr size_t kMaxSubjects = 8192;

enum class Verdict { kGood, kDegraded, kLost };

std::string StateWord(const PathState& state) {
  if (state.state == PathState::State::kLive) return "live";
  return state.state == PathState::State::kLost ? "lost" : "troubled";
}

// "mpatha" of "dm-0 (mpatha)": what an administrator calls it.
std::string ShortName(const std::string& name) {
  const size_t open = name.find(" (");
  return open == std::string::npos || !name.ends_with(')') ? name
                                                           : name.substr(open + 2, name.size() - open - 3);
}

std::string KernelName(const std::string& name) { return name.substr(0, name.find(" (")); }

class PathDetector final : public Detector {
 public:
  PathDetector(const DetectorWorld& world, EventSink sink)
      : lost_(world, sink, "path.lost", v1::X1),
        degraded_(world, sink, "path.degraded", v1::X1),
        restored_(world, std::move(sink), "path.restored", v1::X1) {}

  void OnPath(const PathState& state) override {
    if (!subjects_.contains(state.subject_id)) {
      if (state.state == PathState::State::kLive || subjects_.size() >= kMaxSubjects) return;
    }
    Subject& subject = subjects_[state.subject_id];
    const auto [view, fresh] = subject.views.try_emplace(state.transport);
    // What is told of last is the path that failed last, unless all of them are back.
    const bool keep =
        !fresh && state.state == PathState::State::kLive && state.paths_left < state.paths_total;
    const PathState before = view->second;
    view->second = state;
    if (keep) {
      view->second.path = before.path;
      view->second.detail = before.detail;
      view->second.state = before.state;
    }
    subject.news = true;
    Settle(state.subject_id, subject);
  }

  void OnPoll() override {
    for (auto next = subjects_.begin(); next != subjects_.end();) {
      const auto entry = next++;
      Subject& subject = entry->second;
      Settle(entry->first, subject);
      if (!subject.open && subject.views.empty() && Now() > subject.restored_ns + kFlapNs)
        subjects_.erase(entry);
    }
    CollectWaiters();
  }

  void OnTick(const FailureTotals& /*totals*/) override {
    for (OpenEvents* events : {&lost_, &degraded_, &restored_}) events->Tick(false);
  }

 private:
  struct Subject {
    std::map<std::string, PathState> views;  // by transport: the newest, while it is not good
    bool news = false;
    bool open = false;
    Verdict verdict = Verdict::kGood;  // of the open event
    uint64_t since_ns = 0;             // when it began to fail
    uint64_t good_ns = 0;              // since when it is good again; 0: it is not
    uint64_t restored_ns = 0;
    uint64_t flaps = 0;
    bool quick = false;  // failed again soon after an event: the next end waits for calm
    uint64_t waiters_ns = 0;
  };
  using Wait = std::tuple<uint32_t, uint64_t, uint64_t>;  // pid, start, switches

  [[nodiscard]] uint64_t Now() const { return lost_.world().clock->MonotonicNs(); }
  [[nodiscard]] uint64_t StallNs() const {
    return static_cast<uint64_t>(lost_.world().options.stall_after.count());
  }

  [[nodiscard]] Verdict Judge(const PathState& view, const Subject& subject) {
    if (view.paths_left != 0) return view.paths_left < view.paths_total ? Verdict::kDegraded : Verdict::kGood;
    if (view.state == PathState::State::kLost) return Verdict::kLost;
    if (view.state == PathState::State::kLive) return Verdict::kGood;
    if (subject.open && subject.verdict == Verdict::kLost) return Verdict::kLost;
    // Trouble becomes a loss when it lasts; of a server on the network, when somebody waits for it.
    if (Now() < view.time_ns + StallNs()) return Verdict::kGood;
    if (view.mount_devs.empty() || !lost_.world().blocked_tasks) return Verdict::kLost;
    return WaitsFor(view) ? Verdict::kLost : Verdict::kGood;
  }

  void Settle(const std::string& id, Subject& subject) {
    const PathState* worst = nullptr;
    Verdict verdict = Verdict::kGood;
    bool gone = false;
    for (const auto& [transport, view] : subject.views) {
      const Verdict one = Judge(view, subject);
      if (worst == nullptr || one > verdict) worst = &view;
      verdict = std::max(verdict, one);
      gone |= view.state == PathState::State::kLost && view.paths_total == 0;
    }
    if (worst == nullptr) return;
    if (verdict == Verdict::kGood) {
      Good(id, subject, *worst);
    } else if (gone) {
      Gone(id, subject, *worst);
    } else {
      Bad(id, subject, *worst, verdict);
    }
  }

  void Bad(const std::string& id, Subject& subject, const PathState& view, Verdict verdict) {
    if (subject.good_ns != 0) ++subject.flaps;
    subject.good_ns = 0;
    if (subject.open && subject.verdict != verdict) End(id, subject, view.time_ns);
    if (!subject.open) {
      subject.quick = subject.restored_ns != 0 && view.time_ns < subject.restored_ns + kFlapNs;
      if (subject.since_ns == 0) subject.since_ns = view.time_ns;
      subject.open = true;
      subject.verdict = verdict;
      subject.news = true;
    }
    if (!std::exchange(subject.news, false)) return;
    OpenEvents& events = verdict == Verdict::kLost ? lost_ : degraded_;
    v1::Event& event = events.Note(id, view.time_ns, 1, [&](v1::Event& fresh) {
      Describe(fresh, view);
      fresh.set_severity(verdict == Verdict::kLost ? v1::CRITICAL : v1::WARNING);
    });
    Refresh(event, view, subject);
    event.set_summary(ShortName(view.subject_name) + ": path " + view.path + " " + Word(view) + ", " +
                      Left(view));
    events.Publish(id);
  }

  void Good(const std::string& id, Subject& subject, const PathState& view) {
    const uint64_t now = Now();
    const bool all_back = std::all_of(subject.views.begin(), subject.views.end(), [](const auto& entry) {
      const PathState& one = entry.second;
      return one.state == PathState::State::kLive ||
             (one.paths_left != 0 && one.paths_left == one.paths_total);
    });
    if (!subject.open) {
      if (all_back) subject.views.clear();  // else it is in trouble, which may yet become a loss
      return;
    }
    if (subject.good_ns == 0) subject.good_ns = view.time_ns;
    if (subject.quick && now < subject.good_ns + kFlapNs) return;
    const PathState back = view;
    const uint64_t took_ns = std::max(subject.good_ns, subject.since_ns) - subject.since_ns;
    End(id, subject, subject.good_ns);
    restored_.Once(subject.good_ns, [&](v1::Event& event) {
      Describe(event, back);
      event.set_severity(v1::INFO);
      Refresh(event, back, subject);
      event.set_duration_ns(took_ns);
      event.set_summary(
          ShortName(back.subject_name) + ": " +
          (back.paths_total > 1 ? "all " + std::to_string(back.paths_total) + " paths are" : "the path is") +
          " back after " + SecondsText(took_ns) + " s");
    });
    subject.restored_ns = now;
    subject.good_ns = 0;
    subject.flaps = 0;
    subject.since_ns = 0;
    if (all_back) subject.views.clear();
  }

  // Removed while it was failing: there is nothing left that could come back.
  void Gone(const std::string& id, Subject& subject, const PathState& view) {
    if (subject.open && Now() < view.time_ns + static_cast<uint64_t>(lost_.world().quiet_after.count()))
      return;
    End(id, subject, Now());
    subject.views.clear();
  }

  void End(const std::string& id, Subject& subject, uint64_t time_ns) {
    if (!subject.open) return;
    (subject.verdict == Verdict::kLost ? lost_ : degraded_).End(id, time_ns);
    subject.open = false;
  }

  void Describe(v1::Event& event, const PathState& view) {
    const DetectorWorld& world = lost_.world();
    v1::Subject& subject = *event.mutable_subject();
    subject.set_type(view.subject_type);
    subject.set_id(view.subject_id);
    subject.set_name(KernelName(view.subject_name));
    if (view.subject_type == "block_device" && world.disk_by_name && world.subject) {
      const uint32_t dev = world.disk_by_name(subject.name());
      if (dev != 0) {
        v1::Subject known = world.subject(dev);
        if (known.id() == view.subject_id) subject = std::move(known);
        if (world.below) {
          for (std::string& id : world.below(dev)) event.add_below_ids(std::move(id));
        }
      }
    }
    for (const std::string& related : view.related_ids) {
      event.add_related_ids(related);
      if (related.starts_with("endpoint:")) event.add_below_ids(related);
    }
  }

  static void Refresh(v1::Event& event, const PathState& view, const Subject& subject) {
    SetFact(event, "path", view.path);
    SetFact(event, "transport", view.transport);
    SetFact(event, "state", view.detail.empty() ? StateWord(view) : view.detail);
    SetFact(event, "paths_left", std::to_string(view.paths_left));
    SetFact(event, "paths_total", std::to_string(view.paths_total));
    std::string mounts;
    for (const std::string& id : view.related_ids) {
      if (id.starts_with("mount:")) mounts.append(mounts.empty() ? "" : " ").append(id.substr(6));
    }
    if (!mounts.empty()) SetFact(event, "mounts", mounts);
    if (subject.flaps != 0) SetFact(event, "flaps", std::to_string(subject.flaps));
  }

  static std::string Word(const PathState& view) {
    if (view.detail.empty() || view.detail == "failed") return "failed";
    return "lost (" + view.detail + ")";
  }

  static std::string Left(const PathState& view) {
    if (view.paths_left == 0) return "no path left";
    return std::to_string(view.paths_left) + " of " + std::to_string(view.paths_total) + " left";
  }

  // --- who waits ------------------------------------------------------------------------

  [[nodiscard]] static bool NamesMount(const BlockedTask& task, const PathState& view) {
    return task.file_dev != 0 &&
           std::find(view.mount_devs.begin(), view.mount_devs.end(), task.file_dev) != view.mount_devs.end();
  }

  [[nodiscard]] static bool InRpc(const BlockedTask& task) {
    return std::any_of(task.frames.begin(), task.frames.end(), [](const std::string& frame) {
      return frame.starts_with("rpc_wait_bit_killable") || frame.starts_with("nfs_") ||
             frame.starts_with("nfs4_");
    });
  }

  // A task that waits on one of its mounts, or in an RPC on something that is not known.
  static bool WaitsOnMounts(const BlockedTask& task, const PathState& view) {
    return task.file_dev == 0 ? InRpc(task) : NamesMount(task, view);
  }

  [[nodiscard]] bool WaitsFor(const PathState& view) {
    if (Now() >= walked_ns_ + kWaitersEveryNs) Walk();
    return std::any_of(tasks_.begin(), tasks_.end(),
                       [&](const BlockedTask& task) { return WaitsOnMounts(task, view); });
  }

  void Walk() {
    walked_ns_ = Now();
    tasks_ = lost_.world().blocked_tasks();
    std::map<Wait, uint64_t> still;
    for (const BlockedTask& task : tasks_) {
      const Wait wait{task.pid, task.start_ns, task.switches};
      const auto known = waiting_since_.find(wait);
      still[wait] = known == waiting_since_.end() ? walked_ns_ : known->second;
    }
    waiting_since_ = std::move(still);
  }

  void CollectWaiters() {
    if (!lost_.world().blocked_tasks) return;
    const uint64_t now = Now();
    for (auto& [id, subject] : subjects_) {
      v1::Event* event = subject.open && subject.verdict == Verdict::kLost ? lost_.Find(id) : nullptr;
      if (event == nullptr) continue;
      const bool young = now < event->first_mono_ns() + kWaitersOftenNs;
      if (now < subject.waiters_ns + (young ? kWaitersEveryNs : kWaitersLaterNs)) continue;
      subject.waiters_ns = now;
      if (now >= walked_ns_ + kWaitersEveryNs) Walk();
      FillWaiters(id, *event, subject);
    }
  }

  void FillWaiters(const std::string& id, v1::Event& event, const Subject& subject) {
    std::set<std::string> ids(event.related_ids().begin(), event.related_ids().end());
    ids.insert(event.subject().id());
    std::map<uint32_t, bool> below;  // devices already asked about
    std::vector<const BlockedTask*> waiters;
    for (const BlockedTask& task : tasks_) {
      const bool mounted = std::any_of(subject.views.begin(), subject.views.end(), [&](const auto& entry) {
        return !entry.second.mount_devs.empty() && WaitsOnMounts(task, entry.second);
      });
      if (mounted || OnDisk(task, ids, below)) waiters.push_back(&task);
    }
    if (waiters.empty()) return;
    const auto since = [this](const BlockedTask* task) {
      return waiting_since_.at({task->pid, task->start_ns, task->switches});
    };
    std::sort(waiters.begin(), waiters.end(),
              [&](const BlockedTask* a, const BlockedTask* b) { return since(a) < since(b); });
    event.clear_waiters();
    for (const BlockedTask* task : waiters) {
      const v1::Client client = ClientOf(*task);
      NameClient(event, client);
      if (event.waiters_size() >= kMaxWaitersNamed) continue;
      v1::Waiter& waiter = *event.add_waiters();
      waiter.set_pid(task->pid);
      waiter.set_tgid(task->tgid);
      waiter.set_comm(task->comm);
      waiter.set_waiting_ns(walked_ns_ - since(task));
      if (!task->frames.empty())
        waiter.set_waits_in(task->frames.front().substr(0, task->frames.front().find('+')));
      if (!client.type().empty()) *waiter.mutable_client() = client;
    }
    lost_.Publish(id);
  }

  [[nodiscard]] bool OnDisk(const BlockedTask& task, const std::set<std::string>& ids,
                            std::map<uint32_t, bool>& known) const {
    const DetectorWorld& world = lost_.world();
    if (task.file_dev == 0 || FFDC_DEV_MAJOR(task.file_dev) == 0 || !world.whole_disk || !world.subject)
      return false;
    const auto [found, fresh] = known.try_emplace(task.file_dev, false);
    if (fresh) found->second = ids.contains(world.subject(world.whole_disk(task.file_dev)).id());
    return found->second;
  }

  [[nodiscard]] v1::Client ClientOf(const BlockedTask& task) const {
    const DetectorWorld& world = lost_.world();
    return world.client && task.cgroup_id != 0 ? world.client(task.cgroup_id, 0) : v1::Client();
  }

  // Each once: a wait is looked at many times.
  static void NameClient(v1::Event& event, const v1::Client& client) {
    const bool known =
        std::any_of(event.clients().begin(), event.clients().end(), [&](const v1::Client& other) {
          return other.type() == client.type() && other.cgroup() == client.cgroup();
        });
    if (!known) CountClient(event, client);
  }

  OpenEvents lost_;
  OpenEvents degraded_;
  OpenEvents restored_;
  std::map<std::string, Subject> subjects_;  // with a path that is not live, or that were just restored
  std::vector<BlockedTask> tasks_;           // at the last walk
  std::map<Wait, uint64_t> waiting_since_;   // when each was first seen
  uint64_t walked_ns_ = 0;
};

FFDC_REGISTER_DETECTOR("path", [](const DetectorWorld& world, EventSink sink) -> std::unique_ptr<Detector> {
  return std::make_unique<PathDetector>(world, std::move(sink));
});

}  // namespace
}  // namespace ffdc
