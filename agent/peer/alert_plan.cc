// SPDX-License-Identifier: Apache-2.0
#include "peer/alert_plan.h"

#include <algorithm>
#include <cstddef>

namespace ffdc {

AlertPlan PlanAlert(const std::vector<std::string>& nodes, size_t direct_max,
                    const std::function<bool(const std::string&)>& answers) {
  AlertPlan plan;
  if (nodes.size() <= direct_max) {
    for (const std::string& node : nodes) plan.emplace_back(node, std::vector<std::string>());
    return plan;
  }
  const size_t group = std::min(kAlertGroup, (nodes.size() + 1) / 2);
  for (size_t begin = 0; begin < nodes.size(); begin += group) {
    std::vector<std::string> others(
        nodes.begin() + static_cast<std::ptrdiff_t>(begin),
        nodes.begin() + static_cast<std::ptrdiff_t>(std::min(begin + group, nodes.size())));
    const auto answering = std::find_if(others.begin(), others.end(), answers);
    const auto head = answering == others.end() ? others.begin() : answering;
    std::string name = *head;
    others.erase(head);
    plan.emplace_back(std::move(name), std::move(others));
  }
  return plan;
}

}  // namespace ffdc
