// SPDX-License-Identifier: Apache-2.0
// path.degraded of an endpoint: connections to a watched endpoint fail, or nothing that is
// sent there is acknowledged. One event an endpoint; it ends when that stops. A connection
// that is reset and made anew at once is somebody's doing (`nvme reset`, a target that was
// restarted): resets count when they repeat, or when something else fails too. Whether a peer
// or the cluster DB has failed, their leases and answers tell (agent/cluster/life_cycle): of these,
// what is seen here is of domain X3, comes after their own events, and stands on them.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <set>

#include "detect/detector.h"
#include "detect/open_events.h"
#include "ffdc/abi/socket.h"

namespace ffdc {
namespace {

constexpr uint8_t kTcpSynSent = 2;  // TCP_SYN_SENT
constexpr size_t kMaxErrors = 8;    // in the fact "error"
constexpr uint32_t kManyResets = 3;
constexpr uint64_t kResetsWithinNs = 10ull * kNsPerSecond;
// Longer than it takes to find that a node failed, that it is unreachable, or that the DB is lost.
constexpr uint64_t kLastsNs = 10ull * kNsPerSecond;
// Between two tries to connect that fail lie up to 20 s.
constexpr uint64_t kForgottenAfterNs = 30ull * kNsPerSecond;

bool IsReset(const ffdc_socket_failure& failure) {
  return failure.what == FFDC_SOCKET_ERROR && failure.state != kTcpSynSent &&
         (failure.error == ECONNRESET || failure.error == EPIPE);
}

// The far end answered, but nobody is there: its program was stopped, or died.
bool IsAnswer(const ffdc_socket_failure& failure) {
  return IsReset(failure) || (failure.what == FFDC_SOCKET_ERROR && failure.error == ECONNREFUSED);
}

std::string ErrorName(int error) {
  const char* name = strerrorname_np(error);
  return name == nullptr ? "errno " + std::to_string(error) : name;
}

std::string Describe(const ffdc_socket_failure& failure) {
  if (failure.what == FFDC_SOCKET_RETRANSMIT) {
    return "no answer to " + std::to_string(failure.retransmits) +
           (failure.state == kTcpSynSent ? " attempts to connect" : " retransmits in a row");
  }
  const char* words = strerrordesc_np(failure.error);
  return std::string(failure.state == kTcpSynSent ? "cannot connect: " : "connection failed: ") +
         (words == nullptr ? ErrorName(failure.error) : words);
}

class EndpointDetector final : public Detector {
 public:
  EndpointDetector(const DetectorWorld& world, EventSink sink)
      : events_(world, std::move(sink), "path.degraded", v1::X1) {}

  void OnRecord(const ffdc_record_header& header) override {
    if (header.kind != FFDC_FAULT_SOCKET || header.size_bytes < sizeof(ffdc_socket_failure)) return;
    const auto& failure = reinterpret_cast<const ffdc_socket_failure&>(header);
    IpAddress address{failure.remote.family, {}};
    std::copy(std::begin(failure.remote.address), std::end(failure.remote.address), address.bytes.begin());
    const Endpoint* endpoint =
        events_.world().endpoint ? events_.world().endpoint(address, failure.remote.port) : nullptr;
    if (endpoint == nullptr) return;  // not watched any more
    const std::string id = endpoint->Id();
    if (events_.Find(id) != nullptr) return Note(*endpoint, failure, failure.header.time_ns);
    if (endpoint->role == EndpointRole::kStorage) {
      if (IsReset(failure) && !Repeats(resets_[id], failure.header.time_ns)) return;
      const auto reset = resets_.find(id);
      Note(*endpoint, failure, reset == resets_.end() ? failure.header.time_ns : reset->second.first_ns);
    } else if (const auto since_ns = Lasts(id, failure)) {
      Note(*endpoint, failure, *since_ns);
    }
  }

  void OnTick(const FailureTotals& /*totals*/) override {
    events_.Tick(true);
    std::erase_if(seen_, [this](const auto& entry) { return events_.Find(entry.first) == nullptr; });
    const uint64_t now = events_.world().clock->MonotonicNs();
    std::erase_if(resets_,
                  [now](const auto& entry) { return entry.second.first_ns + kResetsWithinNs < now; });
    std::erase_if(troubles_,
                  [now](const auto& entry) { return entry.second.last_ns + kForgottenAfterNs < now; });
  }

 private:
  struct Resets {
    uint64_t first_ns = 0;
    uint64_t last_ns = 0;
    uint32_t count = 0;
  };
  struct Trouble {
    uint64_t first_ns = 0;
    uint64_t last_ns = 0;
  };
  struct Seen {
    std::set<std::string> errors;
    uint32_t retransmits = 0;  // the most in a row
  };

  // The connections of one session are reset together.
  static bool Repeats(Resets& resets, uint64_t time_ns) {
    if (resets.count == 0) resets.first_ns = time_ns;
    if (resets.count == 0 || time_ns > resets.last_ns + kNsPerSecond) ++resets.count;
    resets.last_ns = time_ns;
    return resets.count >= kManyResets;
  }

  // Since when the way there has been bad; nullopt: not for long. One that is stopped, or restarted, is
  // not on a bad way.
  std::optional<uint64_t> Lasts(const std::string& id, const ffdc_socket_failure& failure) {
    const uint64_t now = failure.header.time_ns;
    if (IsAnswer(failure)) return std::nullopt;
    Trouble& trouble = troubles_.try_emplace(id, Trouble{now, now}).first->second;
    trouble.last_ns = std::max(trouble.last_ns, now);
    if (now < trouble.first_ns + kLastsNs) return std::nullopt;
    return trouble.first_ns;
  }

  void Note(const Endpoint& endpoint, const ffdc_socket_failure& failure, uint64_t since_ns) {
    const std::string id = endpoint.Id();
    const std::string name = endpoint.Name();
    const bool was_reset = resets_.contains(id) && events_.Find(id) == nullptr;
    v1::Event& event = events_.Note(id, since_ns, 1, [&](v1::Event& fresh) {
      v1::Subject& subject = *fresh.mutable_subject();
      subject.set_type("endpoint");
      subject.set_id(id);
      subject.set_name(name);
      for (const std::string& related : endpoint.related_ids) fresh.add_related_ids(related);
      if (endpoint.role != EndpointRole::kStorage) {
        fresh.set_domain(v1::X3);
        *fresh.mutable_below_ids() = fresh.related_ids();
      }
      fresh.set_severity(v1::WARNING);
      SetFact(fresh, "endpoint", name);
      SetFact(fresh, "role", std::string(Word(endpoint.role)));
      SetFact(fresh, "transport", "tcp");
      fresh.set_summary(name + " (" + endpoint.source + "): " + Describe(failure));
    });
    Seen& seen = seen_[id];
    if (was_reset) seen.errors.insert(ErrorName(ECONNRESET));
    if (failure.what == FFDC_SOCKET_RETRANSMIT) {
      seen.retransmits = std::max<uint32_t>(seen.retransmits, failure.retransmits);
      SetFact(event, "retransmits", std::to_string(seen.retransmits));
    } else if (seen.errors.size() < kMaxErrors && seen.errors.insert(ErrorName(failure.error)).second) {
      std::string all;
      for (const std::string& error : seen.errors) all += (all.empty() ? "" : ", ") + error;
      SetFact(event, "error", all);
    }
    events_.Publish(id);
  }

  OpenEvents events_;
  std::map<std::string, Resets> resets_;     // by endpoint id, of the last seconds
  std::map<std::string, Trouble> troubles_;  // by id of an endpoint of the cluster, of the last seconds
  std::map<std::string, Seen> seen_;         // by endpoint id, of open events
};

FFDC_REGISTER_DETECTOR("endpoint",
                       [](const DetectorWorld& world, EventSink sink) -> std::unique_ptr<Detector> {
                         return std::make_unique<EndpointDetector>(world, std::move(sink));
                       });

}  // namespace
}  // namespace ffdc
