// SPDX-License-Identifier: Apache-2.0
// Groups events into incidents, latches the first failure, and keeps what is
// known about every incident and its captures. The agent's memory is the truth
// while it runs; the index and the manifests bring it back. Loop thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/uuid.h"
#include "ffdc/v1/incident.pb.h"
#include "ffdc/v1/manifest.pb.h"
#include "incident/grouping.h"

namespace ffdc {

struct IncidentOptions {
  std::string node;
  std::string cluster;
  std::chrono::nanoseconds quiet_after{60'000'000'000};
};

struct IncidentCallbacks {
  // A new incident: freeze and capture now. trigger is its first event.
  std::function<void(const v1::Incident&, const v1::Event& trigger)> opened;
  // It was quiet for quiet_after.
  std::function<void(const v1::Incident&)> closed;
  // Anything of it changed: to be written down and shown.
  std::function<void(const v1::Incident&)> changed;
};

class IncidentManager {
 public:
  IncidentManager(IncidentOptions options, const Clock& clock, UuidGenerator& ids,
                  IncidentCallbacks callbacks);

  // What the index knew. Incidents left open stay open until quiet_after from now.
  void Load(std::vector<v1::Incident> incidents);
  // A sealed capture of a former life, or of this one: brings back an incident that the index lost.
  void Adopt(const v1::Manifest& manifest);

  // An event opened, changed or ended: joins the oldest open incident that it belongs to
  // (incident/grouping.h), or opens one. One that connects two open incidents does not merge
  // them. A recovery opens none. Returns the incident's id; empty: none.
  std::string OnEvent(const v1::Event& event, bool ended);
  // Another node's incident, captured here under its id. seed: id, origin_node, repeat, reason and the
  // event that opened it, its *_mono_ns as of this node's clock. False: it is known already.
  bool OpenRemote(const v1::Incident& seed);
  // Its origin says that it is over: so it is here, unless something of it lasts on this node.
  void OriginClosed(const std::string& id);
  // The oldest open incident with the same condition of the same thing, seen within seconds of this
  // event of another node; "": none. Only of subjects that are the same on every node.
  [[nodiscard]] std::string SameFailure(const v1::Event& event) const;
  // An incident of this node and an older one are one failure: its events go on in the older one.
  void MergeInto(const std::string& id, const std::string& older);
  // This node captured the failure under an older incident: it owes no capture of this one.
  void NotExpected(const std::string& id, const std::string& node);
  // These nodes were alerted: each owes a capture.
  void Expect(const std::string& id, const std::vector<std::string>& nodes);
  // What another node says of its own capture, and its own events that joined. False: no such incident.
  bool PeerCapture(const std::string& id, const v1::Capture& capture) { return PeerCaptures(id, {capture}); }
  // Of many nodes at once: settled once.
  bool PeerCaptures(const std::string& id, const std::vector<v1::Capture>& captures);
  void PeerEvents(const std::string& id, const google::protobuf::RepeatedPtrField<v1::Event>& events);
  // An incident that a person asked for.
  const v1::Incident& OpenManual(const std::string& reason);
  void Tick();  // closes what is quiet; once a second

  // Captures of this node.
  // by: the peer that stored it for this node; empty: this node.
  void CaptureStored(const v1::Manifest& manifest, const std::string& where, const std::string& by = {});
  void CaptureFailed(const std::string& id, const std::string& error);
  void CaptureDropped(const std::string& id, const std::string& reason);

  // By id or unique prefix of one; ENOENT or EINVAL (ambiguous) with a text that says so.
  [[nodiscard]] Result<const v1::Incident*> Find(const std::string& prefix) const;
  [[nodiscard]] const v1::Incident* Get(const std::string& id) const;
  // Newest first; limit 0: all. state: "open", "closed" or "".
  [[nodiscard]] std::vector<const v1::Incident*> List(uint32_t limit, const std::string& state) const;
  Result<const v1::Incident*> Pin(const std::string& id, bool pinned);
  void Forget(const std::string& id);  // deleted by a person

  // Pinned or open: what retention must not touch.
  [[nodiscard]] std::vector<std::string> KeepIds() const;
  [[nodiscard]] uint64_t open() const { return open_.size(); }
  [[nodiscard]] uint64_t total() const { return incidents_.size(); }
  // Recoveries of something that had no open incident.
  [[nodiscard]] uint64_t recoveries_alone() const { return recoveries_alone_; }

 private:
  struct OpenIncident {
    uint64_t quiet_since_ns = 0;   // monotonic time of its last event
    std::set<std::string> active;  // its events that have not ended
  };

  v1::Incident& Open(const v1::Event& event);
  [[nodiscard]] std::string FindOpen(const v1::Event& event) const;
  [[nodiscard]] bool Accepts(const v1::Incident& incident, const v1::Event& event) const;
  void Keep(v1::Incident& incident, const v1::Event& event, bool ended);
  bool MakeRoom(v1::Incident& incident);
  void Index(const v1::Incident& incident);
  void Close(v1::Incident& incident);
  void End(v1::Incident& incident);  // and tells
  v1::Incident& Known(const v1::Manifest& manifest);
  bool Sealed(v1::Incident& incident, const v1::Manifest& manifest);
  v1::Capture& CaptureOf(v1::Incident& incident, const std::string& node);
  v1::Capture& OwnCapture(v1::Incident& incident) { return CaptureOf(incident, options_.node); }
  void Changed(v1::Incident& incident);

  IncidentOptions options_;
  const Clock& clock_;
  UuidGenerator& ids_;
  IncidentCallbacks callbacks_;
  std::map<std::string, v1::Incident> incidents_;  // by id, so oldest first
  std::map<std::string, OpenIncident> open_;
  OpenSubjects subjects_;                                  // of the open ones
  std::unordered_map<std::string, std::string> by_event_;  // the open incident of each of their events
  uint64_t recoveries_alone_ = 0;
};

}  // namespace ffdc
