// SPDX-License-Identifier: Apache-2.0
// A runtime folder, a spool, a clock that only the test moves and a runner on the
// test program's launcher.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "capture/runner.h"
#include "fakes/fake_clock.h"
#include "fakes/temp_dir.h"

namespace ffdc::capture_test {

// Forked before the first test; its workers know the collectors of every file linked in.
Launcher& TestLauncher();

// Set in the environment to a folder: the program captures IncidentId(1) there and
// ends, in place of the tests.
inline constexpr char kFirstLifeVariable[] = "FFDC_TEST_FIRST_LIFE";

// The n-th incident id of a test.
std::string IncidentId(unsigned n);
v1::CaptureJob MakeJob(const std::string& incident_id);

// "" or what is wrong with a sealed capture: unpacks it with tar(1) and compares
// everything in it with the manifest.
std::string CheckSealed(const std::string& dir);

const v1::CollectorResult* FindCollector(const v1::Manifest& manifest, const std::string& name);
const v1::CapturedFile* FindFile(const v1::Manifest& manifest, const std::string& name);
const v1::Loss* FindLoss(const v1::Manifest& manifest, const std::string& what);

class CaptureFixture : public ::testing::Test {
 protected:
  CaptureFixture();
  ~CaptureFixture() override;

  // A new life of the agent: the old runner ends, its staging folders stay.
  void NewRunner(Launcher& launcher = TestLauncher());
  // Lets workers run, and time pass, until `done`.
  void RunUntil(const std::function<bool()>& done);
  void RunToEnd();  // until nothing runs or waits
  std::string Staging(const std::string& id) const { return options.runtime_dir + "/captures/" + id; }
  std::string Sealed(const std::string& id) const { return options.spool_dir + "/sealed/" + id; }
  v1::CaptureJob StagedJob(const std::string& id) const;

  TempDir dir;
  std::string root = dir.path();
  CaptureOptions options;
  FakeClock clock;
  std::unique_ptr<CaptureRunner> runner;
  std::map<std::string, v1::SealedCapture> sealed;
  std::map<std::string, std::string> given_up;
  unsigned done_calls = 0;
};

}  // namespace ffdc::capture_test
