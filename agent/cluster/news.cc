// SPDX-License-Identifier: Apache-2.0
#include "cluster/news.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>

#include "base/event_detail.h"

namespace ffdc {

using google::protobuf::util::TimeUtil;

void NewsLog::Add(v1::News news) {
  ++seq_;
  kept_.push_back(std::move(news));
  if (kept_.size() > kMaxKept) kept_.pop_front();
}

v1::PeerNews NewsLog::Since(const std::string& run_id, uint64_t after_seq) const {
  v1::PeerNews reply;
  reply.set_run_id(run_id_);
  reply.set_seq(seq_);
  const uint64_t seen = run_id == run_id_ ? after_seq : 0;
  if (run_id.empty() || seen >= seq_) return reply;
  const uint64_t wanted = seq_ - seen;
  const uint64_t there = std::min<uint64_t>(wanted, kept_.size());
  if (there < wanted && !kept_.empty()) {
    *reply.add_news() = NewsOf("news.left_out", kept_.back().node(),
                               std::to_string(wanted - there) + " more happened than could be told",
                               TimeUtil::TimestampToNanoseconds(kept_.front().at()));
  }
  size_t bytes = 0;
  for (size_t at = kept_.size() - there; at < kept_.size(); ++at) {
    bytes += kept_[at].ByteSizeLong();
    if (bytes > kMaxReplyBytes) {
      reply.set_seq(seq_ - (kept_.size() - at));  // the rest with the next call
      break;
    }
    *reply.add_news() = kept_[at];
  }
  return reply;
}

v1::News NewsOf(const std::string& what, const v1::Event& event) {
  const auto& at = what == "event" ? event.first_at() : event.last_at();
  v1::News news = NewsOf(what, event.node(), event.summary(), TimeUtil::TimestampToNanoseconds(at));
  *news.mutable_event() = event;
  DropDetail(*news.mutable_event());
  return news;
}

v1::News NewsOf(const std::string& what, const v1::Incident& incident, int64_t now_wall_ns) {
  v1::News news = NewsOf(what, incident.origin_node(), incident.summary(), now_wall_ns);
  v1::Incident& told = *news.mutable_incident();
  told = incident;
  if (told.events_size() > 1) told.mutable_events()->DeleteSubrange(1, told.events_size() - 1);
  DropDetail(told);
  return news;
}

v1::News NewsOf(const std::string& what, const std::string& node, const std::string& summary,
                int64_t now_wall_ns) {
  v1::News news;
  news.set_what(what);
  news.set_node(node);
  *news.mutable_at() = TimeUtil::NanosecondsToTimestamp(now_wall_ns);
  news.set_summary(summary);
  return news;
}

}  // namespace ffdc
