// SPDX-License-Identifier: Apache-2.0
#include "cluster/subscribers.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/event_detail.h"
#include "base/pattern.h"
#include "base/proto_json.h"
#include "base/text.h"
#include "cluster/webhook.h"
#include "ffdc/v1/capture.pb.h"

namespace ffdc {
namespace {

constexpr std::chrono::milliseconds kDeadline{15000};
constexpr size_t kMaxBodyBytes = kMaxArgumentBytes - 8192;
constexpr int kMaxEvents = 8;

// What somebody far away needs; single I/Os and waiting tasks are in the capture.
std::string BodyOf(const std::string& what, const v1::Incident& incident) {
  v1::Notification notification;
  notification.set_event(what);
  v1::Incident& told = *notification.mutable_incident();
  told = incident;
  DropDetail(told);
  auto json = ToJson(notification, JsonStyle::kCompact);
  if (json && json->size() > kMaxBodyBytes && told.events_size() > kMaxEvents) {
    const int left_out = told.events_size() - kMaxEvents;
    told.set_events_left_out(told.events_left_out() + static_cast<uint64_t>(left_out));
    told.mutable_events()->DeleteSubrange(kMaxEvents, left_out);
    json = ToJson(notification, JsonStyle::kCompact);
  }
  return json ? *json : std::string();
}

// 408 Request Timeout, 429 Too Many Requests (RFC 9110, RFC 6585) and what is the server's fault may pass.
bool MayPass(int status) { return status == 408 || status == 429 || status >= 500; }

}  // namespace

Subscribers::Subscribers(SubscriberOptions options, Launcher& launcher, UuidGenerator& ids)
    : options_(std::move(options)), launcher_(launcher), ids_(ids) {
  for (const std::string& url : options_.urls) {
    targets_.push_back(std::make_shared<Target>());
    targets_.back()->url = url;
  }
}

bool Subscribers::IsWanted(const v1::Incident& incident) const {
  if (incident.severity() < options_.min_severity) return false;
  if (!options_.kinds.empty() && !MatchesAny(options_.kinds, incident.kind())) return false;
  return options_.subjects.empty() || MatchesAny(options_.subjects, incident.subject().id()) ||
         MatchesAny(options_.subjects, incident.subject().name());
}

void Subscribers::Tell(const std::string& what, const v1::Incident& incident) {
  if (targets_.empty() || !IsWanted(incident)) return;
  const Post post{what, ids_.Next(), BodyOf(what, incident), std::chrono::steady_clock::now()};
  for (const auto& target : targets_) {
    if (target->waiting.size() >= kMaxWaiting) {
      // The first may be on its way.
      target->waiting.erase(target->waiting.begin() + 1);
      ++target->dropped;
    }
    target->waiting.push_back(post);
    Pump(target);
  }
}

void Subscribers::Tick() {
  for (const auto& target : targets_) Pump(target);
}

void Subscribers::Pump(const std::shared_ptr<Target>& target) {
  const auto too_old = std::chrono::steady_clock::now() - kTriedFor;
  while (!target->in_flight && !target->waiting.empty() && target->waiting.front().since < too_old) {
    target->waiting.pop_front();
    ++target->dropped;
  }
  if (target->in_flight || target->waiting.empty() || !target->backoff.Over()) return;
  const Post& post = target->waiting.front();
  v1::WebhookPost argument;
  argument.set_url(target->url);
  argument.set_secret_file(options_.secret_file);
  argument.set_event(post.what);
  argument.set_delivery(post.delivery);
  argument.set_body(post.body);
  target->in_flight = true;
  WorkerRequest request{"webhook.post", argument.SerializeAsString(), {}, kDeadline};
  launcher_.Submit(request, [target](const WorkerReport& report) { Answered(*target, report); });
}

void Subscribers::Answered(Target& target, const WorkerReport& report) {
  target.in_flight = false;
  const std::string server = ServerOf(target.url);
  const int status = report.outcome == WorkerOutcome::kOk ? ParseNumber<int>(report.reply).value_or(0) : 0;
  if (status >= 200 && status < 300) {
    if (!target.error.empty()) spdlog::info("subscriber {} answers again", server);
    target.error.clear();
    target.backoff.Reset();
    ++target.delivered;
    target.waiting.pop_front();
    return;
  }
  const bool first = target.error.empty();
  target.error = status != 0 ? "it answers HTTP " + std::to_string(status) : report.error;
  if (status != 0 && !MayPass(status)) {
    // It will never take this one: the next may fare better.
    spdlog::error("subscriber {} refuses {}: {}: given up", server, target.waiting.front().what,
                  target.error);
    target.waiting.pop_front();
    ++target.dropped;
    target.backoff.Reset();
    return;
  }
  if (first) spdlog::warn("subscriber {} is not told: {}: tried again", server, target.error);
  target.backoff.Failed();
}

std::vector<v1::Subscriber> Subscribers::Status() const {
  std::vector<v1::Subscriber> all;
  for (const auto& target : targets_) {
    v1::Subscriber& shown = all.emplace_back();
    shown.set_server(ServerOf(target->url));
    shown.set_delivered(target->delivered);
    shown.set_waiting(target->waiting.size());
    shown.set_dropped(target->dropped);
    shown.set_error(target->error);
  }
  return all;
}

}  // namespace ffdc
