// SPDX-License-Identifier: Apache-2.0
// link.down, link.up: an interface towards a watched endpoint lost its carrier, was set down
// or removed, or the neighbour or route behind it is gone. One event an interface, of domain X1
// if it carries storage, else of X3: it carries the cluster DB and peers.
#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "detect/detector.h"
#include "detect/open_events.h"

namespace ffdc {
namespace {

// A link that comes and goes is one event, which ends once it stays up for so long.
constexpr uint64_t kStaysUpNs = 3'000'000'000;
constexpr size_t kMaxNamed = 4;  // endpoints in a summary

bool IsLinkItself(const std::string& what) { return what != "neighbour" && what != "route"; }

std::string Join(const std::vector<std::string>& words, size_t limit) {
  std::string text;
  for (size_t i = 0; i < words.size() && i < limit; ++i) text += (i == 0 ? "" : ", ") + words[i];
  if (words.size() > limit) text += " and " + std::to_string(words.size() - limit) + " more";
  return text;
}

std::string Words(const std::set<EndpointRole>& roles) {
  std::string text;
  for (const EndpointRole role : roles) text += (text.empty() ? "" : ", ") + std::string(Word(role));
  return text;
}

class LinkDetector final : public Detector {
 public:
  LinkDetector(const DetectorWorld& world, EventSink sink)
      : down_(world, sink, "link.down", v1::X1), up_(world, std::move(sink), "link.up", v1::X1) {}

  void OnLink(const LinkState& state) override {
    const std::string slot = IsLinkItself(state.what) ? "link" : state.what;
    if (!state.up) {
      Link& link = links_[state.interface];
      const bool again = link.down.empty();
      link.down.insert(slot);
      link.up_since_ns = 0;
      NoteDown(state, again);
      return;
    }
    const auto found = links_.find(state.interface);
    if (found == links_.end()) return;
    found->second.down.erase(slot);
    if (found->second.down.empty()) found->second.up_since_ns = state.time_ns;
  }

  void OnPoll() override {
    const uint64_t now = down_.world().clock->MonotonicNs();
    for (auto link = links_.begin(); link != links_.end();) {
      const uint64_t up_since_ns = link->second.up_since_ns;
      if (up_since_ns == 0 || now < up_since_ns + kStaysUpNs) {
        ++link;
        continue;
      }
      IsUp(link->first, up_since_ns);
      link = links_.erase(link);
    }
  }

  void OnTick(const FailureTotals& /*totals*/) override { down_.Tick(false); }

 private:
  struct Link {
    std::set<std::string> down;  // "link", "neighbour", "route"
    uint64_t up_since_ns = 0;    // 0: it is down
  };

  void NoteDown(const LinkState& state, bool again) {
    const std::string& node = down_.world().node;
    v1::Event& event = down_.Note(state.interface, state.time_ns, again ? 1 : 0, [&](v1::Event& fresh) {
      v1::Subject& subject = *fresh.mutable_subject();
      subject.set_type("link");
      subject.set_id("link:" + state.interface + "@" + node);
      subject.set_name(state.interface);
      fresh.set_severity(v1::INFO);
      fresh.set_domain(v1::X3);
    });
    auto* related = event.mutable_related_ids();
    for (const std::string& id : state.related_ids) {
      if (std::find(related->begin(), related->end(), id) == related->end()) event.add_related_ids(id);
    }
    const bool storage = state.roles.contains(EndpointRole::kStorage);
    if (storage) event.set_domain(v1::X1);
    const bool others_left = state.what == "slave" && state.slaves_left > 0;
    event.set_severity(std::max(event.severity(), others_left ? v1::WARNING : v1::CRITICAL));
    SetFact(event, IsLinkItself(state.what) ? "state" : state.what, state.detail);
    SetFact(event, "endpoint", Join(state.endpoints, kMaxNamed));
    SetFact(event, "carries", Words(state.roles));
    if (state.slaves_total > 0) {
      SetFact(event, "links_left", std::to_string(state.slaves_left));
      SetFact(event, "links_total", std::to_string(state.slaves_total));
    }
    // What follows from the link's own trouble does not hide it.
    if (event.summary().empty() || again || IsLinkItself(state.what))
      event.set_summary(state.interface + ": " + state.detail + "; it carries " +
                        Join(state.endpoints, kMaxNamed));
    down_.Publish(state.interface);
  }

  void IsUp(const std::string& interface, uint64_t up_since_ns) {
    const v1::Event* open = down_.Find(interface);
    if (open == nullptr) return;
    const v1::Event before = *open;
    const uint64_t lasted_ns = up_since_ns - std::min<uint64_t>(up_since_ns, before.first_mono_ns());
    down_.End(interface, up_since_ns);
    up_.Once(up_since_ns, [&](v1::Event& event) {
      *event.mutable_subject() = before.subject();
      *event.mutable_related_ids() = before.related_ids();
      event.set_domain(before.domain());
      event.set_severity(v1::INFO);
      event.set_duration_ns(lasted_ns);
      event.set_summary(interface + ": up again after " + SecondsText(lasted_ns) + " s" +
                        (before.count() > 1 ? ", down " + std::to_string(before.count()) + " times" : ""));
    });
  }

  OpenEvents down_;
  OpenEvents up_;
  std::map<std::string, Link> links_;  // with an open event
};

FFDC_REGISTER_DETECTOR("link", [](const DetectorWorld& world, EventSink sink) -> std::unique_ptr<Detector> {
  return std::make_unique<LinkDetector>(world, std::move(sink));
});

}  // namespace
}  // namespace ffdc
