// SPDX-License-Identifier: Apache-2.0
// Which interfaces carry watched endpoints, and what becomes of them. Knows nothing of
// sockets: news are handed in, routes are asked for, the rest is read from sysfs (links,
// "flags" and "operstate", which are printed without the rtnl lock).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/endpoint.h"
#include "base/observations.h"
#include "probe/rtnetlink.h"

namespace ffdc {

class LinkTracker {
 public:
  struct World {
    std::filesystem::path sysfs = "/sys";
    std::string node;
    std::function<RouteAnswer(const IpAddress&)> route;
    std::function<std::string(int index)> name;  // empty: no such interface
    std::function<uint64_t()> now_ns;            // CLOCK_MONOTONIC
  };
  using Sink = std::function<void(const LinkState&)>;
  LinkTracker(World world, Sink sink) : world_(std::move(world)), sink_(std::move(sink)) {}

  void SetEndpoints(const std::vector<Endpoint>& endpoints);
  // Asks for every route and looks at every interface again.
  void Refresh();
  // Whether it concerns a watched endpoint: then Refresh() is due, once all news are heard.
  bool OnLink(const LinkNews& news);
  void OnNeighbour(const NeighbourNews& news);
  [[nodiscard]] std::string LinkTo(const Endpoint& endpoint) const;  // as LinkSource's
  [[nodiscard]] size_t interfaces() const { return interfaces_.size(); }

 private:
  struct Watched {
    Endpoint endpoint;
    std::string interface;  // that packets to it leave by; empty: none, or this node itself
    IpAddress next_hop;     // its gateway, else itself
    bool route_lost = false;
  };
  struct Interface {
    int index = 0;
    std::string trouble;  // "carrier", "admin", "removed"; empty: it works
    uint32_t carrier_changes = 0;
    std::string upper;         // the bond, team, bridge or VLAN it is below
    bool one_of_many = false;  // of its upper's
    std::set<size_t> carries;  // indices of endpoints_
  };
  // What was told to be down, by interface and slot: "link", "neighbour" or "route".
  struct Report {
    std::string what;
    std::set<std::string> items;  // neighbours, endpoints without a route; "" for the link itself
    std::vector<std::string> endpoints;
    std::set<EndpointRole> roles;  // of endpoints
    std::vector<std::string> related_ids;
    uint64_t last_ns = 0;  // when it was last heard of
  };
  using Slot = std::pair<std::string, std::string>;

  void AskRoutes();
  void FindInterfaces();
  void Collect(const std::string& name, const Interface& as, int depth,
               std::map<std::string, Interface>& found);
  [[nodiscard]] LinkNews Read(const std::string& name) const;
  void Update(const std::string& name, Interface& interface, const LinkNews& news);
  void ForgetMoot();
  void Down(const Slot& slot, const std::string& what, const std::string& detail,
            const std::set<std::string>& items, const std::set<size_t>& affected);
  void Up(const Slot& slot, const std::set<std::string>& items, const std::string& detail);
  void Send(const Slot& slot, const Report& report, bool up, const std::string& detail) const;

  const World world_;
  const Sink sink_;
  std::vector<Watched> endpoints_;
  std::map<std::string, Interface> interfaces_;
  std::map<Slot, Report> down_;
};

}  // namespace ffdc
