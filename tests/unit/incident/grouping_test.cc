// SPDX-License-Identifier: Apache-2.0
#include "incident/grouping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "unit/incident/manager_fixture.h"

namespace ffdc {
namespace {

using testing::SizeIs;

// Every layer of one node: sda and sdb carry dm-0, which carries /srv.
class GroupingTest : public ManagerTest {
 protected:
  v1::Event Of(const std::string& kind, const std::string& subject,
               const std::vector<std::string>& related = {}, const std::vector<std::string>& below = {}) {
    v1::Event event = Event(subject, "e" + std::to_string(++made_));
    event.set_kind(kind);
    event.mutable_subject()->set_name(subject);
    for (const std::string& id : related) event.add_related_ids(id);
    for (const std::string& id : below) {
      event.add_related_ids(id);
      event.add_below_ids(id);
    }
    return event;
  }
  std::string Send(const v1::Event& event) { return manager_->OnEvent(event, false); }
  void Pass(uint64_t seconds) { clock_.now_ns += seconds * kSecond; }
  void EndAll(const std::string& id) {
    const v1::Incident incident = At(id);
    for (const v1::Event& event : incident.events()) manager_->OnEvent(event, true);
  }
  const v1::Incident& At(const std::string& id) const { return *manager_->Get(id); }

 private:
  int made_ = 0;
};

TEST_F(GroupingTest, WhatOneFailureDoesInEveryLayerIsOneIncident) {
  const std::string id = Send(Of("io.error", "sda", {"dm-0", "mount:/srv"}));
  EXPECT_EQ(Send(Of("io.error", "dm-0", {"mount:/srv"}, {"sda", "sdb"})), id);
  EXPECT_EQ(Send(Of("fs.error", "mount:/srv")), id) << "known by what the disk's event is related to";
  EXPECT_EQ(Send(Of("task.hung", "task:42", {"mount:/srv"})), id) << "known by what it waits for";
  EXPECT_EQ(Send(Of("service.failed", "unit:db", {"task:42"})), id);
  EXPECT_THAT(opened_, SizeIs(1));
  EXPECT_EQ(At(id).events_size(), 5);
  EXPECT_EQ(At(id).first_cause().kind(), "io.error");
  EXPECT_EQ(At(id).first_cause().subject_id(), "sda");
}

TEST_F(GroupingTest, TwoDisksUnderOneVolumeAreTwoFailures) {
  const std::string a = Send(Of("io.error", "sda", {"dm-0", "mount:/srv"}));
  const std::string b = Send(Of("io.error", "sdb", {"dm-0", "mount:/srv"}));
  EXPECT_NE(a, b);
  EXPECT_EQ(Send(Of("io.error", "dm-0", {}, {"sda", "sdb"})), a) << "of two that fit, the older";
  EXPECT_EQ(At(a).events_size(), 2);
  EXPECT_EQ(At(b).events_size(), 1);
}

// Tasks of a node hang for its disk, not for the memory error that was corrected a moment before.
TEST_F(GroupingTest, TheNodeAloneIsTheWeakestTie) {
  const std::string memory = Send(Of("hardware.error", "hardware:memory@n", {"node:n"}));
  const std::string disk = Send(Of("io.stall", "sda", {"dm-0"}));
  EXPECT_EQ(Send(Of("task.hung", "node:n", {"sda"})), disk);
  EXPECT_EQ(Send(Of("kernel.error", "node:n")), memory) << "now both have it, and that is the older";
}

TEST_F(GroupingTest, AnotherConditionOfTheSameSubjectJoins) {
  const std::string id = Send(Of("io.stall", "sda"));
  EXPECT_EQ(Send(Of("io.timeout", "sda")), id);
  EXPECT_EQ(Send(Of("io.error", "sda")), id);
  EXPECT_EQ(At(id).kind(), "io.timeout");
  EXPECT_EQ(At(id).summary(), "sda failed");
}

TEST_F(GroupingTest, TheDeepestLayerIsTheCauseWheneverItIsHeardOf) {
  v1::Event hung = Of("task.hung", "task:42", {"sda"});
  hung.set_severity(v1::WARNING);
  const std::string id = Send(hung);
  EXPECT_EQ(At(id).kind(), "task.hung");
  Send(Of("io.error", "sda"));
  EXPECT_EQ(At(id).kind(), "io.error");
  v1::Event link = Of("link.down", "link:eth0", {"sda"});
  link.set_domain(v1::X1);
  Send(link);
  EXPECT_EQ(At(id).kind(), "link.down");
  EXPECT_EQ(At(id).domain(), v1::X1);
  EXPECT_EQ(At(id).subject().id(), "link:eth0");
  EXPECT_EQ(At(id).severity(), v1::CRITICAL) << "of its worst event";
  EXPECT_EQ(At(id).events(0).kind(), "task.hung") << "what opened it stays the first";
  EXPECT_EQ(written_[id].first_cause().event_id(), link.id());
}

// The link of this node to the DB and to its peers, and what each layer tells of it, in any order.
TEST_F(GroupingTest, ALinkThatIsDownTakesTheDbAndThePeersWithIt) {
  const auto all = [this] {
    return std::vector<v1::Event>{
        Of("link.down", "link:eth0@n", {"endpoint:db", "endpoint:b", "endpoint:c"}),
        Of("db.lost", "cluster_db:x", {}, {"link:eth0@n"}),
        Of("peer.unreachable", "node:b", {}, {"link:eth0@n", "cluster_db:x"}),
        Of("peer.unreachable", "node:c", {}, {"link:eth0@n", "cluster_db:x"}),
        Of("path.degraded", "endpoint:c", {}, {"node:c"}),
    };
  };
  std::vector<size_t> order{0, 1, 2, 3, 4};
  do {
    const auto at = [&order](size_t which) { return std::find(order.begin(), order.end(), which); };
    // A node that is cut off says so of the DB before it does of its peers, and sockets are told last.
    if (at(4) != order.end() - 1 || std::min(at(2), at(3)) < std::min(at(0), at(1))) continue;
    manager_ = Make();
    opened_.clear();
    const auto events = all();
    for (const size_t i : order) Send(events[i]);
    ASSERT_THAT(opened_, SizeIs(1));
    EXPECT_EQ(At(opened_[0]).kind(), "link.down");
    EXPECT_EQ(At(opened_[0]).events_size(), 5);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(GroupingTest, ANodeThatIsCutOffWithItsLinkUpHasLostTheDb) {
  const std::string id = Send(Of("db.lost", "cluster_db:x", {}, {"link:eth0@n"}));
  v1::Event peer = Of("peer.unreachable", "node:b", {}, {"link:eth0@n", "cluster_db:x"});
  peer.set_first_mono_ns(peer.first_mono_ns() - kSecond);  // it was silent before the DB was
  EXPECT_EQ(Send(peer), id);
  EXPECT_EQ(Send(Of("path.degraded", "endpoint:b", {}, {"node:b"})), id);
  EXPECT_EQ(At(id).kind(), "db.lost");
}

TEST_F(GroupingTest, ANodeThatFailedIsNotTheLinks) {
  const std::string failed = Send(Of("node.failed", "node:b"));
  EXPECT_EQ(Send(Of("path.degraded", "endpoint:b", {}, {"node:b"})), failed);
  EXPECT_EQ(At(failed).kind(), "node.failed");
  EXPECT_NE(Send(Of("link.down", "link:eth0@n", {"endpoint:c"})), failed);
}

TEST_F(GroupingTest, InOneLayerWhatOthersStandOnIsTheCause) {
  const std::string id = Send(Of("io.error", "dm-0", {}, {"sda"}));
  Pass(1);
  Send(Of("io.error", "sda", {"dm-0"}));
  EXPECT_EQ(At(id).first_cause().subject_id(), "sda");
}

TEST_F(GroupingTest, APathThatIsGivenUpAfterATimeoutIsNotItsCause) {
  const std::string id = Send(Of("io.timeout", "sda"));
  Pass(20);
  v1::Event lost = Of("path.lost", "sda");
  lost.set_first_mono_ns(clock_.now_ns);
  Send(lost);
  EXPECT_EQ(At(id).kind(), "io.timeout");
}

TEST_F(GroupingTest, WhatOthersStandOnIsTheCauseInAnyLayer) {
  const std::string id = Send(Of("path.lost", "multipath map", {}, {"sda"}));
  Pass(1);
  Send(Of("io.timeout", "sda", {"multipath map"}));
  EXPECT_EQ(At(id).first_cause().subject_id(), "sda");
}

TEST_F(GroupingTest, WhatIsOnlyToldBelowIsNotTheCause) {
  const std::string id = Send(Of("io.error", "dm-0", {}, {"sda"}));
  v1::Event told = Of("io.retry", "sda", {"dm-0"});
  told.set_severity(v1::INFO);
  Send(told);
  EXPECT_EQ(At(id).first_cause().subject_id(), "dm-0");
}

TEST_F(GroupingTest, ElseTheEarliestIs) {
  v1::Event late = Of("io.error", "sda");
  Pass(5);
  late.set_first_mono_ns(clock_.now_ns);
  const std::string id = Send(late);
  v1::Event early = Of("io.retry", "sda");
  early.set_first_mono_ns(clock_.now_ns - 3 * kSecond);
  Send(early);
  EXPECT_EQ(At(id).kind(), "io.retry");
}

TEST_F(GroupingTest, EveryKindHasItsPlace) {
  const char* const deepest_first[] = {"hardware.error",     "link.down",    "path.lost",
                                       "io.timeout",         "io.error",     "fs.error",
                                       "resource.threshold", "task.hung",    "service.failed",
                                       "store.lost",         "kernel.error", "something.unheard.of"};
  v1::Incident incident;
  for (auto kind = std::rbegin(deepest_first); kind != std::rend(deepest_first); ++kind) {
    v1::Event& event = *incident.add_events();
    event = Of(*kind, "sda");
    event.set_first_mono_ns(clock_.now_ns--);  // of paths and commands the earliest
    EXPECT_EQ(FirstCauseOf(incident.events()).kind(), *kind);
  }
}

TEST_F(GroupingTest, RecoveriesJoinTheirSubjectsIncidentAndOpenNone) {
  v1::Event alone = Of("path.restored", "dm-0");
  alone.set_severity(v1::INFO);
  EXPECT_EQ(Send(alone), "");
  manager_->OnEvent(alone, true);
  EXPECT_EQ(manager_->recoveries_alone(), 1u);
  EXPECT_TRUE(opened_.empty());

  const v1::Event lost = Of("path.lost", "dm-0", {"sda"});
  const std::string id = Send(lost);
  Pass(3600);
  v1::Event restored = Of("path.restored", "dm-0");
  restored.set_severity(v1::INFO);
  EXPECT_EQ(Send(restored), id);
  manager_->OnEvent(restored, true);
  EXPECT_EQ(At(id).kind(), "path.lost");
  EXPECT_EQ(At(id).events_size(), 2);
  v1::Event neighbour = Of("link.up", "sda");
  neighbour.set_severity(v1::INFO);
  EXPECT_EQ(Send(neighbour), "") << "only its own subject's";
  EXPECT_EQ(manager_->recoveries_alone(), 2u);
}

TEST_F(GroupingTest, WhatWasAskedForStaysAlone) {
  v1::Event periodic = Of("periodic", "sda", {"dm-0"});
  periodic.set_domain(v1::REQUESTED);
  const std::string id = Send(periodic);
  EXPECT_NE(Send(Of("io.error", "sda")), id);
  EXPECT_NE(Send(Of("io.error", "dm-0")), id);
  v1::Event again = Of("periodic", "sda");
  again.set_domain(v1::REQUESTED);
  EXPECT_NE(Send(again), id);
  EXPECT_THAT(opened_, SizeIs(4));
}

TEST_F(GroupingTest, NothingJoinsAnIncidentThatIsClosed) {
  const v1::Event event = Of("io.error", "sda", {"mount:/srv"});
  const std::string id = Send(event);
  Pass(30);
  EXPECT_EQ(Send(Of("fs.error", "mount:/srv")), id) << "not yet quiet";
  EndAll(id);
  Pass(61);
  manager_->Tick();
  EXPECT_EQ(At(id).state(), v1::CLOSED);
  EXPECT_NE(Send(Of("fs.error", "mount:/srv")), id);
}

// The first path was lost on Friday; it is Monday, and now the disk fails.
TEST_F(GroupingTest, AnOldConditionDoesNotSwallowANewFailure) {
  const v1::Event degraded = Of("path.degraded", "dm-0", {"sda"});
  const std::string id = Send(degraded);
  Pass(599);
  EXPECT_EQ(Send(Of("io.timeout", "sda")), id);
  Pass(601);
  EXPECT_NE(Send(Of("path.lost", "dm-0")), id);
  EXPECT_EQ(Send(Of("path.degraded", "dm-0")), id) << "the same condition of the same subject";
}

TEST_F(GroupingTest, AFullFilesystemThatIsStillFullIsNoNewSign) {
  v1::Event full = Of("resource.threshold", "mount:/srv", {"sda"});
  const std::string id = Send(full);
  Pass(3600);
  full.set_last_mono_ns(clock_.now_ns);
  EXPECT_EQ(Send(full), id);
  EXPECT_NE(Send(Of("io.error", "sda")), id);
}

TEST_F(GroupingTest, AConditionThatFormerIncidentsHadIsARepeatWhateverTheirCause) {
  const std::string id = Send(Of("io.error", "sda", {"mount:/srv"}));
  Send(Of("fs.error", "mount:/srv"));
  manager_->Adopt(Sealed(id, At(id).events(0)));
  EndAll(id);
  Pass(61);
  manager_->Tick();
  EXPECT_TRUE(At(Send(Of("fs.error", "mount:/srv"))).repeat());
  EXPECT_FALSE(At(Send(Of("fs.error", "mount:/home"))).repeat());
}

TEST_F(GroupingTest, AnEventThatIsOverTellsHowLongItLasted) {
  v1::Event event = Of("io.error", "sda");
  Send(event);
  Pass(7);
  event.set_last_mono_ns(clock_.now_ns);
  manager_->OnEvent(event, true);
  EXPECT_EQ(At(opened_[0]).events(0).duration_ns(), 7 * kSecond);
}

TEST_F(GroupingTest, ManyEventsLeaveTheFirstOneTheCauseAndThoseThatGoOn) {
  const std::string id = Send(Of("fs.error", "mount:/srv", {"sda"}));
  Send(Of("io.error", "sda"));
  v1::Event last;
  for (int i = 0; i < 100; ++i) {
    last = Of("task.hung", "task:" + std::to_string(i), {"sda"});
    EXPECT_EQ(Send(last), id);
  }
  EXPECT_EQ(At(id).events_size(), 64);
  EXPECT_EQ(At(id).events_left_out(), 38u) << "all of them go on: the newest are left out";
  EXPECT_EQ(Send(last), id);
  EXPECT_EQ(At(id).events_left_out(), 38u) << "not counted again";
  EXPECT_EQ(At(id).first_cause().kind(), "io.error");
  EndAll(id);
  Send(Of("service.failed", "unit:db", {"sda"}));
  EXPECT_EQ(At(id).events(0).kind(), "fs.error");
  EXPECT_EQ(At(id).events(1).kind(), "io.error");
  EXPECT_EQ(At(id).events(63).kind(), "service.failed");
}

TEST_F(GroupingTest, RestartedInTheMiddleItStillKnowsWhatBelongsWhere) {
  const std::string id = Send(Of("io.error", "sda", {"mount:/srv"}));
  const std::vector<v1::Incident> known{written_[id]};
  manager_ = Make();
  manager_->Load(known);
  EXPECT_EQ(Send(Of("fs.error", "mount:/srv")), id);
}

TEST_F(GroupingTest, ADeletedIncidentLeavesNothingBehind) {
  const v1::Event event = Of("io.error", "sda", {"mount:/srv"});
  const std::string id = Send(event);
  manager_->Forget(id);
  EXPECT_EQ(manager_->OnEvent(event, true), "");
  EXPECT_NE(Send(Of("fs.error", "mount:/srv")), id);
}

// 1,000 open incidents of 64 events: found by id, not by looking at all of them.
TEST_F(GroupingTest, ManyOpenIncidentsAreKeptApart) {
  std::vector<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    const std::string disk = "disk" + std::to_string(i);
    ids.push_back(Send(Of("io.error", disk, {"mount:/" + disk})));
    for (int task = 1; task < 8; ++task)
      EXPECT_EQ(Send(Of("task.hung", disk + "." + std::to_string(task), {disk})), ids.back());
  }
  EXPECT_THAT(opened_, SizeIs(1000));
  for (size_t i = 0; i < ids.size(); ++i)
    ASSERT_EQ(Send(Of("fs.error", "mount:/disk" + std::to_string(i))), ids[i]);
}

}  // namespace
}  // namespace ffdc
