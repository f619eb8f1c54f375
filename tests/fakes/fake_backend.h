// SPDX-License-Identifier: Apache-2.0
// An agent without an agent: answers the management service with samples.
#pragma once

#include <fcntl.h>
#include <google/protobuf/util/delimited_message_util.h>
#include <sys/socket.h>

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "control/backend.h"
#include "fakes/samples.h"

namespace ffdc::fakes {

class FakeBackend final : public ControlBackend {
 public:
  FakeBackend() {
    incidents_ = {SampleManualIncident(), SampleIncident()};  // newest first
  }
  ~FakeBackend() override {
    for (std::thread& writer : writers_) writer.join();
  }

  // From now on every call fails like this.
  void FailWith(Error error) {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(error);
  }
  void SetArchive(std::string archive) {
    const std::lock_guard lock(mutex_);
    archive_ = std::move(archive);
  }
  // The announced size; by default the archive's own.
  void SetAnnouncedBytes(uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    announced_bytes_ = bytes;
  }
  void FailPullAtEnd(Error error) {
    const std::lock_guard lock(mutex_);
    pull_failure_ = std::move(error);
  }
  // The sample's capture, from now on.
  void Redact() {
    const std::lock_guard lock(mutex_);
    redacted_ = true;
  }
  void Encrypt() {
    const std::lock_guard lock(mutex_);
    encrypted_ = true;
  }
  void SetVerifyProblem(std::string file, std::string problem) {
    const std::lock_guard lock(mutex_);
    verify_problem_ = {std::move(file), std::move(problem)};
  }

  void Emit(const v1::Event& event) {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, sink] : sinks_) sink(event);
  }
  [[nodiscard]] size_t watchers() const {
    const std::lock_guard lock(mutex_);
    return sinks_.size();
  }
  [[nodiscard]] size_t watched_devices() const {
    const std::lock_guard lock(mutex_);
    return watched_devices_;
  }

  Result<v1::Status> GetStatus() override { return Reply(SampleStatus()); }
  Result<v1::ProbeList> ListProbes(uint32_t measure_ms) override {
    v1::ProbeList list = SampleProbes();
    list.set_runs_counted(measure_ms != 0);
    list.set_measured_ns(uint64_t{measure_ms} * 1'000'000);
    return Reply(list);
  }
  Result<v1::Config> GetConfig() override {
    v1::Config config = SampleConfigReply();
    {
      const std::lock_guard lock(mutex_);
      if (!config_path_.empty()) config.set_path(config_path_);
      for (const std::string& file : drop_ins_) config.add_drop_ins(file);
    }
    return Reply(std::move(config));
  }
  Result<v1::EventList> ListEvents(uint32_t limit) override {
    v1::EventList list;
    for (const v1::Incident& incident : incidents_) {
      for (const v1::Event& event : incident.events()) {
        if (static_cast<uint32_t>(list.events_size()) < limit) *list.add_events() = event;
      }
    }
    return Reply(list);
  }
  Result<v1::IncidentList> ListIncidents(uint32_t limit, const std::string& state) override {
    v1::IncidentList list;
    for (const v1::Incident& incident : incidents_) {
      const bool wanted = state.empty() || (state == "open") == (incident.state() == v1::OPEN);
      if (wanted && (limit == 0 || static_cast<uint32_t>(list.incidents_size()) < limit))
        *list.add_incidents() = incident;
    }
    return Reply(list);
  }
  Result<v1::IncidentDetail> GetIncident(const std::string& id) override {
    FFDC_ASSIGN(const v1::Incident incident, Resolve(id));
    v1::IncidentDetail detail;
    *detail.mutable_incident() = incident;
    if (incident.id() == kIncidentId) *detail.add_manifests() = SampleManifest();
    const std::lock_guard lock(mutex_);
    for (v1::Manifest& manifest : *detail.mutable_manifests()) {
      if (redacted_) {
        manifest.add_redacted("passwords");
        v1::CapturedFile& text = *manifest.add_files();
        text.set_name("kernel.log");
        text.set_redactions(3);
        text.set_lines_cut(1);
        v1::CapturedFile& binary = *manifest.add_files();
        binary.set_name("io-history.bin");
        binary.set_not_redacted(true);
      }
      if (!encrypted_) continue;
      manifest.set_archive("capture.tar.zst.cms");
      for (const char* subject : {"CN=ops,O=Example", "CN=vendor"}) {
        manifest.add_encrypted_to()->set_subject(subject);
        manifest.mutable_encrypted_to()->rbegin()->set_sha256(std::string(64, 'a'));
      }
    }
    if (incident.id() == kManualId) detail.set_note("db1: still collecting");
    return detail;
  }
  Result<v1::VerifyReport> VerifyIncident(const std::string& id) override {
    FFDC_ASSIGN(const v1::Incident incident, Resolve(id));
    v1::VerifyReport report;
    report.set_incident_id(incident.id());
    report.set_files_checked(17);
    report.set_bytes_checked(6'215'170);
    const std::lock_guard lock(mutex_);
    report.set_ok(!verify_problem_.has_value());
    if (encrypted_) report.add_encrypted("db1");
    if (verify_problem_) {
      auto* problem = report.add_problems();
      problem->set_file(verify_problem_->first);
      problem->set_problem(verify_problem_->second);
    }
    return report;
  }
  Result<v1::Incident> PinIncident(const std::string& id, bool pinned) override {
    FFDC_ASSIGN(v1::Incident incident, Resolve(id));
    incident.set_pinned(pinned);
    return incident;
  }
  Result<v1::DeleteReport> DeleteIncident(const std::string& id) override {
    FFDC_ASSIGN(const v1::Incident incident, Resolve(id));
    if (incident.pinned()) {
      return Fail(
          "incident " + incident.id() + " is pinned: unpin it first (ffdcctl incident unpin " + id + ")",
          EBUSY);
    }
    v1::DeleteReport report;
    report.set_incident_id(incident.id());
    report.set_bytes_freed(183'500);
    return report;
  }
  Result<v1::ResourceList> ListResources() override { return Reply(SampleResources()); }
  Result<v1::NodeList> ListNodes() override { return Reply(SampleNodes()); }
  Result<v1::NodeList> RemoveNode(const std::string& name) override {
    v1::NodeList list = SampleNodes();
    for (int i = 0; i < list.nodes_size(); ++i) {
      if (list.nodes(i).name() != name) continue;
      list.mutable_nodes()->DeleteSubrange(i, 1);
      return Reply(list);
    }
    return Fail("there is no node '" + name + "': see 'ffdcctl node list'", ENOENT);
  }
  Result<v1::ClusterView> GetCluster() override { return Reply(SampleCluster()); }
  Result<v1::JoinTicket> MakeToken(std::chrono::seconds valid) override {
    v1::JoinTicket ticket;
    ticket.set_token("ffdc1." + std::string(64, 'a') + "." + std::string(40, 'b'));
    ticket.set_address("10.0.0.1:7420");
    ticket.mutable_expires_at()->set_seconds(1'800'000'000 + valid.count());
    return Reply(ticket);
  }
  Result<v1::LeaveClusterReply> LeaveCluster() override {
    v1::LeaveClusterReply reply;
    reply.set_cluster("prod");
    return Reply(reply);
  }
  // What GetConfig tells of the agent's files.
  void SetConfigFiles(std::string path, std::vector<std::string> drop_ins) {
    const std::lock_guard lock(mutex_);
    config_path_ = std::move(path);
    drop_ins_ = std::move(drop_ins);
  }
  Result<v1::Incident> Dump(const std::string& reason, bool all_nodes,
                            const std::vector<std::string>& nodes) override {
    v1::Incident incident = SampleManualIncident();
    if (all_nodes) incident.add_captures()->set_node("every other node");
    for (const std::string& node : nodes) incident.add_captures()->set_node(node);
    incident.set_reason(reason);
    return Reply(incident);
  }
  Result<std::shared_ptr<void>> WatchEvents(std::function<void(const v1::Event&)> sink) override {
    const std::lock_guard lock(mutex_);
    if (failure_) return Unexpected(*failure_);
    const int key = next_key_++;
    sinks_[key] = std::move(sink);
    return std::shared_ptr<void>(nullptr, [this, key](void*) {
      const std::lock_guard unwatch_lock(mutex_);
      sinks_.erase(key);
    });
  }
  Result<std::shared_ptr<void>> WatchCluster(std::function<void(const v1::News&)> sink) override {
    const std::lock_guard lock(mutex_);
    if (failure_) return Unexpected(*failure_);
    news_sink_ = std::move(sink);
    return std::shared_ptr<void>(nullptr, [this](void*) {
      const std::lock_guard unwatch_lock(mutex_);
      news_sink_ = nullptr;
    });
  }
  void EmitNews(const v1::News& news) {
    const std::lock_guard lock(mutex_);
    if (news_sink_) news_sink_(news);
  }
  Result<v1::StoreStatus> InitStore() override { return Reply(SampleStatus().store()); }
  // Tells it in two messages.
  Result<Pull> RunStoreWork(StoreWork work, const std::string& from_url, const std::string& to_url) override {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return FailErrno("pipe2");
    const std::lock_guard lock(mutex_);
    Pull pull;
    pull.pipe = Fd(ends[0]);
    const Fd input(ends[1]);
    if (failure_) return Unexpected(*failure_);
    store_work_.push_back({work, from_url, to_url});
    v1::StoreProgress rest = store_progress_;
    v1::StoreProgress first;
    first.set_captures_total(rest.captures_total());
    first.set_bytes_total(rest.bytes_total());
    using google::protobuf::util::SerializeDelimitedToFileDescriptor;
    SerializeDelimitedToFileDescriptor(first, input.get());
    SerializeDelimitedToFileDescriptor(rest, input.get());
    pull.finish = []() -> Result<> { return {}; };
    return pull;
  }
  void SetStoreProgress(v1::StoreProgress progress) {
    const std::lock_guard lock(mutex_);
    store_progress_ = std::move(progress);
  }
  struct AskedWork {
    StoreWork work;
    std::string from_url;
    std::string to_url;
  };
  [[nodiscard]] std::vector<AskedWork> store_work() const {
    const std::lock_guard lock(mutex_);
    return store_work_;
  }

  Result<Pull> PullIncident(const std::string& id) override {
    FFDC_TRY(Resolve(id));
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return FailErrno("socketpair");
    const std::lock_guard lock(mutex_);
    Pull pull;
    pull.pipe = Fd(ends[0]);
    pull.total_bytes = announced_bytes_.value_or(archive_.size());
    pull.finish = [failure = pull_failure_]() -> Result<> {
      if (failure) return Unexpected(*failure);
      return {};
    };
    writers_.emplace_back([archive = archive_, out = ends[1]] {
      const Fd fd(out);
      size_t sent = 0;
      while (sent < archive.size()) {
        const ssize_t n = send(fd.get(), archive.data() + sent, archive.size() - sent, MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += static_cast<size_t>(n);
      }
    });
    return pull;
  }
  Result<std::shared_ptr<void>> WatchDevice(const std::string& name, v1::WatchDeviceReply* reply) override {
    const std::lock_guard lock(mutex_);
    if (failure_) return Unexpected(*failure_);
    reply->set_watching(true);
    reply->set_subject_id("loop:/" + name);
    ++watched_devices_;
    return std::shared_ptr<void>(nullptr, [this](void*) {
      const std::lock_guard unwatch_lock(mutex_);
      --watched_devices_;
    });
  }

 private:
  template <class T>
  Result<T> Reply(T value) {
    const std::lock_guard lock(mutex_);
    if (failure_) return Unexpected(*failure_);
    return value;
  }
  Result<v1::Incident> Resolve(const std::string& id) {
    std::vector<v1::Incident> found;
    for (const v1::Incident& incident : incidents_) {
      if (incident.id().starts_with(id)) found.push_back(incident);
    }
    if (found.empty())
      return Fail("no incident starts with '" + id + "': see `ffdcctl incident list`", ENOENT);
    if (found.size() > 1)
      return Fail("'" + id + "' fits " + std::to_string(found.size()) + " incidents: give more of the id",
                  EINVAL);
    return Reply(found.front());
  }

  mutable std::mutex mutex_;
  std::string config_path_;
  std::vector<std::string> drop_ins_;
  std::optional<Error> failure_;
  v1::StoreProgress store_progress_;
  std::vector<AskedWork> store_work_;
  std::optional<Error> pull_failure_;
  std::optional<std::pair<std::string, std::string>> verify_problem_;
  bool encrypted_ = false;
  bool redacted_ = false;
  std::vector<v1::Incident> incidents_;
  std::string archive_ = std::string(700'000, 'x');
  std::optional<uint64_t> announced_bytes_;
  std::map<int, std::function<void(const v1::Event&)>> sinks_;
  std::function<void(const v1::News&)> news_sink_;
  int next_key_ = 0;
  size_t watched_devices_ = 0;
  std::vector<std::thread> writers_;
};

}  // namespace ffdc::fakes
