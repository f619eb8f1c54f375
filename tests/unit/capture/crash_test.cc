// SPDX-License-Identifier: Apache-2.0
// Kills a capture at every named point of this stage and lets the next life finish it.
#include "fakes/crash.h"

#include <gmock/gmock.h>
#include <unistd.h>

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

TEST_P(CrashTest, TheNextLifeFinishesIt) {
  // The life that is killed: this program again.
  const auto first_life = [this] {
    setenv(kFirstLifeVariable, root.c_str(), 1);
    execl("/proc/self/exe", "capture_test", "--gtest_brief=1", nullptr);
  };
  ASSERT_TRUE(CrashesAt(GetParam(), first_life)) << "the crash point was not reached";

  const std::string id = IncidentId(1);
  NewRunner();
  runner->Recover();
  RunToEnd();
  RunUntil([] { return TestLauncher().running() == 0; });

  EXPECT_THAT(given_up, IsEmpty());
  EXPECT_EQ(CheckSealed(Sealed(id)), "");
  EXPECT_EQ(ListFolder(options.spool_dir + "/sealed").value(), std::vector<std::string>{id});
  EXPECT_THAT(ListFolder(options.spool_dir + "/tmp").value(), IsEmpty());
  EXPECT_THAT(ListFolder(options.runtime_dir + "/captures").value(), IsEmpty());
}

std::string TestName(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(At, CrashTest, ::testing::ValuesIn(PointsOfThisStage()), TestName);

}  // namespace
}  // namespace ffdc::capture_test
