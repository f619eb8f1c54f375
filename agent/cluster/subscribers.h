// SPDX-License-Identifier: Apache-2.0
// Who outside the cluster hears of incidents: web servers, told by the node where it failed.
// Each is told in order, more than once if an answer is lost; one that does not answer holds nobody up.
// What waits is in memory alone: it goes with the agent. Loop thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "base/launcher.h"
#include "base/uuid.h"
#include "ffdc/v1/control.pb.h"
#include "ffdc/v1/incident.pb.h"

namespace ffdc {

struct SubscriberOptions {
  std::vector<std::string> urls;
  std::string secret_file;  // "": posts are not signed
  v1::Severity min_severity = v1::WARNING;
  std::vector<std::string> kinds;     // patterns (base/pattern.h) of what is told; none: all
  std::vector<std::string> subjects;  // the same, of ids and names
};

class Subscribers {
 public:
  // So many posts wait for one that does not answer, and for so long; then the oldest go, counted.
  static constexpr size_t kMaxWaiting = 256;
  static constexpr std::chrono::hours kTriedFor{24};

  Subscribers(SubscriberOptions options, Launcher& launcher, UuidGenerator& ids);

  // "incident.opened", "incident.captured" (all that was expected is in the store), "incident.closed".
  // Of less than min_severity, and of other kinds and subjects, nothing is told.
  void Tell(const std::string& what, const v1::Incident& incident);
  void Tick();  // tries again; once a second

  [[nodiscard]] std::vector<v1::Subscriber> Status() const;

 private:
  struct Post {
    std::string what;
    std::string delivery;  // the same at each try: the receiver knows one that it has
    std::string body;
    std::chrono::steady_clock::time_point since;
  };
  struct Target {
    std::string url;
    std::deque<Post> waiting;
    Backoff backoff;
    bool in_flight = false;
    uint64_t delivered = 0;
    uint64_t dropped = 0;
    std::string error;  // of the last try; empty: it was well
  };

  [[nodiscard]] bool IsWanted(const v1::Incident& incident) const;
  void Pump(const std::shared_ptr<Target>& target);
  static void Answered(Target& target, const WorkerReport& report);

  SubscriberOptions options_;
  Launcher& launcher_;
  UuidGenerator& ids_;
  std::vector<std::shared_ptr<Target>> targets_;
};

}  // namespace ffdc
