// SPDX-License-Identifier: Apache-2.0
// Kills a capture at every named point of this stage and lets the next life finish it.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "base/crash_point.h"
#include "base/fs.h"
#include "unit/capture/capture_fixture.h"

namespace ffdc::capture_test {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;

std::vector<std::string> PointsOfThisStage() {
  std::vector<std::string> points;
  for (const std::string_view point : AllCrashPoints()) {
    for (const char* prefix : {"capture.", "collect.", "seal."}) {
      if (point.starts_with(prefix)) points.emplace_back(point);
    }
  }
  return points;
}

class CrashTest : public CaptureFixture, public ::testing::WithParamInterface<std::string> {
 protected:
  CrashTest() { options.collectors = {"test_ok", "test_silent"}; }
};

// The life that is killed: this program again, in a process group of its own.
int RunFirstLife(const std::string& root, const std::string& crash_point) {
  const pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    setenv(kFirstLifeVariable, root.c_str(), 1);
    setenv("FFDC_CRASH_AT", crash_point.c_str(), 1);
    execl("/proc/self/exe", "capture_test", "--gtest_brief=1", nullptr);
    _exit(127);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return status;
}

TEST_P(CrashTest, TheNextLifeFinishesIt) {
  const int status = RunFirstLife(root, GetParam());
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the crash point was not reached";

  const std::string id = IncidentId(1);
  NewRunner();
  runner->Recover();
  RunToEnd();
  RunUntil([] { return TestLauncher().running() == 0; });

  EXPECT_THAT(given_up, IsEmpty());
  EXPECT_EQ(CheckSealed(Sealed(id)), "");
  EXPECT_EQ(ListNames(options.spool_dir + "/sealed"), std::vector<std::string>{id});
  EXPECT_THAT(ListNames(options.spool_dir + "/tmp"), IsEmpty());
  EXPECT_THAT(ListNames(options.runtime_dir + "/captures"), IsEmpty());
}

std::string TestName(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(At, CrashTest, ::testing::ValuesIn(PointsOfThisStage()), TestName);

}  // namespace
}  // namespace ffdc::capture_test
