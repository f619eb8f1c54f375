// SPDX-License-Identifier: Apache-2.0
#include "cluster/scope.h"

#include <gtest/gtest.h>

namespace ffdc {
namespace {

v1::Member Wants(std::initializer_list<const char*> kinds, std::initializer_list<const char*> subjects = {}) {
  v1::Member member;
  for (const char* kind : kinds) member.add_alert_kinds(kind);
  for (const char* subject : subjects) member.add_subjects(subject);
  return member;
}

v1::Event Happened(const char* kind, const char* subject, v1::Domain domain = v1::OTHER) {
  v1::Event event;
  event.set_kind(kind);
  event.set_domain(domain);
  event.mutable_subject()->set_id(subject);
  return event;
}

TEST(Scope, AnEntryThatSaysNothingAndOneForAllAreToldOfAll) {
  EXPECT_TRUE(InScope(Wants({}), Happened("io.error", "wwid:1")));
  EXPECT_TRUE(InScope(Wants({"*"}), Happened("io.error", "wwid:1")));
}

TEST(Scope, KindsArePatterns) {
  EXPECT_TRUE(InScope(Wants({"path.*"}), Happened("path.lost", "wwid:1")));
  EXPECT_FALSE(InScope(Wants({"path.*"}), Happened("io.error", "wwid:1")));
  EXPECT_FALSE(InScope(Wants({""}), Happened("io.error", "wwid:1")));
}

TEST(Scope, WhoUsesTheSubjectIsToldOfItWhateverTheKind) {
  EXPECT_TRUE(InScope(Wants({""}, {"wwid:1"}), Happened("io.error", "wwid:1")));
  EXPECT_TRUE(InScope(Wants({""}, {"nfs:10.0.0.9:*"}), Happened("path.lost", "nfs:10.0.0.9:/srv")));
  EXPECT_FALSE(InScope(Wants({""}, {"wwid:2"}), Happened("io.error", "wwid:1")));
  v1::Event of_a_partition = Happened("fs.error", "fs:uuid");
  of_a_partition.add_related_ids("wwid:2");
  EXPECT_TRUE(InScope(Wants({""}, {"wwid:2"}), of_a_partition));
  // As it is, not as a pattern: brackets are those of an address.
  EXPECT_TRUE(InScope(Wants({""}, {"endpoint:[fd00::1]:3260"}),
                      Happened("path.degraded", "endpoint:[fd00::1]:3260")));
}

TEST(Scope, WhatConcernsTheClusterConcernsEveryMember) {
  EXPECT_TRUE(InScope(Wants({""}), Happened("node.failed", "node:b", v1::LIFE_CYCLE)));
  EXPECT_TRUE(InScope(Wants({""}), Happened("db.lost", "cluster_db:x", v1::X3)));
  EXPECT_TRUE(InScope(Wants({""}), Happened("store.lost", "store:x", v1::X1)));
}

}  // namespace
}  // namespace ffdc
