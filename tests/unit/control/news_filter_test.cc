// SPDX-License-Identifier: Apache-2.0
#include "control/news_filter.h"

#include <gtest/gtest.h>

namespace ffdc::control {
namespace {

v1::News Event(const char* kind, v1::Severity severity) {
  v1::News news;
  news.mutable_event()->set_kind(kind);
  news.mutable_event()->set_severity(severity);
  news.mutable_event()->mutable_subject()->set_id("wwid:naa.5000c500a1b2c3d4");
  news.mutable_event()->mutable_subject()->set_name("sdb");
  return news;
}

TEST(NewsFilter, NothingAskedForIsAll) {
  EXPECT_TRUE(IsWanted({}, Event("io.error", v1::INFO)));
  EXPECT_TRUE(IsWanted({}, v1::News()));
}

TEST(NewsFilter, EachConditionMustHold) {
  v1::WatchClusterRequest wanted;
  wanted.add_kinds("path.*");
  wanted.add_kinds("io.error");
  wanted.add_subjects("sdb");
  wanted.set_min_severity(v1::WARNING);
  EXPECT_TRUE(IsWanted(wanted, Event("io.error", v1::WARNING)));
  EXPECT_TRUE(IsWanted(wanted, Event("path.lost", v1::CRITICAL)));
  EXPECT_FALSE(IsWanted(wanted, Event("io.stall", v1::CRITICAL)));
  EXPECT_FALSE(IsWanted(wanted, Event("io.error", v1::INFO)));
  *wanted.mutable_subjects(0) = "wwid:*";
  EXPECT_TRUE(IsWanted(wanted, Event("io.error", v1::WARNING)));
  *wanted.mutable_subjects(0) = "sda";
  EXPECT_FALSE(IsWanted(wanted, Event("io.error", v1::WARNING)));
}

TEST(NewsFilter, IncidentsAreHeldAgainstTheirFirstCauseAndNodesAlwaysTold) {
  v1::WatchClusterRequest wanted;
  wanted.add_kinds("link.down");
  v1::News news;
  news.set_what("incident.opened");
  news.mutable_incident()->set_kind("link.down");
  EXPECT_TRUE(IsWanted(wanted, news));
  news.mutable_incident()->set_kind("db.lost");
  EXPECT_FALSE(IsWanted(wanted, news));
  v1::News silent;
  silent.set_what("node.silent");
  EXPECT_TRUE(IsWanted(wanted, silent));
}

TEST(NewsFilter, PatternsAreBounded) {
  v1::WatchClusterRequest wanted;
  wanted.add_kinds("");
  EXPECT_FALSE(CheckFilter(wanted));
  *wanted.mutable_kinds(0) = std::string(257, 'x');
  EXPECT_FALSE(CheckFilter(wanted));
  *wanted.mutable_kinds(0) = "x";
  EXPECT_TRUE(CheckFilter(wanted));
  for (int i = 0; i < 65; ++i) wanted.add_subjects("y");
  EXPECT_FALSE(CheckFilter(wanted));
}

}  // namespace
}  // namespace ffdc::control
