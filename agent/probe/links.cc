// SPDX-License-Identifier: Apache-2.0
#include "probe/links.h"

#include <net/if.h>

#include <array>
#include <utility>

#include "base/clock.h"
#include "probe/link_tracker.h"
#include "probe/rtnetlink.h"

namespace ffdc {
namespace {

constexpr int kPollsBetweenRefreshs = 10;  // Poll() comes twice a second
// A router's table may change thousands of times a second.
constexpr uint64_t kMinRouteIntervalNs = 100'000'000;
constexpr size_t kMaxFailedNeighbours = 1024;  // between two polls

class Links final : public LinkSource {
 public:
  Links(const std::string& node, std::function<void(const LinkState&)> sink)
      : tracker_(World(node), std::move(sink)) {
    auto opened = RouteNetlink::Open({[this](const LinkNews& news) {
                                        ++heard_;
                                        refresh_now_ |= tracker_.OnLink(news);
                                      },
                                      [this](const NeighbourNews& news) {
                                        ++heard_;
                                        OnNeighbour(news);
                                      },
                                      [this] {
                                        ++heard_;
                                        routes_changed_ = true;
                                      },
                                      [this] {
                                        ++overflows_;
                                        refresh_now_ = true;
                                      }});
    if (opened) {
      netlink_ = std::move(*opened);
    } else {
      problem_ = opened.error().message;
    }
  }

  [[nodiscard]] int poll_fd() const override { return netlink_ ? netlink_->poll_fd() : -1; }
  void Consume() override {
    netlink_->Consume();
    const bool routes = routes_changed_ && SystemClock().MonotonicNs() - refreshed_ns_ > kMinRouteIntervalNs;
    if (refresh_now_ || routes) Refresh();
  }
  void Poll() override {
    for (const NeighbourNews& news : std::exchange(failed_, {})) tracker_.OnNeighbour(news);
    if (netlink_ && (++polls_ >= kPollsBetweenRefreshs || routes_changed_)) Refresh();
  }
  void SetEndpoints(const std::vector<Endpoint>& endpoints) override {
    if (netlink_) tracker_.SetEndpoints(endpoints);
  }
  [[nodiscard]] std::string LinkTo(const Endpoint& endpoint) const override {
    return tracker_.LinkTo(endpoint);
  }

  [[nodiscard]] std::vector<v1::Probe> Status() const override {
    v1::Probe status;
    status.set_name("links");
    status.set_active(netlink_ != nullptr);
    status.set_reason(problem_);
    status.set_attached_to("rtnetlink link, neigh, route; " + std::to_string(tracker_.interfaces()) +
                           " interfaces carry watched endpoints");
    status.set_records(heard_);
    status.set_drops(overflows_);
    return {status};
  }

 private:
  LinkTracker::World World(const std::string& node) {
    LinkTracker::World world;
    world.node = node;
    world.route = [this](const IpAddress& address) { return netlink_->RouteTo(address); };
    world.name = [](int index) {
      std::array<char, IF_NAMESIZE> name{};
      const bool known = index > 0 && if_indextoname(static_cast<unsigned>(index), name.data()) != nullptr;
      return std::string(known ? name.data() : "");
    };
    world.now_ns = [] { return SystemClock().MonotonicNs(); };
    return world;
  }
  // One that somebody removes is said to fail in the moment before (net/core/neighbour.c,
  // neigh_delete): what failed is held until the next poll.
  void OnNeighbour(const NeighbourNews& news) {
    std::erase_if(failed_, [&](const NeighbourNews& held) {
      return held.index == news.index && held.address == news.address;
    });
    if (news.removed) return;
    if (!news.failed) return tracker_.OnNeighbour(news);
    if (failed_.size() < kMaxFailedNeighbours) failed_.push_back(news);
  }
  void Refresh() {
    polls_ = 0;
    refresh_now_ = routes_changed_ = false;
    refreshed_ns_ = SystemClock().MonotonicNs();
    tracker_.Refresh();
  }

  LinkTracker tracker_;
  std::unique_ptr<RouteNetlink> netlink_;
  std::vector<NeighbourNews> failed_;
  std::string problem_;
  int polls_ = 0;
  bool refresh_now_ = false;
  bool routes_changed_ = false;
  uint64_t refreshed_ns_ = 0;
  uint64_t heard_ = 0;
  uint64_t overflows_ = 0;
};

}  // namespace

std::unique_ptr<LinkSource> LinkSource::Start(const std::string& node,
                                              std::function<void(const LinkState&)> sink) {
  return std::make_unique<Links>(node, std::move(sink));
}

}  // namespace ffdc
