// SPDX-License-Identifier: Apache-2.0
#include "incident/completeness.h"

#include <algorithm>

namespace ffdc {
namespace {

std::string CaptureProblem(const v1::Capture& capture) {
  switch (capture.state()) {
    case v1::COLLECTING:
      return "still collecting";
    case v1::FAILED:
      return "failed: " + capture.error();
    case v1::DROPPED:
      return "dropped: " + capture.error();
    case v1::UNREACHED:
      return "not reached: " + capture.error();
    default:
      return {};
  }
}

// How far a capture has come.
int Progress(v1::CaptureState state) {
  switch (state) {
    case v1::UNREACHED:
      return 1;
    case v1::COLLECTING:
      return 2;
    case v1::SEALED:
      return 3;
    case v1::FAILED:
      return 4;
    case v1::STORED:
      return 5;
    case v1::DROPPED:  // out of the spool, or out of the store
      return 6;
    default:
      return 0;
  }
}

bool HasCaptureOf(const v1::Incident& incident, const std::string& node) {
  return std::any_of(incident.captures().begin(), incident.captures().end(),
                     [&](const v1::Capture& capture) { return capture.node() == node; });
}

void TakeCapture(v1::Incident& incident, const v1::Capture& capture) {
  for (v1::Capture& known : *incident.mutable_captures()) {
    if (known.node() != capture.node()) continue;
    if (IsNewer(capture, known)) known = capture;
    return;
  }
  *incident.add_captures() = capture;
}

void TakeEvent(v1::Incident& incident, const v1::Event& event) {
  for (v1::Event& known : *incident.mutable_events()) {
    if (known.id() != event.id()) continue;
    known = event;
    return;
  }
  *incident.add_events() = event;
}

}  // namespace

bool Captured(const v1::Capture& capture) {
  return capture.state() == v1::SEALED || capture.state() == v1::STORED;
}

bool IsNewer(const v1::Capture& told, const v1::Capture& known) {
  return Progress(told.state()) >= Progress(known.state());
}

void SettleCompleteness(v1::Incident& incident) {
  v1::Completeness& complete = *incident.mutable_completeness();
  uint32_t captured = 0;
  uint32_t stored = 0;
  complete.clear_missing();
  complete.clear_losses();
  for (const v1::Capture& capture : incident.captures()) {
    captured += Captured(capture) ? 1 : 0;
    stored += capture.state() == v1::STORED ? 1 : 0;
    if (!Captured(capture)) complete.add_missing(capture.node() + ": " + CaptureProblem(capture));
    for (const v1::Loss& loss : capture.losses()) {
      v1::Loss& shown = *complete.add_losses();
      shown = loss;
      if (incident.captures_size() > 1) shown.set_what(capture.node() + ": " + loss.what());
    }
  }
  const auto expected = static_cast<uint32_t>(incident.captures_size());
  complete.set_expected(expected);
  complete.set_captured(captured);
  complete.set_stored(stored);
  // A loss of count 0 is a note: something this host does not have.
  const bool lost = std::any_of(complete.losses().begin(), complete.losses().end(),
                                [](const v1::Loss& loss) { return loss.count() != 0; });
  complete.set_complete(stored == expected && !lost);
}

v1::Incident MergeCopies(const std::map<std::string, v1::Incident>& copies) {
  const auto find = [&](const auto& fits) { return std::find_if(copies.begin(), copies.end(), fits); };
  auto frame = find([](const auto& copy) { return copy.first == copy.second.origin_node(); });
  // A copy may be no more than what became of one capture.
  if (frame == copies.end()) frame = find([](const auto& copy) { return !copy.second.events().empty(); });
  v1::Incident merged = frame == copies.end() ? copies.begin()->second : frame->second;
  for (const auto& [node, copy] : copies) {
    for (const v1::Capture& capture : copy.captures()) {
      if (capture.node() == node || !HasCaptureOf(merged, capture.node())) TakeCapture(merged, capture);
    }
    for (const v1::Event& event : copy.events()) {
      if (event.node() == node) TakeEvent(merged, event);
    }
    merged.set_pinned(merged.pinned() || copy.pinned());
  }
  if (!merged.origin_node().empty() && !HasCaptureOf(merged, merged.origin_node())) {
    v1::Capture& capture = *merged.add_captures();
    capture.set_node(merged.origin_node());
    capture.set_state(v1::UNREACHED);
    capture.set_error("it failed on this node, which does not answer");
  }
  SettleCompleteness(merged);
  return merged;
}

}  // namespace ffdc
