// SPDX-License-Identifier: Apache-2.0
#include "cluster/news.h"

#include <gtest/gtest.h>

namespace ffdc {
namespace {

v1::News Said(int number) { return NewsOf("event", "a", std::to_string(number), number); }

TEST(NewsLog, ANewReaderHearsWhatComesFromNowOn) {
  NewsLog log("run1");
  log.Add(Said(1));
  const v1::PeerNews first = log.Since("", 0);
  EXPECT_EQ(first.news_size(), 0);
  EXPECT_EQ(first.run_id(), "run1");
  log.Add(Said(2));
  const v1::PeerNews then = log.Since(first.run_id(), first.seq());
  ASSERT_EQ(then.news_size(), 1);
  EXPECT_EQ(then.news(0).summary(), "2");
  EXPECT_EQ(log.Since(then.run_id(), then.seq()).news_size(), 0);
}

TEST(NewsLog, AReaderOfAFormerRunHearsAllOfThisOne) {
  NewsLog log("run2");
  log.Add(Said(1));
  log.Add(Said(2));
  EXPECT_EQ(log.Since("run1", 700).news_size(), 2);
}

TEST(NewsLog, WhatHasGoneMeanwhileIsCounted) {
  NewsLog log("run1");
  for (int i = 1; i <= static_cast<int>(NewsLog::kMaxKept) + 3; ++i) log.Add(Said(i));
  const v1::PeerNews all = log.Since("run1", 1);
  ASSERT_EQ(all.news_size(), static_cast<int>(NewsLog::kMaxKept) + 1);
  EXPECT_EQ(all.news(0).what(), "news.left_out");
  EXPECT_EQ(all.news(0).summary(), "2 more happened than could be told");
  EXPECT_EQ(all.news(1).summary(), "4");
}

TEST(NewsLog, AReplyIsBoundedAndTheRestComesNext) {
  NewsLog log("run1");
  for (int i = 0; i < 10; ++i) log.Add(NewsOf("event", "a", std::string(1u << 20, 'x'), i));
  int got = 0;
  uint64_t seq = 0;
  for (int calls = 0; calls < 10 && seq != 10; ++calls) {
    const v1::PeerNews reply = log.Since("run1", seq);
    EXPECT_LE(reply.ByteSizeLong(), NewsLog::kMaxReplyBytes + 4096);
    ASSERT_GT(reply.news_size(), 0);
    got += reply.news_size();
    seq = reply.seq();
  }
  EXPECT_EQ(got, 10);
}

TEST(NewsLog, EventsGoWithoutEvidenceAndIncidentsWithOneEvent) {
  v1::Event event;
  event.set_node("b");
  event.add_evidence();
  event.add_waiters();
  const v1::News told = NewsOf("event.ended", event);
  EXPECT_EQ(told.node(), "b");
  EXPECT_EQ(told.event().evidence_size() + told.event().waiters_size(), 0);
  v1::Incident incident;
  incident.set_origin_node("c");
  *incident.add_events() = event;
  *incident.add_events() = event;
  const v1::News opened = NewsOf("incident.opened", incident, 5);
  EXPECT_EQ(opened.node(), "c");
  ASSERT_EQ(opened.incident().events_size(), 1);
  EXPECT_EQ(opened.incident().events(0).evidence_size(), 0);
}

}  // namespace
}  // namespace ffdc
