// SPDX-License-Identifier: Apache-2.0
// The incident index of one node: SQLite (WAL) behind a worker, the embedded
// cluster DB. The agent's memory is the truth while it runs; the index brings it
// back after a restart. Loop thread only; never blocks after Load().
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/launcher.h"
#include "base/result.h"
#include "ffdc/v1/capture.pb.h"

namespace ffdc {

class IncidentIndex {
 public:
  static std::unique_ptr<IncidentIndex> Create(std::string path, Launcher& launcher);
  virtual ~IncidentIndex() = default;

  // Every incident, oldest first. Before the loop runs (blocks up to 10 s). A damaged index is
  // set aside as <path>.damaged-<time> and named in problem(); the agent goes on.
  virtual Result<std::vector<v1::Incident>> Load() = 0;
  virtual void Put(const v1::Incident& incident) = 0;  // queued; a later Put of the same id replaces it
  virtual void Delete(const std::string& id) = 0;
  virtual void
  Flush() = 0;  // starts writing what is queued, if nothing is being written; call at 1 Hz and after changes
  [[nodiscard]] virtual size_t pending() const = 0;
  [[nodiscard]] virtual const std::string& problem()
      const = 0;  // why writes fail now, or what was damaged; empty: well
};

WorkerTasks IndexTasks();  // "index.apply", "index.load"

}  // namespace ffdc
