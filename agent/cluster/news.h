// SPDX-License-Identifier: Apache-2.0
// What happened on this node lately, for those who watch the cluster: a bounded list
// that peers read on from where they were. Loop thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "ffdc/v1/peer.pb.h"

namespace ffdc {

class NewsLog {
 public:
  static constexpr size_t kMaxKept = 512;
  static constexpr size_t kMaxReplyBytes = 4u << 20;

  // run_id: of this run of the agent.
  explicit NewsLog(std::string run_id) : run_id_(std::move(run_id)) {}

  void Add(v1::News news);
  // What came after after_seq of that run; for a reader of a former run, all of this one; for one that is new
  // (no run_id) nothing, but where it goes on from now. What has gone meanwhile is one "news.left_out".
  [[nodiscard]] v1::PeerNews Since(const std::string& run_id, uint64_t after_seq) const;

 private:
  std::string run_id_;
  uint64_t seq_ = 0;  // of the last
  std::deque<v1::News> kept_;
};

// Their text, node and time; small enough for many.
v1::News NewsOf(const std::string& what, const v1::Event& event);
v1::News NewsOf(const std::string& what, const v1::Incident& incident, int64_t now_wall_ns);
v1::News NewsOf(const std::string& what, const std::string& node, const std::string& summary,
                int64_t now_wall_ns);

}  // namespace ffdc
