// SPDX-License-Identifier: Apache-2.0
#include "probe/paths.h"

#include <algorithm>
#include <map>
#include <utility>

namespace ffdc {
namespace {

constexpr size_t kMaxFailing = 8192;  // subjects; more are not told of

class Paths final : public PathProbe, private PathReports {
 public:
  Paths(PathWorld world, Sink sink) : world_(std::move(world)), sink_(std::move(sink)) {
    for (const auto make :
         {MakeMultipathPaths, MakeNvmePaths, MakeScsiPaths, MakeNbdPaths, MakeNfsPaths, MakeCephPaths})
      transports_.push_back(make(world_, *this));
  }

  void OnUevent(const Uevent& event) override {
    for (const PathTransportPtr& transport : transports_) transport->OnUevent(event);
  }
  void OnRecord(const ffdc_record_header& record) override {
    for (const PathTransportPtr& transport : transports_) transport->OnRecord(record);
  }
  void OnKernelMessage(const KernelMessage& message) override {
    for (const PathTransportPtr& transport : transports_) transport->OnKernelMessage(message);
  }
  void Poll() override {
    for (const PathTransportPtr& transport : transports_) transport->Poll();
  }

  [[nodiscard]] std::vector<v1::Probe> Status() const override {
    v1::Probe status;
    status.set_name("paths");
    status.set_active(true);
    status.set_attached_to("sysfs, mountinfo, mountstats, uevents, kernel log, sunrpc");
    status.set_records(reported_);
    status.set_drops(dropped_);
    return {status};
  }

  void Report(const SubjectPaths& subject) override;
  [[nodiscard]] bool Failing(const std::string& transport, const std::string& id) const override {
    return failing_.contains({transport, id});
  }

 private:
  struct Told {
    std::vector<PathView> paths;
    uint32_t left = 0;
    uint32_t total = 0;
  };

  void Emit(const SubjectPaths& subject, const PathView& path, uint32_t left, uint32_t total,
            const std::vector<std::string>& related);

  const PathWorld world_;
  const Sink sink_;
  std::vector<PathTransportPtr> transports_;
  std::map<std::pair<std::string, std::string>, Told> failing_;  // by transport and subject
  uint64_t reported_ = 0;
  uint64_t dropped_ = 0;
};

bool SameState(const std::vector<PathView>& told, const PathView& now) {
  const auto before =
      std::find_if(told.begin(), told.end(), [&](const PathView& path) { return path.path == now.path; });
  if (before == told.end()) return now.state == PathState::State::kLive;
  return before->state == now.state && before->detail == now.detail;
}

void Paths::Report(const SubjectPaths& subject) {
  using State = PathState::State;
  const auto key = std::pair(subject.transport, subject.id);
  const auto known = failing_.find(key);
  const auto count = [&](State state) {
    return static_cast<uint32_t>(std::count_if(subject.paths.begin(), subject.paths.end(),
                                               [&](const PathView& path) { return path.state == state; }));
  };
  const uint32_t left = count(State::kLive);
  const uint32_t total = left + count(State::kLost);  // one that stands by is not missed
  const bool whole = left == subject.paths.size();
  if (known == failing_.end() && (whole || subject.paths.empty())) return;
  if (known == failing_.end() && failing_.size() >= kMaxFailing) {
    ++dropped_;
    return;
  }
  Told told = known == failing_.end() ? Told{} : std::move(known->second);
  std::vector<const PathView*> news;
  for (const PathView& path : subject.paths) {
    if (!SameState(told.paths, path)) news.push_back(&path);
  }
  const PathView gone{told.paths.empty() ? "" : told.paths.front().path, State::kLost, "removed", 0};
  if (subject.paths.empty()) {
    news.push_back(&gone);
  } else if (news.empty() && (left != told.left || total != told.total)) {
    news.push_back(&subject.paths.front());
  }
  if (subject.paths.empty() || whole) {
    failing_.erase(key);
  } else {
    failing_[key] = {subject.paths, left, total};
  }
  if (news.empty()) return;
  std::vector<std::string> related = subject.related ? subject.related() : std::vector<std::string>();
  std::sort(related.begin(), related.end());
  related.erase(std::unique(related.begin(), related.end()), related.end());
  std::erase(related, subject.id);  // the paths of NVMe multipath have their head's identity
  for (const PathView* path : news) Emit(subject, *path, left, total, related);
}

void Paths::Emit(const SubjectPaths& subject, const PathView& path, uint32_t left, uint32_t total,
                 const std::vector<std::string>& related) {
  PathState state;
  state.subject_type = subject.type;
  state.subject_id = subject.id;
  state.subject_name = subject.name;
  state.path = PrintableUtf8(path.path);
  state.transport = subject.transport;
  state.detail = PrintableUtf8(path.detail);
  state.state = path.state;
  state.paths_left = left;
  state.paths_total = total;
  state.time_ns = path.since_ns == 0 ? world_.clock->MonotonicNs() : path.since_ns;
  state.related_ids = related;
  state.mount_devs = subject.mount_devs;
  ++reported_;
  sink_(state);
}

}  // namespace

std::unique_ptr<PathProbe> PathProbe::Start(PathWorld world, Sink sink) {
  return std::make_unique<Paths>(std::move(world), std::move(sink));
}

}  // namespace ffdc
