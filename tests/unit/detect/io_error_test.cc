// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "detect/detector.h"
#include "fakes/fake_clock.h"
#include "fakes/units.h"

namespace ffdc {
namespace {

constexpr uint32_t kDev = 7u << FFDC_DEV_MINOR_BITS | 3;

class IoErrorTest : public testing::Test {
 protected:
  IoErrorTest() : ids_(clock_) {
    DetectorWorld world;
    world.clock = &clock_;
    world.ids = &ids_;
    world.node = "node-a";
    world.quiet_after = std::chrono::seconds(60);
    world.subject = [this](uint32_t dev) {
      ++subjects_asked_;
      v1::Subject subject;
      subject.set_type("block_device");
      subject.set_name("loop" + std::to_string(FFDC_DEV_MINOR(dev)));
      subject.set_id("loop:/img" + std::to_string(FFDC_DEV_MINOR(dev)));
      return subject;
    };
    world.related = [](uint32_t) { return std::vector<std::string>{"mount:/srv"}; };
    world.watched = [this](uint32_t dev) { return dev != ignored_; };
    world.client = [](uint64_t id, uint32_t) {
      v1::Client client;
      if (id == 0) return client;
      client.set_type("systemd_unit");
      client.set_name("unit" + std::to_string(id));
      client.set_cgroup("/unit" + std::to_string(id));
      return client;
    };
    world.op_name = [](uint8_t op) { return op == 0 ? "read" : op == 1 ? "write" : "discard"; };
    world.status_name = [](uint8_t status) { return "status" + std::to_string(status); };
    world.request_flag_names = [](uint32_t) { return std::vector<std::string>{"sync"}; };
    detectors_ = MakeDetectors(
        world, [this](const v1::Event& event, EventPhase phase) { events_.emplace_back(event, phase); });
  }

  ffdc_block_error Record(uint64_t total, uint8_t op = 0, uint8_t status = 10, uint32_t dev = kDev) const {
    ffdc_block_error record{};
    record.header = {FFDC_RECORD_BLOCK_ERROR, sizeof record, clock_.now_ns};
    record.dev = dev;
    record.op = op;
    record.status = status;
    record.total = total;
    record.sector = 2048;
    record.len_bytes = 4096;
    record.cgroup_id = 5;
    return record;
  }
  void Send(const ffdc_block_error& record) {
    for (auto& detector : detectors_) detector->OnRecord(record.header);
  }
  void Tick(const FailureTotals& totals = {}) {
    for (auto& detector : detectors_) detector->OnTick(totals);
  }
  std::pair<ffdc_storm_key, ffdc_storm_entry> Total(uint64_t total, uint64_t suppressed = 0,
                                                    uint8_t op = 0) const {
    return {{kDev, op, 10, FFDC_RECORD_BLOCK_ERROR}, {total, suppressed, clock_.now_ns, 0, 0}};
  }

  FakeClock clock_;
  UuidGenerator ids_;
  uint32_t ignored_ = 0;
  int subjects_asked_ = 0;
  std::vector<std::pair<v1::Event, EventPhase>> events_;
  std::vector<std::unique_ptr<Detector>> detectors_;
};

TEST_F(IoErrorTest, FirstFailureOpensAnEventAtOnce) {
  Send(Record(1));
  ASSERT_EQ(events_.size(), 1u);
  const auto& [event, phase] = events_[0];
  EXPECT_EQ(phase, EventPhase::kOpened);
  EXPECT_EQ(event.kind(), "io.error");
  EXPECT_EQ(event.severity(), v1::CRITICAL);
  EXPECT_EQ(event.count(), 1u);
  EXPECT_EQ(event.subject().id(), "loop:/img3");
  EXPECT_EQ(event.evidence(0).sector(), 2048u);
  EXPECT_EQ(event.evidence(0).time_wall_ns(), clock_.RealtimeNs());
  EXPECT_EQ(event.clients(0).name(), "unit5");
  EXPECT_EQ(event.summary(), "loop3: read failed (status10), first at sector 2048");
}

TEST_F(IoErrorTest, CountsComeFromTheKernelAndAreExact) {
  Send(Record(1));
  Tick({Total(1'000'000, 999'900)});
  const auto& [event, phase] = events_.back();
  EXPECT_EQ(phase, EventPhase::kUpdated);
  EXPECT_EQ(event.count(), 1'000'000u);
  EXPECT_EQ(event.errors(0).suppressed(), 999'900u);
}

TEST_F(IoErrorTest, NothingNewSaysNothing) {
  Send(Record(1));
  Tick({Total(1)});
  const size_t before = events_.size();
  Tick({Total(1)});
  Tick({Total(1)});
  EXPECT_EQ(events_.size(), before);
}

TEST_F(IoErrorTest, EndsWhenQuietAndANewFailureIsANewEventThatCountsFromOne) {
  Send(Record(1));
  Tick({Total(500, 400)});
  const auto totals = Total(500, 400);
  clock_.now_ns += 61 * kSecond;
  Tick({totals});
  EXPECT_EQ(events_.back().second, EventPhase::kEnded);
  const std::string first_id = events_.back().first.id();
  EXPECT_EQ(events_.back().first.count(), 500u);
  Tick({totals});
  EXPECT_EQ(events_.back().first.id(), first_id);
  Send(Record(501));
  EXPECT_EQ(events_.back().second, EventPhase::kOpened);
  EXPECT_NE(events_.back().first.id(), first_id);
  EXPECT_EQ(events_.back().first.count(), 1u);
  EXPECT_EQ(events_.back().first.errors(0).suppressed(), 0u);
}

TEST_F(IoErrorTest, AFailureWhoseRecordsWereAllLostIsFoundInTheCounts) {
  Tick({Total(7, 3)});
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].second, EventPhase::kOpened);
  EXPECT_EQ(events_[0].first.count(), 7u);
}

TEST_F(IoErrorTest, OpsAndStatusesAreCountedApartAndTheWorstDecides) {
  Send(Record(1, 3, 10));
  EXPECT_EQ(events_.back().first.severity(), v1::WARNING);
  Send(Record(2, 1, 6));
  Send(Record(1, 0, 7));
  Send(Record(1, 1, 3));  // no space: resource.threshold, not an error
  Tick();
  const v1::Event& event = events_.back().first;
  EXPECT_EQ(event.severity(), v1::CRITICAL);
  EXPECT_EQ(event.errors_size(), 3);
  EXPECT_EQ(event.count(), 4u);
}

TEST_F(IoErrorTest, DevicesHaveEventsOfTheirOwn) {
  Send(Record(1));
  Send(Record(1, 0, 10, kDev + 1));
  EXPECT_EQ(events_.size(), 2u);
  EXPECT_NE(events_[0].first.id(), events_[1].first.id());
}

TEST_F(IoErrorTest, ADeviceLeftOutNeverFails) {
  ignored_ = kDev;
  Send(Record(1));
  Tick({Total(5)});
  EXPECT_TRUE(events_.empty());
  ignored_ = 0;  // from now on watched: what failed before is not counted
  Tick({Total(5)});
  EXPECT_TRUE(events_.empty());
  Send(Record(6));
  EXPECT_EQ(events_.back().first.count(), 1u);
}

// To find a disk's users takes time that the freeze would wait for.
TEST_F(IoErrorTest, SubjectIsAskedForOncePerEvent) {
  Send(Record(1));
  Send(Record(2));
  Tick();
  EXPECT_EQ(subjects_asked_, 1);
  ASSERT_EQ(events_.back().first.evidence_size(), 2);
  EXPECT_EQ(events_.back().first.evidence(0).device(), "loop3");
  EXPECT_EQ(events_.back().first.evidence(1).device(), "loop3");
}

TEST_F(IoErrorTest, EvidenceAndClientsAreBounded) {
  for (uint64_t i = 1; i <= 1000; ++i) {
    auto record = Record(i);
    record.cgroup_id = i;
    Send(record);
  }
  Tick();
  EXPECT_EQ(events_.back().first.evidence_size(), 16);
  EXPECT_EQ(events_.back().first.clients_size(), 32);
  EXPECT_EQ(events_.back().first.count(), 1000u);
}

TEST_F(IoErrorTest, AWallClockThatStepsBackChangesNoOrder) {
  Send(Record(1));
  clock_.wall_ns -= 3600 * static_cast<int64_t>(kSecond);
  clock_.now_ns += kSecond;
  Send(Record(2));
  Tick();
  EXPECT_EQ(events_.back().first.count(), 2u);
  EXPECT_GT(events_.back().first.last_mono_ns(), events_.back().first.first_mono_ns());
  EXPECT_GE(events_.back().first.last_at().seconds(), events_.back().first.first_at().seconds());
}

}  // namespace
}  // namespace ffdc
