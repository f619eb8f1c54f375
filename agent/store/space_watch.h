// SPDX-License-Identifier: Apache-2.0
// How full the store's Ceph pool is, and where its monitors listen: asked about once a minute, and at once
// when the store begins to have a problem, which may be that it is full. A store that is a folder is not
// asked: its filesystem is watched as such. Loop thread only.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/launcher.h"
#include "base/observations.h"
#include "store/store_workers.h"

namespace ffdc {

class SpaceWatch {
 public:
  using Tell = std::function<void(const PoolFill&)>;

  SpaceWatch(std::string store_url, std::string cluster, std::string node, Launcher& launcher, Tell tell);

  // The store's monitors, as far as they are known: those of the last answer that named any.
  [[nodiscard]] const std::vector<std::string>& servers() const { return servers_; }

  // Once a second; store_problem: what is wrong with the store now.
  void Tick(const std::string& store_problem);
  // Why it cannot be told; empty: it can.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  void Ask();

  v1::StoreArgs args_;
  std::string pool_;  // empty: none to watch
  Tell tell_;
  StoreWorkers workers_;
  std::chrono::steady_clock::time_point next_;
  bool asking_ = false;
  std::string store_problem_;
  std::string problem_;
  std::vector<std::string> servers_;
};

}  // namespace ffdc
