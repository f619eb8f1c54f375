// SPDX-License-Identifier: Apache-2.0
#include "detect/store_lost.h"

namespace ffdc {
namespace {

void Describe(v1::Event& event, const std::string& url) {
  event.mutable_subject()->set_type("store");
  event.mutable_subject()->set_id(url);
  event.mutable_subject()->set_name(url);
}

}  // namespace

void StoreEvents::OnStore(const StoreState& state) {
  if (state.lost) return Lost(state);
  if (lost_.Find(state.url) == nullptr) return;
  lost_.End(state.url, state.time_ns);
  restored_.Once(state.time_ns, [&](v1::Event& event) {
    Describe(event, state.url);
    event.set_severity(v1::INFO);
    event.set_summary("store " + state.url + " can be reached again");
  });
}

void StoreEvents::Lost(const StoreState& state) {
  v1::Event& event = lost_.Note(state.url, state.time_ns, 1, [&](v1::Event& opened) {
    Describe(opened, state.url);
    opened.set_severity(v1::CRITICAL);
    for (std::string& id : below_()) opened.add_below_ids(std::move(id));
    *opened.mutable_related_ids() = opened.below_ids();
  });
  event.set_summary(state.problem);
  SetFact(event, "problem", state.problem);
  lost_.Publish(state.url);
}

void StoreEvents::Tick() {
  lost_.Tick(false);
  restored_.Tick(false);
}

}  // namespace ffdc
