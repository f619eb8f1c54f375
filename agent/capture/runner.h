// SPDX-License-Identifier: Apache-2.0
// Runs the collectors of one capture in parallel, each in a worker, and seals
// what they left: staging folder (tmpfs) -> capture.tar.zst[.cms] + manifest.json in
// the spool. Loop thread only; never blocks.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/launcher.h"
#include "base/result.h"
#include "capture/privacy.h"
#include "ffdc/v1/capture.pb.h"

namespace ffdc {

struct CaptureOptions {
  std::string runtime_dir;  // tmpfs: staging lies in <runtime_dir>/captures
  std::string spool_dir;    // sealed captures lie in <spool_dir>/sealed/<incident-id>
  uint64_t collector_max_bytes = 64u << 20;
  uint64_t staging_max_bytes = 512u << 20;  // a capture that does not fit waits
  std::vector<std::string> collectors;      // by name; empty: every registered one
  std::chrono::milliseconds seal_deadline{60000};
  CapturePrivacy privacy;
  uint32_t max_parallel = 4;  // captures at the same time, and seals; others wait
};

// Collector name -> descriptors handed to its worker (duplicated until it has them).
using CaptureInputs = std::map<std::string, std::vector<std::shared_ptr<const Fd>>>;

class CaptureRunner {
 public:
  // Ok: sealed. Error: given up, its staging folder is gone or damaged. A seal that
  // fails while the staging folder is whole (spool full, hung, read-only) is
  // retried until it succeeds, and problems() says so.
  using Done = std::function<void(const std::string& incident_id, Result<v1::SealedCapture>)>;

  // launcher and clock outlive the runner.
  static std::unique_ptr<CaptureRunner> Create(CaptureOptions options, Launcher& launcher, Done done,
                                               const Clock& clock = SystemClock());
  virtual ~CaptureRunner() = default;

  // job: manifest head, incident, subject; the runner fills the rest. A capture that
  // this runner knows, running or done, is not started twice.
  virtual void Start(v1::CaptureJob job, CaptureInputs inputs) = 0;
  // After a crash: seals what staging folders of a former life hold, unfinished
  // collectors named as interrupted; discards folders without a job.
  virtual void Recover() = 0;
  virtual void Tick() = 0;                           // retries what waits; once a second
  [[nodiscard]] virtual size_t running() const = 0;  // collecting or being sealed
  [[nodiscard]] virtual size_t waiting() const = 0;  // to begin, or for the next attempt to seal
  // Whether the capture is not sealed yet.
  [[nodiscard]] virtual bool Has(const std::string& incident_id) const = 0;
  // What a person should know, one line each: "capture <id> waits: <why>".
  [[nodiscard]] virtual std::vector<std::string> problems() const = 0;
};

// The worker tasks of this stage ("capture.collect", "capture.seal", "capture.recover"), for Launcher::Start.
WorkerTasks CaptureTasks();

}  // namespace ffdc
