// SPDX-License-Identifier: Apache-2.0
#include "peer/alert_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <set>

namespace ffdc {
namespace {

std::vector<std::string> Nodes(int count) {
  std::vector<std::string> nodes;
  for (int i = 0; i < count; ++i) {
    char name[16];
    std::snprintf(name, sizeof name, "n%04d", i);
    nodes.emplace_back(name);
  }
  return nodes;
}

bool All(const std::string&) { return true; }

std::vector<std::string> Everybody(const AlertPlan& plan) {
  std::vector<std::string> nodes;
  for (const auto& [head, others] : plan) {
    nodes.push_back(head);
    nodes.insert(nodes.end(), others.begin(), others.end());
  }
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

TEST(AlertPlan, FewAreAlertedDirectly) {
  EXPECT_TRUE(PlanAlert({}, 256, All).empty());
  const AlertPlan plan = PlanAlert(Nodes(256), 256, All);
  EXPECT_EQ(plan.size(), 256u);
  EXPECT_TRUE(std::all_of(plan.begin(), plan.end(), [](const auto& entry) { return entry.second.empty(); }));
}

TEST(AlertPlan, ManyInTwoLevelsEachOnce) {
  for (const int count : {2, 3, 4, 5, 257, 1023}) {
    const AlertPlan plan = PlanAlert(Nodes(count), count > 256 ? 256 : 1, All);
    EXPECT_EQ(Everybody(plan), Nodes(count));
    EXPECT_LE(plan.size(), static_cast<size_t>(count) / 32 + 2);
    for (const auto& [head, others] : plan) EXPECT_LT(others.size(), kAlertGroup);
  }
}

TEST(AlertPlan, AHeadIsOneThatAnsweredIfThereIsAny) {
  const std::set<std::string> silent{"n0000", "n0002", "n0003"};
  const AlertPlan plan =
      PlanAlert(Nodes(4), 1, [&](const std::string& node) { return !silent.contains(node); });
  ASSERT_EQ(plan.size(), 2u);
  EXPECT_EQ(plan[0].first, "n0001");
  EXPECT_EQ(plan[0].second, std::vector<std::string>{"n0000"});
  EXPECT_EQ(plan[1].first, "n0002");
}

}  // namespace
}  // namespace ffdc
