// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "base/clock.h"
#include "base/event_loop.h"
#include "base/fs.h"
#include "base/uuid.h"
#include "fakes/fake_clock.h"
#include "fakes/temp_dir.h"

namespace ffdc {
namespace {

namespace fs = std::filesystem;

TEST(Uuid, IsWellFormedAndCarriesItsTime) {
  FakeClock clock;
  UuidGenerator generator(clock);
  const std::string id = generator.Next();
  EXPECT_TRUE(IsUuid(id)) << id;
  EXPECT_EQ(id[14], '7');
  EXPECT_EQ(UuidWallNs(id), clock.RealtimeNs());
  EXPECT_FALSE(IsUuid("../../../../../../../../etc/passwd.."));
  EXPECT_FALSE(IsUuid(id + "0"));
  std::string upper = id;
  upper[0] = 'G';
  EXPECT_FALSE(IsUuid(upper));
}

TEST(Uuid, IncreasesAlsoWhenTheClockStepsBack) {
  FakeClock clock;
  UuidGenerator generator(clock);
  std::string last = generator.Next();
  for (int i = 0; i < 10000; ++i) {
    if (i == 5000) clock.wall_ns -= 3'600'000'000'000;
    const std::string next = generator.Next();
    ASSERT_LT(last, next) << i;
    last = next;
  }
}

TEST(Clock, FormatsUtc) {
  EXPECT_EQ(FormatWallNs(1'700'000'000'123'456'789), "2023-11-14T22:13:20.123456789Z");
  EXPECT_EQ(FormatWallNs(-1), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(FormatDate(1'700'000'000'000'000'000), "2023-11-14");
}

TEST(Clock, WallOfAMonotonicTimeIsRelativeToNow) {
  const Clock& clock = SystemClock();
  const int64_t difference = clock.RealtimeNs() - clock.WallOf(clock.MonotonicNs() - 5'000'000'000ull);
  EXPECT_NEAR(static_cast<double>(difference), 5e9, 1e9);
}

// Loses its processor for 30 ms within every reading but the third.
class PreemptedClock final : public Clock {
 public:
  uint64_t MonotonicNs() const override { return now_ns_ += 100; }
  int64_t RealtimeNs() const override {
    if (++readings_ != 3) now_ns_ += 30'000'000;
    return kOffsetNs + static_cast<int64_t>(now_ns_);
  }
  uint64_t BoottimeNs() const override { return now_ns_; }
  static constexpr int64_t kOffsetNs = 1'700'000'000'000'000'000;

 private:
  mutable uint64_t now_ns_ = 1'000'000'000;
  mutable int readings_ = 0;
};

TEST(Clock, ReadsItsClocksTogetherAlsoWhenTheThreadIsPreempted) {
  const PreemptedClock clock;
  const ClockMoment moment = clock.ReadTogether();
  EXPECT_LE(moment.uncertainty_ns, 100u);
  EXPECT_NEAR(static_cast<double>(moment.realtime_ns - PreemptedClock::kOffsetNs),
              static_cast<double>(moment.monotonic_ns), 100.0);
}

TEST(Files, SyncedWriteReplacesAndLeavesNoTemporary) {
  const TempDir dir;
  const fs::path file = dir.path() / "a" / "b" / "file";
  ASSERT_TRUE(MakeDirs(file.parent_path()));
  ASSERT_TRUE(WriteFileSynced(file, "old"));
  ASSERT_TRUE(WriteFileSynced(file, "new"));
  EXPECT_EQ(*ReadFile(file), "new");
  EXPECT_EQ(std::distance(fs::directory_iterator(file.parent_path()), {}), 1);
}

TEST(Files, ErrorsNameTheObjectAndTheReason) {
  const auto missing = ReadFile("/nonexistent/file");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "cannot open /nonexistent/file: No such file or directory");
  EXPECT_EQ(missing.error().code, ENOENT);
  const TempDir dir;
  ASSERT_TRUE(WriteFile(dir.path() / "file", "x"));
  EXPECT_FALSE(MakeDirs(dir.path() / "file" / "folder"));
  EXPECT_FALSE(WriteFileSynced(dir.path() / "none" / "file", "x"));
}

TEST(Files, ReadStopsAtTheCap) {
  const TempDir dir;
  ASSERT_TRUE(WriteFile(dir.path() / "file", std::string(100000, 'x')));
  EXPECT_EQ(ReadFile(dir.path() / "file", 99999)->size(), 99999u);
  EXPECT_FALSE(ReadFile("/proc/self/stat")->empty());
}

TEST(Files, Sha256) {
  const TempDir dir;
  ASSERT_TRUE(WriteFile(dir.path() / "file", "abc"));
  uint64_t size = 0;
  // FIPS 180-2, B.1
  EXPECT_EQ(*Sha256File(dir.path() / "file", &size),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(size, 3u);
}

TEST(Files, Xxh3) {
  Xxh3 xxh3;
  xxh3.Update("ab", 2);
  xxh3.Update("c", 1);
  EXPECT_EQ(xxh3.HexDigest(), "06b05ab6733a618578af5f94892f3950");  // printf abc | xxh128sum
}

TEST(EventLoop, AOneShotThatNeverFiredIsFreed) {
  auto loop = EventLoop::Create();
  ASSERT_TRUE(loop);
  (*loop)->After(std::chrono::hours(1), [] {});  // LeakSanitizer is the judge
}

TEST(EventLoop, AOneShotIsNeverEarly) {
  auto loop = EventLoop::Create();
  ASSERT_TRUE(loop);
  const Clock& clock = SystemClock();
  constexpr std::chrono::milliseconds kDelay{20};
  uint64_t waited_ns = 0;
  (*loop)->Post([&] {
    std::this_thread::sleep_for(kDelay);  // the loop woke up so long ago
    (*loop)->After(kDelay, [&, asked_ns = clock.MonotonicNs()] {
      waited_ns = clock.MonotonicNs() - asked_ns;
      (*loop)->Stop();
    });
  });
  ASSERT_TRUE((*loop)->Run());
  EXPECT_GE(waited_ns, std::chrono::nanoseconds(kDelay).count());
}

TEST(EventLoop, RunsPostsTimersAndOneShotsUntilStopped) {
  auto loop = EventLoop::Create();
  ASSERT_TRUE(loop);
  int ticks = 0;
  bool once = false;
  bool posted = false;
  auto timer = (*loop)->AddTimer(std::chrono::milliseconds(1), [&] { ++ticks; });
  ASSERT_TRUE(timer);
  (*loop)->After(std::chrono::milliseconds(1), [&] { once = true; });
  std::thread other([&] { (*loop)->Post([&] { posted = true; }); });
  auto watch = (*loop)->AddTimer(std::chrono::milliseconds(1), [&] {
    if (ticks >= 3 && once && posted) (*loop)->Stop();
  });
  ASSERT_TRUE((*loop)->Run());
  other.join();
  EXPECT_TRUE(posted);
  EXPECT_GE(ticks, 3);
}

}  // namespace
}  // namespace ffdc
