// SPDX-License-Identifier: Apache-2.0
// How full every watched filesystem is, asked every ten seconds in one worker. One that does not
// answer (a network's, a process's) costs that worker: it is named, left out, and asked again ever
// more seldom, while the others are asked as before. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/fd.h"
#include "detect/detect_tasks.h"
#include "detect/detector.h"

namespace ffdc {

class FillSurvey {
 public:
  using Take = std::function<void(const Filesystem&, const MountLevels&)>;

  // take: what a filesystem answered. world must outlive it.
  FillSurvey(const DetectorWorld& world, Take take) : world_(world), take_(std::move(take)) {}

  // Once a second.
  void Tick();
  [[nodiscard]] std::vector<std::string> Problems() const;

  // Those that do not answer, by their identity.
  struct Hanging {
    Filesystem filesystem;
    uint64_t retry_ns = 0;
    uint64_t backoff_ns = 0;
    std::string error;
  };
  [[nodiscard]] const std::map<std::string, Hanging>& hanging() const { return hanging_; }
  // Whether this one is watched, as of the last look at what is mounted.
  [[nodiscard]] bool IsWatched(const std::string& id) const { return !known_ || watched_.contains(id); }

 private:
  void Ask();
  void Gather();
  void TakeAll(const std::string& text);
  void Done(const WorkerReport& report);
  void Hung(const std::string& log, const std::string& error);

  const DetectorWorld& world_;
  Take take_;
  uint64_t next_ns_ = 0;
  bool running_ = false;
  size_t left_out_ = 0;  // more than are looked at
  std::string problem_;
  Fd log_;                         // the worker's, in memory
  std::vector<Filesystem> asked_;  // in the order of the worker's argument
  std::set<std::string> watched_;
  bool known_ = false;  // what is mounted could be told
  std::map<std::string, Hanging> hanging_;
};

}  // namespace ffdc
