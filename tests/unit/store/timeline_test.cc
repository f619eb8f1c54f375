// SPDX-License-Identifier: Apache-2.0
#include "store/timeline.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>

#include <fstream>

#include "fakes/temp_dir.h"
#include "store/file_source.h"

namespace ffdc {
namespace {

using google::protobuf::util::TimeUtil;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kFailed = 1'800'000'000 * kSecond;

// Of a node whose wall clock is `ahead_ns` ahead of a's; frozen 2 ms after the failure.
v1::Manifest MakeManifest(const std::string& node, int64_t ahead_ns) {
  v1::Manifest manifest;
  manifest.set_node(node);
  manifest.set_origin_node("a");
  manifest.set_failure_mono_ns(500 * kSecond);
  manifest.set_frozen_mono_ns(500 * kSecond + 2'000'000);
  manifest.mutable_clock()->set_monotonic_ns(500 * kSecond);
  manifest.mutable_clock()->set_realtime_ns(kFailed + ahead_ns);
  if (node != "a") {
    manifest.mutable_clock_offset()->set_offset_ns(ahead_ns);
    manifest.mutable_clock_offset()->set_uncertainty_ns(400'000);
  }
  return manifest;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with('#')) lines.push_back(line);
  }
  return lines;
}

TEST(TimelineTest, AClockThatIsAheadIsPutRight) {
  Timeline timeline;
  timeline.AddCapture(MakeManifest("a", 0));
  timeline.AddCapture(MakeManifest("node-b", 3 * kSecond));
  // On b's clock; in truth 1 ms after the failure, between a's two lines.
  timeline.AddKernelLog("node-b", "# head\n2027-01-15T08:00:03.001Z kern.err 1.5 path down\n");
  timeline.AddKernelLog("a", "2027-01-15T08:00:00.000Z kern.err 9.1 sda failed\n");
  const std::string text = timeline.Text();
  EXPECT_THAT(text,
              HasSubstr("# node-b: its clock was 3000.0 ms ahead, which is taken out; give or take 0.4 ms"));
  EXPECT_THAT(Lines(text),
              ElementsAre("2027-01-15T08:00:00.000000000Z  a       kernel_log  kern.err 9.1 sda failed",
                          "2027-01-15T08:00:00.001000000Z  node-b  kernel_log  kern.err 1.5 path down",
                          "2027-01-15T08:00:00.002000000Z  a       capture     history frozen",
                          "2027-01-15T08:00:00.002000000Z  node-b  capture     history frozen"));
}

TEST(TimelineTest, EventsAndTheirRequestsAreThereOnce) {
  v1::FailedIo io;
  io.set_time_wall_ns(kFailed);
  io.set_device("sda");
  io.set_op("read");
  io.set_len_bytes(4096);
  io.set_sector(8);
  io.set_status("I/O error");
  v1::Manifest manifest = MakeManifest("a", 0);
  manifest.clear_frozen_mono_ns();
  *manifest.add_last_ios() = io;
  v1::Incident incident;
  v1::Event& event = *incident.add_events();
  event.set_node("a");
  event.set_kind("io.error");
  event.set_summary("sda: read failed\n\x1b[31m");
  *event.mutable_first_at() = TimeUtil::NanosecondsToTimestamp(kFailed);
  *event.add_evidence() = io;
  incident.mutable_completeness()->add_missing("c: not reached");
  Timeline timeline;
  timeline.AddCapture(manifest);
  timeline.AddIncident(incident);
  const std::string lines = timeline.Jsonl();
  EXPECT_EQ(
      lines,
      "{\"time\":\"2027-01-15T08:00:00.000000000Z\",\"time_wall_ns\":1800000000000000000,\"node\":\"a\","
      "\"source\":\"event\",\"text\":\"io.error: sda: read failed\\\\x0a\\\\x1b[31m\"}\n"
      "{\"time\":\"2027-01-15T08:00:00.000000000Z\",\"time_wall_ns\":1800000000000000000,\"node\":\"a\","
      "\"source\":\"io\",\"text\":\"sda: read of 4096 bytes at sector 8: I/O error\"}\n");
  EXPECT_THAT(timeline.Text(), HasSubstr("# no capture of c: not reached\n"));
}

TEST(TimelineTest, OldLinesOfTheKernelLogAreLeftOut) {
  Timeline timeline;
  timeline.AddCapture(MakeManifest("a", 0));
  timeline.AddKernelLog("a",
                        "2027-01-15T07:00:00.000Z kern.info 1.0 boot\nnot a line\n2027-01-15T07:59:00.000Z "
                        "kern.err 2.0 near\n");
  EXPECT_THAT(timeline.Text(), HasSubstr("near"));
  EXPECT_THAT(timeline.Text(), Not(HasSubstr("boot")));
  EXPECT_THAT(timeline.Text(), Not(HasSubstr("not a line")));
}

TEST(TimelineTest, TheNewestLinesAreKeptAndTheOthersCounted) {
  std::string log;
  for (size_t i = 0; i < Timeline::kMaxKernelLines + 3; ++i)
    log += "2027-01-15T08:00:00.000Z kern.info 1.0 line " + std::to_string(i) + "\n";
  Timeline timeline;
  timeline.AddKernelLog("a", log);
  EXPECT_EQ(Lines(timeline.Text()).size(), Timeline::kMaxKernelLines);
  EXPECT_THAT(timeline.Text(), HasSubstr("# 3 older lines of the kernel log of a are left out"));
}

TEST(TimelineTest, NothingInItCommandsATerminal) {
  v1::Manifest manifest = MakeManifest("a", 0);
  manifest.set_node("\x1b[31m");
  manifest.set_origin_node("\x1b[31m");
  Timeline timeline;
  timeline.AddCapture(manifest);
  EXPECT_THAT(timeline.Text(), Not(HasSubstr("\x1b")));
}

TEST(TimelineTest, AnArchiveThatIsNoneIsNoted) {
  const TempDir dir;
  std::ofstream(dir / "capture.tar.zst") << "no archive at all";
  const auto archive = FileSource::Open(dir / "capture.tar.zst");
  ASSERT_TRUE(archive) << archive.error().message;
  Timeline timeline;
  timeline.AddArchive("b", **archive);
  EXPECT_THAT(timeline.Text(), HasSubstr("# no kernel log of b: its archive: "));
}

TEST(TimelineTest, ReadsAFileOfAnArchive) {
  const TempDir dir;
  std::ofstream(dir / "first") << "1";
  std::ofstream(dir / "kernel.log") << "the log";
  const std::string command =
      "tar --zstd -C " + (dir / "") + " -cf " + (dir / "a.tar.zst") + " first kernel.log";
  ASSERT_EQ(system(command.c_str()), 0);  // NOLINT: a shell of the test's own
  auto archive = FileSource::Open(dir / "a.tar.zst");
  EXPECT_EQ(ReadFromArchive(**archive, "kernel.log", 1024).value_or("?"), "the log");
  archive = FileSource::Open(dir / "a.tar.zst");
  EXPECT_EQ(ReadFromArchive(**archive, "kernel.log", 3).value_or("?"), "the");
  archive = FileSource::Open(dir / "a.tar.zst");
  EXPECT_EQ(ReadFromArchive(**archive, "other", 1024).error().code, ENOENT);
}

}  // namespace
}  // namespace ffdc
