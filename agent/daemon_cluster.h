// SPDX-License-Identifier: Apache-2.0
// This node among the others: wires the cluster DB, the peers and the incidents
// together. Everything here runs on the loop's thread; nothing of it blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/event_loop.h"
#include "base/launcher.h"
#include "base/result.h"
#include "base/uuid.h"
#include "cluster/db.h"
#include "cluster/join_tokens.h"
#include "cluster/life_cycle.h"
#include "cluster/membership.h"
#include "config/settings.h"
#include "daemon_handoff.h"
#include "daemon_news.h"
#include "ffdc/v1/control.pb.h"
#include "incident/manager.h"
#include "peer/clients.h"
#include "peer/server.h"

namespace ffdc {

// What the agent does for it.
struct ClusterHooks {
  std::function<void(const v1::Event&, bool ended)> event;
  // Freezes the recorder at once; what it returns collects, for the incident that is known by then.
  // head: what the manifest says of the origin.
  using Collect = std::function<void(const v1::Incident&, const v1::Manifest& head)>;
  std::function<Collect(uint64_t* frozen_mono_ns)> freeze;
  // Identities of shared storage that this node uses (Subject.id), the most important first.
  std::function<std::vector<std::string>()> subjects;
  // The links by which the DB or a peer (the id of an event's subject) is reached.
  std::function<std::vector<std::string>(const std::string& subject_id)> links_to;
  // A person deleted this incident on another node. May be told again, and of one that is not known here.
  std::function<void(const std::string& id)> deleted;
};

class DaemonCluster {
 public:
  DaemonCluster(const Settings& settings, EventLoop& loop, Launcher& launcher, IncidentManager& incidents,
                Shipper& shipper, UuidGenerator& ids, ClusterHooks hooks);
  ~DaemonCluster();

  // Before the loop runs. A single node (cluster.db "embedded") has no peers and listens to nobody.
  Result<> Start();
  void Tick();  // once a second
  // Tells the others that this is no failure; done runs when that is written, or soon anyway.
  void Leave(const std::function<void()>& done);

  // One of this node's own, just opened: alert before you collect.
  void Alert(const v1::Incident& incident, const v1::Event& trigger);
  // A person's: only these nodes, which FindNodes gave.
  void Alert(const v1::Incident& incident, const v1::Event& trigger, const std::vector<std::string>& nodes);
  // Peers by name, or all of them; ENOENT names the one that is none.
  [[nodiscard]] Result<std::vector<std::string>> FindNodes(bool all,
                                                           const std::vector<std::string>& names) const;
  void OnIncidentChanged(const v1::Incident& incident);
  void OnIncidentDeleted(const std::string& id);
  // problem: why it cannot be; empty: it is in the store.
  void OnStoredForPeer(const v1::Manifest& manifest, const std::string& problem);

  NewsDesk& news() { return news_; }

  // From every node that answers within kQueryDeadline.
  void ListIncidents(uint32_t limit, const std::string& state, std::function<void(v1::IncidentList)> done);
  void FindIncident(const std::string& prefix, std::function<void(Result<v1::IncidentDetail>)> done);
  // On every node, also on those that are away now.
  void PinIncident(const std::string& prefix, bool pinned, std::function<void(Result<v1::Incident>)> done);
  [[nodiscard]] v1::NodeList ListNodes() const;
  Result<v1::NodeList> RemoveNode(const std::string& name);
  [[nodiscard]] v1::ClusterStatus Status() const;
  void AddProblems(v1::Status& status) const;
  [[nodiscard]] v1::ClusterView View() const;
  // The DB's servers, and the peers that should be there.
  [[nodiscard]] std::vector<Endpoint> Endpoints() const;

  // daemon_cluster_join.cc
  // One more node may join with it, for so long. ENOTSUP: this node does not keep the CA's key.
  void MakeToken(std::chrono::seconds valid, std::function<void(Result<v1::JoinTicket>)> done);
  // This node is no member any more: its peers forget it, and it goes on alone until it is started again.
  void LeaveCluster(std::function<void(Result<v1::LeaveClusterReply>)> done);

 private:
  struct PendingAlert {
    v1::AlertRequest request;
    std::set<std::string> missing;
    std::set<std::string> in_flight;
    uint64_t until_ns = 0;
    uint64_t adopt_ns = 0;  // until then other nodes have time to alert those that they were to; 0: none was
  };
  struct Report {
    std::string told;     // the last that the origin confirmed
    std::string written;  // the last that went to the DB
    bool in_flight = false;
    bool dirty = false;
  };
  struct PeerState {
    bool ping_in_flight = false;
    bool answers = false;
    uint64_t next_ping_ns = 0;
    uint64_t ping_interval_s = 0;
    size_t alerts_in_flight = 0;
    uint64_t alert_failed_ns = 0;
    std::string error = "not asked yet";
    std::string version;
    bool store_reachable = false;
    std::string store_id;
  };
  // Incident id -> node -> what the DB has of it.
  using DbCopies = std::map<std::string, std::map<std::string, v1::Incident>>;
  using Copies = std::map<std::string, std::map<std::string, v1::Incident>>;

  [[nodiscard]] bool clustered() const { return !left_ && settings_.cluster.db != "embedded"; }
  [[nodiscard]] const std::string& self() const { return settings_.node.name; }
  void LoadCopy();
  void SaveCopy();
  Result<> StartPeers();
  PeerHandlers Handlers();
  Result<> Listen();
  Result<> StartDb();
  void MembersChanged();
  void Register();
  void TellLifeCycle();
  void PingPeers();
  void PingPeer(const std::string& node);
  void OnPing(const std::string& node, const Result<v1::PingReply>& reply);
  [[nodiscard]] std::string DbId() const { return "cluster_db:" + settings_.node.cluster; }
  void OnCondition(const ClusterCondition& condition);
  void OnDbEntry(const std::string& key, const std::optional<std::string>& value);
  void TrimDb();
  void OnDeletedEntry(const std::string& id, bool there);
  void OnPinEntry(const std::string& id, const std::optional<std::string>& value);
  void ForgetAlerts(const std::string& id);
  void DeleteFromDb(const std::string& id, const std::map<std::string, v1::Incident>& copies);
  void WaitWritten(const std::function<void()>& done);

  // forward_to: whom it is to alert in turn.
  void SendAlert(const std::string& id, const std::string& node,
                 const std::vector<std::string>& forward_to = {});
  void OnAlertAnswer(const std::string& id, const std::string& node,
                     const std::vector<std::string>& forward_to, const Result<v1::AlertReply>& reply);
  void NoteCapture(const std::string& id, const v1::Capture& capture);
  void NoteUnreached(const std::string& id, const std::string& node, const std::string& why);
  void AdoptForwarded(const std::string& id);
  void ForwardAlert(const v1::AlertRequest& request);
  void RetryFor(const std::string& node);
  // An alert that is new: freezes, answers, and then collects.
  void Capture(const v1::AlertRequest& request, const std::string& relayed_by,
               const PeerAnswer<v1::AlertReply>& answer);
  void CaptureIfMissed(const v1::Incident& incident);
  void GiveUp(const PendingAlert& alert);
  void OnAlert(const std::string& peer, const v1::AlertRequest& request,
               const PeerAnswer<v1::AlertReply>& answer);
  // Looks every step whether it is so; then runs once it is, or after so many steps.
  void WaitUntil(const std::function<bool()>& is_so, std::chrono::milliseconds step, int steps,
                 const std::function<void()>& then);
  void AddToken(std::chrono::seconds valid, const std::function<void(Result<v1::JoinTicket>)>& done);
  void OnJoin(const std::string& from, const v1::JoinRequest& request,
              const PeerAnswer<v1::JoinReply>& answer);
  [[nodiscard]] Result<> CheckJoin(const v1::JoinRequest& request, int64_t now_wall_ns) const;
  void OnRemoved(const std::function<void(Result<v1::LeaveClusterReply>)>& done);
  void GoOnAlone();
  [[nodiscard]] v1::TlsFilesArgs CertificatePaths() const;
  Result<> TakeCertificate(const v1::TlsFiles& files);
  void LookAtCertificate(uint64_t now_ns);
  // problem: why the files cannot be used; empty: they can.
  void OnCertificate(const v1::TlsFiles& files, const std::string& problem);
  void AddCertificateProblem(v1::Status& status) const;
  void OnReport(const v1::CaptureReport& report, const PeerAnswer<v1::CaptureReportReply>& answer);
  void OnIncidents(const v1::PeerIncidentsRequest& request, const PeerAnswer<v1::PeerIncidents>& answer);
  [[nodiscard]] bool RemoteAllowed(uint64_t now_ns);
  void FlushSoon();
  void Flush();
  void SendReport(const v1::Incident& incident, Report& report);

  void Ask(const v1::PeerIncidentsRequest& request,
           std::function<void(Copies, std::vector<std::string> unanswered)> done);
  [[nodiscard]] std::vector<std::string> Peers() const;
  [[nodiscard]] std::vector<std::string> PeersInScope(const v1::Event& event) const;
  void UpdateSubjects();
  [[nodiscard]] std::vector<std::string> PeersWithStore() const;
  [[nodiscard]] v1::Node NodeOf(const v1::Member& member) const;

  const Settings& settings_;
  EventLoop& loop_;
  Launcher& launcher_;
  IncidentManager& incidents_;
  Shipper& shipper_;
  UuidGenerator& ids_;
  ClusterHooks hooks_;
  TlsIdentity tls_;
  std::string ca_key_;  // empty: it is not kept here
  CertificateFacts certificate_;
  std::string certificate_problem_;  // of the files as they are now
  std::string listen_problem_;
  uint64_t certificate_due_ns_ = 0;
  bool certificate_busy_ = false;
  JoinTokens tokens_;
  v1::Member own_;
  Membership membership_;
  LifeCycle life_cycle_;
  std::map<std::string, PeerState> peers_;
  std::map<std::string, PendingAlert> alerts_;
  std::map<std::string, Report> reports_;
  std::map<std::string, std::vector<v1::Capture>> noted_captures_;  // by incident, not yet in it
  std::set<std::string> dirty_incidents_;
  DbCopies db_copies_;
  std::set<std::string> deleted_;                // ids that the DB has as deleted
  std::map<std::string, bool> pins_;             // id -> whether it is pinned, as the DB has it
  std::map<std::string, v1::Event> conditions_;  // that go on
  NewsDesk news_;
  uint64_t subjects_due_ns_ = 0;
  bool flush_waits_ = false;
  bool copy_dirty_ = false;
  bool db_was_reachable_ = false;
  bool copy_busy_ = false;
  bool leaving_ = false;  // on the way out; after a stop, or a LeaveCluster, for good
  bool left_ = false;     // by LeaveCluster
  std::string copy_problem_;
  uint64_t alerts_sent_ = 0;
  uint64_t alerts_received_ = 0;
  uint64_t alerts_duplicate_ = 0;
  uint64_t alerts_missed_ = 0;
  uint64_t remote_window_ns_ = 0;
  uint32_t remote_in_window_ = 0;
  std::unique_ptr<ClusterDb> db_;
  std::unique_ptr<ClusterDb>
      left_db_;  // of the cluster that was left: ends with the agent, as that may block
  std::shared_ptr<PeerDispatch> dispatch_;
  std::unique_ptr<PeerClients> clients_;
  std::unique_ptr<Handoff> handoff_;
  std::unique_ptr<PeerServer> server_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace ffdc
