// SPDX-License-Identifier: Apache-2.0
#include "detect/open_events.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>

namespace ffdc {
namespace {

constexpr int kMaxClients = 32;

google::protobuf::Timestamp Wall(const Clock& clock, uint64_t mono_ns) {
  return google::protobuf::util::TimeUtil::NanosecondsToTimestamp(clock.WallOf(mono_ns));
}

}  // namespace

v1::Event OpenEvents::Begin(uint64_t time_ns, const Fill& fill) const {
  v1::Event event;
  event.set_id(world_.ids->Next());
  event.set_kind(kind_);
  event.set_domain(domain_);
  event.set_severity(v1::CRITICAL);
  event.set_node(world_.node);
  event.set_first_mono_ns(time_ns);
  event.set_last_mono_ns(time_ns);
  event.set_detected_mono_ns(world_.clock->MonotonicNs());
  fill(event);
  return event;
}

v1::Event& OpenEvents::Note(const std::string& key, uint64_t time_ns, uint64_t count, const Fill& fill) {
  auto found = open_.find(key);
  if (found == open_.end()) found = open_.emplace(key, Entry{Begin(time_ns, fill)}).first;
  v1::Event& event = found->second.event;
  event.set_count(event.count() + count);
  event.set_first_mono_ns(std::min<uint64_t>(event.first_mono_ns(), time_ns));
  event.set_last_mono_ns(std::max<uint64_t>(event.last_mono_ns(), time_ns));
  found->second.changed = true;
  return event;
}

void OpenEvents::Publish(const std::string& key) {
  const auto found = open_.find(key);
  if (found == open_.end()) return;
  found->second.changed = true;
  if (!found->second.sent) Send(found->second, EventPhase::kOpened);
}

v1::Event* OpenEvents::Find(const std::string& key) {
  const auto found = open_.find(key);
  return found == open_.end() ? nullptr : &found->second.event;
}

void OpenEvents::End(const std::string& key, uint64_t time_ns) {
  const auto found = open_.find(key);
  if (found == open_.end()) return;
  Entry entry = std::move(found->second);
  open_.erase(found);
  entry.event.set_last_mono_ns(std::max<uint64_t>(entry.event.last_mono_ns(), time_ns));
  entry.event.set_duration_ns(entry.event.last_mono_ns() - entry.event.first_mono_ns());
  if (!entry.sent) Send(entry, EventPhase::kOpened);
  Send(entry, EventPhase::kEnded);
}

void OpenEvents::Once(uint64_t time_ns, const Fill& fill) {
  Entry entry{Begin(time_ns, fill)};
  entry.event.set_count(1);
  Send(entry, EventPhase::kOpened);
  Send(entry, EventPhase::kEnded);
}

void OpenEvents::Tick(bool quiet_ends) {
  const uint64_t now = world_.clock->MonotonicNs();
  const auto quiet = static_cast<uint64_t>(world_.quiet_after.count());
  for (auto next = open_.begin(); next != open_.end();) {
    const auto entry = next++;  // a sink may not change the table, End() here does
    if (quiet_ends && now > entry->second.event.last_mono_ns() + quiet) {
      End(std::string(entry->first), entry->second.event.last_mono_ns());
    } else if (entry->second.changed && entry->second.sent) {
      Send(entry->second, EventPhase::kUpdated);
    }
  }
}

void OpenEvents::Send(Entry& entry, EventPhase phase) {
  *entry.event.mutable_first_at() = Wall(*world_.clock, entry.event.first_mono_ns());
  *entry.event.mutable_last_at() = Wall(*world_.clock, entry.event.last_mono_ns());
  entry.sent = true;
  entry.changed = false;
  sink_(entry.event, phase);
}

void CountClient(v1::Event& event, const v1::Client& client) {
  if (client.type().empty()) return;
  for (v1::Client& known : *event.mutable_clients()) {
    if (known.type() != client.type() || known.cgroup() != client.cgroup()) continue;
    known.set_failures(known.failures() + 1);
    return;
  }
  if (event.clients_size() >= kMaxClients) return;
  v1::Client& added = *event.add_clients();
  added = client;
  added.set_failures(1);
}

void AddRelated(v1::Event& event, const DetectorWorld& world, uint32_t dev) {
  if (world.related) {
    for (std::string& id : world.related(dev)) event.add_related_ids(std::move(id));
  }
  if (world.below) {
    for (std::string& id : world.below(dev)) event.add_below_ids(std::move(id));
  }
}

void SetFilesystem(v1::Event& event, const DetectorWorld& world, const Filesystem& filesystem) {
  v1::Subject& subject = *event.mutable_subject();
  subject.set_type("filesystem");
  subject.set_id(filesystem.id);
  subject.set_name(filesystem.points.empty() ? filesystem.device : filesystem.points.front());
  for (const std::string& point : filesystem.points) event.add_related_ids("mount:" + point);
  if (filesystem.disk == 0) return;
  event.add_related_ids(world.subject(filesystem.disk).id());
  for (std::string& id : world.related(filesystem.disk)) event.add_related_ids(std::move(id));
}

v1::FailedIo FailedIoOf(const DetectorWorld& world, const ffdc_block_error& record,
                        const v1::Client& client) {
  v1::FailedIo io;
  io.set_time_mono_ns(record.header.time_ns);
  io.set_time_wall_ns(world.clock->WallOf(record.header.time_ns));
  io.set_op(world.op_name(record.op));
  for (auto& name : world.request_flag_names(record.rq_flags)) io.add_flags(std::move(name));
  io.set_sector(record.sector);
  io.set_len_bytes(record.len_bytes);
  io.set_latency_ns(record.latency_ns);
  io.set_status(world.status_name(record.status));
  if (!client.type().empty()) *io.mutable_client() = client;
  return io;
}

void SetDisk(v1::Event& event, const DetectorWorld& world, uint32_t dev) {
  if (world.subject) *event.mutable_subject() = world.subject(dev);
  AddRelated(event, world, dev);
}

void SetFact(v1::Event& event, const std::string& name, const std::string& value) {
  for (v1::Fact& fact : *event.mutable_facts()) {
    if (fact.name() != name) continue;
    fact.set_value(value);
    return;
  }
  v1::Fact& fact = *event.add_facts();
  fact.set_name(name);
  fact.set_value(value);
}

}  // namespace ffdc
