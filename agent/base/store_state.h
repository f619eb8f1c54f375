// SPDX-License-Identifier: Apache-2.0
// Whether this node can reach the store of captures: the store stage knows it, the detectors tell of it.
#pragma once

#include <cstdint>
#include <string>

namespace ffdc {

struct StoreState {
  std::string url;
  bool lost = false;
  std::string problem;   // why it is lost, ready to show
  uint64_t time_ns = 0;  // CLOCK_MONOTONIC: since when
};

}  // namespace ffdc
