// SPDX-License-Identifier: Apache-2.0
// Which events have one cause, and which of them it is. Two events belong together
// if the subject of one is the subject of the other, or among what the other's
// subject is related to. That both are related to a third is not enough: two disks
// below one volume that fail are two failures.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "ffdc/v1/incident.pb.h"

namespace ffdc {

// Asked for by a person or a timer: belongs to nothing, and nothing to it.
bool IsRequested(const v1::Event& event);
// "path.restored", "link.up": one moment in which something is well again.
bool IsRecovery(const v1::Event& event);
// An identity that every node gives to the same thing: "wwid:...", not "mount:/srv".
bool IsClusterWide(std::string_view subject_id);

// The first cause of events that belong together: of subjects that stand on no other that failed,
// the deepest layer (base/layers.h; paths and commands count as one), then the earliest. Not what is only
// told (INFO), unless there is nothing else. events must not be empty.
const v1::Event& FirstCauseOf(const google::protobuf::RepeatedPtrField<v1::Event>& events);

// Finds the open incidents that an event belongs to by the identities in their events.
class OpenSubjects {
 public:
  // node: this one. Of another node's event only a subject that is the same on every node counts.
  explicit OpenSubjects(std::string node = {}) : node_(std::move(node)) {}

  // The identities of an event of this incident. Take away what was added, unchanged.
  void Add(const std::string& incident_id, const v1::Event& event);
  void Take(const std::string& incident_id, const v1::Event& event);

  // Every incident that the event belongs to, oldest first (but last those that share the node
  // alone with it), until `accept` says yes; "" if it
  // never does. related: not only those with this very subject.
  [[nodiscard]] std::string Find(const v1::Event& event, bool related,
                                 const std::function<bool(const std::string& incident_id)>& accept) const;

 private:
  using Incidents = std::map<std::string, uint32_t>;  // ids, and how many events; oldest first
  using Index = std::unordered_map<std::string, Incidents>;
  static void Change(Index& index, const std::string& key, const std::string& incident_id, int by);
  void Change(const std::string& incident_id, const v1::Event& event, int by);

  std::string node_;
  Index subjects_;
  Index related_;
};

}  // namespace ffdc
