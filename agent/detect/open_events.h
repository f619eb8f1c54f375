// SPDX-License-Identifier: Apache-2.0
// The open events of one condition, one a subject: what every detector has to do
// besides noticing. Sends an event once when it opens, at most once a second
// while it changes, and once when it ends. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>

#include "detect/detector.h"
#include "ffdc/v1/incident.pb.h"

namespace ffdc {

class OpenEvents {
 public:
  // Fills in what stays for the event's life: subject, related_ids, severity.
  using Fill = std::function<void(v1::Event&)>;

  OpenEvents(const DetectorWorld& world, EventSink sink, std::string kind, v1::Domain domain)
      : world_(world), sink_(std::move(sink)), kind_(std::move(kind)), domain_(domain) {}

  // The condition was seen at time_ns (CLOCK_MONOTONIC), `count` times more. Opens the
  // event of `key` if there is none: then `fill` is called. The caller may go on to
  // change what is returned, and must call Publish() when the event is fit to be sent.
  // The reference is good until the event ends.
  v1::Event& Note(const std::string& key, uint64_t time_ns, uint64_t count, const Fill& fill);
  // Sends it now if it is new, else with the next Tick().
  void Publish(const std::string& key);
  // nullptr: none is open.
  v1::Event* Find(const std::string& key);
  // The condition is over: sends the event a last time, with its duration.
  void End(const std::string& key, uint64_t time_ns);
  // A condition of one moment (path.restored, link.up): opened and ended at once.
  void Once(uint64_t time_ns, const Fill& fill);
  // Once a second. quiet_ends: an event not noted for quiet_after is over; else only
  // End() ends it.
  void Tick(bool quiet_ends);
  [[nodiscard]] bool empty() const { return open_.empty(); }
  [[nodiscard]] const DetectorWorld& world() const { return world_; }

 private:
  struct Entry {
    v1::Event event;
    bool sent = false;
    bool changed = false;
  };
  v1::Event Begin(uint64_t time_ns, const Fill& fill) const;
  void Send(Entry& entry, EventPhase phase);

  DetectorWorld world_;
  EventSink sink_;
  std::string kind_;
  v1::Domain domain_;
  std::map<std::string, Entry> open_;
};

// Client of a failure, counted; at most 32 a event.
void CountClient(v1::Event& event, const v1::Client& client);
// What lies below and above a disk that is the event's subject.
void AddRelated(v1::Event& event, const DetectorWorld& world, uint32_t dev);
// A filesystem as the event's subject, with where it is mounted, and its disk with what lies below and
// above that.
void SetFilesystem(v1::Event& event, const DetectorWorld& world, const Filesystem& filesystem);
// A disk as the event's subject, with what lies below and above it.
void SetDisk(v1::Event& event, const DetectorWorld& world, uint32_t dev);
struct StormKeyOrder {
  bool operator()(const ffdc_storm_key& a, const ffdc_storm_key& b) const {
    return std::tie(a.dev, a.op, a.status, a.source) < std::tie(b.dev, b.op, b.status, b.source);
  }
};
// blk_status_t (include/linux/blk_types.h): the device answered, but has no room.
inline constexpr uint8_t kStatusNoSpace = 3;
// One failed request as evidence, without the name of its device.
v1::FailedIo FailedIoOf(const DetectorWorld& world, const ffdc_block_error& record, const v1::Client& client);
inline constexpr int kMaxEvidence = 16;  // of one event
// Sets the fact's value, adding it if it is new.
void SetFact(v1::Event& event, const std::string& name, const std::string& value);

}  // namespace ffdc
