// SPDX-License-Identifier: Apache-2.0
// How an alert reaches many nodes: directly up to a number, beyond that by a tree of
// two levels, whose heads alert the others.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace ffdc {

// A head and the nodes it alerts are at most so many. With two cores a node sends to 32 warm peers in a few
// milliseconds, and 32 x 32 covers the largest cluster.
inline constexpr size_t kAlertGroup = 32;

// Whom to alert directly, each with the nodes that it alerts in turn. Each of `nodes`, which are sorted,
// appears once. answers: whether a node answered the last ping; such a one is a head if there is any.
using AlertPlan = std::vector<std::pair<std::string, std::vector<std::string>>>;
AlertPlan PlanAlert(const std::vector<std::string>& nodes, size_t direct_max,
                    const std::function<bool(const std::string&)>& answers);

}  // namespace ffdc
