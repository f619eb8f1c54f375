// SPDX-License-Identifier: Apache-2.0
// What lies in the spool, in which order it leaves for the store, and what gives
// way when room is short. The agent's picture; the files are the workers'.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "ffdc/v1/capture.pb.h"

namespace ffdc {

class SpoolQueue {
 public:
  void Add(const v1::Manifest& manifest);  // known already: nothing changes
  void AddDamaged(const v1::Removal& damaged);
  void Remove(const std::string& id);
  void RemovePath(const std::string& path);  // a victim's

  // First failures before repeats, the newest first. Empty: nothing to ship now.
  [[nodiscard]] std::string Next() const;
  // Something is wrong with this one alone: it waits, the others go on.
  void Postpone(const std::string& id, std::string problem);
  // A worker has it: neither shipped nor dropped meanwhile.
  void SetBusy(const std::string& id, bool busy);

  // What must go to hold max_bytes: damaged ones, repeats from the oldest, first failures from the
  // newest. Never a busy one, never the last one. Paths below the spool: "sealed/<id>".
  [[nodiscard]] std::vector<std::string> Victims(uint64_t max_bytes) const;
  // The folder's name, which is the incident's id, or begins with it.
  [[nodiscard]] static std::string NameOf(const std::string& path) { return path.substr(path.find('/') + 1); }

  [[nodiscard]] bool Contains(const std::string& id) const { return captures_.contains(id); }
  [[nodiscard]] std::vector<std::string> Ids() const;
  [[nodiscard]] uint64_t bytes() const;
  [[nodiscard]] size_t size() const { return captures_.size(); }
  // The first postponed one's; empty: none.
  [[nodiscard]] std::string problem() const;

 private:
  struct Entry {
    uint64_t bytes = 0;
    bool repeat = false;
    bool busy = false;
    std::string problem;
    Backoff backoff;
  };

  std::map<std::string, Entry> captures_;    // by incident id: in the order of time
  std::map<std::string, uint64_t> damaged_;  // folder's name, bytes
};

}  // namespace ffdc
