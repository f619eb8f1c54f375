// SPDX-License-Identifier: Apache-2.0
#include "probe/link_tracker.h"

#include <net/if.h>

#include <algorithm>

#include "base/fs.h"
#include "base/text.h"

namespace ffdc {
namespace {

constexpr int kMaxDepth = 5;      // VLAN on a bridge on a bond on a team ...
constexpr size_t kMaxLower = 32;  // of one interface
constexpr size_t kMaxInterfaces = 1024;
constexpr size_t kMaxNamed = 2048;  // endpoints of a report
constexpr size_t kMaxRelatedIds = 256;
// The kernel says again that a neighbour failed with every try: after so long nobody tries.
constexpr uint64_t kNeighbourAskedForNs = 120'000'000'000;

std::vector<std::string> LowerOf(const std::filesystem::path& folder) {
  constexpr std::string_view kPrefix = "lower_";
  std::vector<std::string> lower;
  const auto names = ListFolder(folder);
  if (!names) return lower;
  for (const std::string& name : *names) {
    if (name.starts_with(kPrefix) && lower.size() < kMaxLower) lower.push_back(name.substr(kPrefix.size()));
  }
  return lower;
}

template <class T>
void AddNew(std::vector<T>& list, const T& value, size_t limit) {
  if (list.size() < limit && std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
}

std::string DetailOf(const std::string& trouble) {
  if (trouble == "admin") return "set down";
  if (trouble == "removed") return "interface removed";
  return "NO-CARRIER";
}

std::string TroubleOf(const LinkNews& news) {
  if (news.removed) return "removed";
  if (!news.admin_up) return "admin";
  return news.running ? "" : "carrier";
}

}  // namespace

void LinkTracker::SetEndpoints(const std::vector<Endpoint>& endpoints) {
  std::vector<Watched> fresh;
  for (const Endpoint& endpoint : endpoints) {
    const auto known = std::find_if(endpoints_.begin(), endpoints_.end(), [&](const Watched& watched) {
      return watched.endpoint.address == endpoint.address && watched.endpoint.port == endpoint.port;
    });
    fresh.push_back(known == endpoints_.end() ? Watched{} : std::move(*known));
    fresh.back().endpoint = endpoint;
  }
  endpoints_ = std::move(fresh);
  Refresh();
}

void LinkTracker::Refresh() {
  AskRoutes();
  FindInterfaces();
  ForgetMoot();
}

void LinkTracker::AskRoutes() {
  std::map<std::string, std::pair<std::set<std::string>, std::set<size_t>>> lost;  // by interface
  for (size_t i = 0; i < endpoints_.size(); ++i) {
    Watched& watched = endpoints_[i];
    const RouteAnswer answer = world_.route(watched.endpoint.address);
    switch (answer.kind) {
      case RouteAnswer::Kind::kUnknown:
        break;
      case RouteAnswer::Kind::kLocal:
        watched.interface.clear();
        break;
      case RouteAnswer::Kind::kNone:
        // One that never had a route did not lose it.
        if (watched.interface.empty() || watched.route_lost) break;
        watched.route_lost = true;
        lost[watched.interface].first.insert(watched.endpoint.Name());
        lost[watched.interface].second.insert(i);
        break;
      case RouteAnswer::Kind::kRemote: {
        const std::string name = world_.name(answer.index);
        if (name.empty()) break;
        if (std::exchange(watched.route_lost, false))
          Up({watched.interface, "route"}, {watched.endpoint.Name()}, "route through " + name);
        watched.interface = name;
        watched.next_hop = answer.gateway.family != 0 ? answer.gateway : watched.endpoint.address;
        break;
      }
    }
  }
  for (const auto& [name, what] : lost) {
    Down({name, "route"}, "route",
         "no route to " + *what.first.begin() + (what.first.size() > 1 ? ", ..." : ""), what.first,
         what.second);
  }
}

void LinkTracker::FindInterfaces() {
  std::map<std::string, Interface> found;
  std::map<std::string, std::set<size_t>> carries;
  for (size_t i = 0; i < endpoints_.size(); ++i) {
    if (!endpoints_[i].interface.empty()) carries[endpoints_[i].interface].insert(i);
  }
  for (const auto& [name, endpoints] : carries) {
    Interface top;
    top.carries = endpoints;
    Collect(name, top, 0, found);
  }
  // One that is down is followed until it is up again, whoever uses it meanwhile.
  for (const auto& [name, interface] : interfaces_) {
    if (!down_.contains({name, "link"})) continue;
    const auto [kept, fresh] = found.try_emplace(name, interface);
    if (fresh) kept->second.carries.clear();
  }
  std::swap(interfaces_, found);  // `found` is now what was known before
  for (auto& [name, interface] : interfaces_) {
    const LinkNews now = Read(name);
    const auto known = found.find(name);
    if (known != found.end()) {
      interface.index = known->second.index;
      interface.trouble = known->second.trouble;
      interface.carrier_changes = known->second.carrier_changes;
    } else if (interface.one_of_many) {
      // A spare that never had a cable is no news.
      interface.trouble = TroubleOf(now);
      interface.carrier_changes = now.carrier_changes;
    } else {
      interface.carrier_changes = now.carrier_changes;
    }
    Update(name, interface, now);
  }
}

// `name` and what it stands on. `as`: what is known of it from above.
void LinkTracker::Collect(const std::string& name, const Interface& as, int depth,
                          std::map<std::string, Interface>& found) {
  if (found.size() >= kMaxInterfaces) return;
  Interface& here = found.try_emplace(name).first->second;
  here.carries.insert(as.carries.begin(), as.carries.end());
  if (here.upper.empty()) {
    here.upper = as.upper;
    here.one_of_many = as.one_of_many;
  }
  if (depth >= kMaxDepth) return;
  const std::filesystem::path folder = world_.sysfs / "class/net";
  std::vector<std::string> lower = LowerOf(folder / name);
  if (Exists(folder / name / "bridge")) {
    // Its ports to virtual machines and containers come and go; the way out is hardware, or
    // something that stands on it.
    std::erase_if(lower, [&](const std::string& port) {
      return !Exists(folder / port / "device") && LowerOf(folder / port).empty();
    });
  }
  const Interface below{0, "", 0, name, lower.size() > 1 || Exists(folder / name / "bonding"), as.carries};
  for (const std::string& each : lower) Collect(each, below, depth + 1, found);
}

LinkNews LinkTracker::Read(const std::string& name) const {
  const std::filesystem::path folder = world_.sysfs / "class/net" / name;
  LinkNews news;
  news.name = name;
  const auto index = ParseNumber<int>(ReadLine(folder / "ifindex"));
  if (!index) {
    news.removed = true;
    return news;
  }
  news.index = *index;
  std::string flags = ReadLine(folder / "flags");
  if (flags.starts_with("0x")) flags.erase(0, 2);
  news.admin_up = (ParseNumber<unsigned>(flags, 16).value_or(0) & IFF_UP) != 0;
  const std::string state = ReadLine(folder / "operstate");
  news.running = news.admin_up && (state == "up" || state == "unknown");
  news.carrier_changes = ParseNumber<uint32_t>(ReadLine(folder / "carrier_changes")).value_or(0);
  return news;
}

bool LinkTracker::OnLink(const LinkNews& news) {
  auto found = interfaces_.find(news.name);
  if (found == interfaces_.end()) {
    // Renamed: the old name is gone, which the next Refresh() sees.
    return std::any_of(interfaces_.begin(), interfaces_.end(),
                       [&](const auto& entry) { return entry.second.index == news.index; });
  }
  // Not the one that has the name now: news of its past.
  if (news.removed && news.index != found->second.index) return false;
  Update(found->first, found->second, news);
  return true;
}

void LinkTracker::Update(const std::string& name, Interface& interface, const LinkNews& news) {
  std::string trouble = TroubleOf(news);
  std::string detail = DetailOf(trouble);
  // The bond may know better than the carrier, by its ARP monitor.
  if (trouble.empty() && ReadLine(world_.sysfs / "class/net" / name / "bonding_slave/mii_status") == "down") {
    trouble = "carrier";
    detail = "its bond takes it for down";
  }
  const std::string before = std::exchange(interface.trouble, trouble);
  const uint32_t changes = news.carrier_changes - interface.carrier_changes;
  const bool counted = news.carrier_changes != 0;  // not where the kernel left it out
  const bool flapped = counted && interface.index == news.index && changes >= 2 && changes < (1u << 31);
  if (!news.removed) interface.index = news.index;
  if (counted) interface.carrier_changes = news.carrier_changes;
  const Slot slot{name, "link"};
  const std::string what = interface.one_of_many && trouble != "admin" ? "slave" : trouble;
  if (!trouble.empty()) {
    if (before != trouble) Down(slot, what, detail, {""}, interface.carries);
  } else if (!before.empty()) {
    Up(slot, {""}, "up");
  } else if (flapped) {  // faster than the kernel tells of it
    Down(slot, interface.one_of_many ? "slave" : "carrier", "NO-CARRIER for a moment", {""},
         interface.carries);
    Up(slot, {""}, "up");
  }
}

void LinkTracker::OnNeighbour(const NeighbourNews& news) {
  const auto found = std::find_if(interfaces_.begin(), interfaces_.end(),
                                  [&](const auto& entry) { return entry.second.index == news.index; });
  if (found == interfaces_.end()) return;
  const std::string address = news.address.Text();
  const Slot slot{found->first, "neighbour"};
  if (!news.failed) {
    Up(slot, {address}, "neighbour " + address + " answers");
    return;
  }
  std::set<size_t> behind;
  for (const size_t i : found->second.carries) {
    const Watched& watched = endpoints_[i];
    // A peer on this very network that does not answer is the peer's trouble, not the link's.
    const bool itself =
        watched.endpoint.role != EndpointRole::kStorage && watched.endpoint.address == news.address;
    if (watched.interface == found->first && watched.next_hop == news.address && !itself) behind.insert(i);
  }
  if (!behind.empty()) Down(slot, "neighbour", "neighbour " + address + " FAILED", {address}, behind);
}

std::string LinkTracker::LinkTo(const Endpoint& endpoint) const {
  const auto watched = std::find_if(endpoints_.begin(), endpoints_.end(), [&](const Watched& each) {
    return each.endpoint.address == endpoint.address && each.endpoint.port == endpoint.port;
  });
  if (watched == endpoints_.end()) return {};
  bool of_others = false;
  for (const auto& [slot, report] : down_) {
    const auto& hurt = report.endpoints;
    // Its packets may try another way by now.
    if (std::find(hurt.begin(), hurt.end(), endpoint.Name()) != hurt.end()) return slot.first;
    of_others |= slot.first == watched->interface;
  }
  return of_others ? "" : watched->interface;
}

// What no watched endpoint needs any more is over, though it never came back.
void LinkTracker::ForgetMoot() {
  std::set<std::string> watched;
  std::map<std::string, std::set<std::string>> hops;
  for (const Watched& each : endpoints_) {
    watched.insert(each.endpoint.Name());
    if (!each.interface.empty()) hops[each.interface].insert(each.next_hop.Text());
  }
  std::vector<std::pair<Slot, std::set<std::string>>> moot;
  for (const auto& [slot, report] : down_) {
    std::set<std::string> items;
    if (slot.second == "link") {
      const bool needed = std::any_of(report.endpoints.begin(), report.endpoints.end(),
                                      [&](const std::string& name) { return watched.contains(name); });
      if (!needed) items = report.items;
    } else {
      const std::set<std::string>& wanted = slot.second == "route" ? watched : hops[slot.first];
      const bool old = slot.second == "neighbour" && world_.now_ns() > report.last_ns + kNeighbourAskedForNs;
      for (const std::string& item : report.items) {
        if (old || !wanted.contains(item)) items.insert(item);
      }
    }
    if (!items.empty()) moot.emplace_back(slot, std::move(items));
  }
  for (const auto& [slot, items] : moot) Up(slot, items, "not needed any more");
}

void LinkTracker::Down(const Slot& slot, const std::string& what, const std::string& detail,
                       const std::set<std::string>& items, const std::set<size_t>& affected) {
  Report& report = down_[slot];
  bool news = report.what != what;
  report.what = what;
  report.last_ns = world_.now_ns();
  for (const std::string& item : items) news |= report.items.insert(item).second;
  for (const size_t i : affected) {
    const Endpoint& endpoint = endpoints_[i].endpoint;
    AddNew(report.endpoints, endpoint.Name(), kMaxNamed);
    AddNew(report.related_ids, endpoint.Id(), kMaxRelatedIds);
    report.roles.insert(endpoint.role);
    // Peers and the DB fail for reasons of their own: their events name the link, see LinkTo().
    if (endpoint.role != EndpointRole::kStorage) continue;
    for (const std::string& id : endpoint.related_ids) AddNew(report.related_ids, id, kMaxRelatedIds);
  }
  if (news) Send(slot, report, false, detail);
}

void LinkTracker::Up(const Slot& slot, const std::set<std::string>& items, const std::string& detail) {
  const auto found = down_.find(slot);
  if (found == down_.end()) return;
  for (const std::string& item : items) found->second.items.erase(item);
  if (!found->second.items.empty()) return;
  const Report report = std::move(found->second);
  down_.erase(found);
  Send(slot, report, true, detail);
  // Neighbours that failed meanwhile failed by it. One that still does is told of anew.
  const Slot neighbours{slot.first, "neighbour"};
  if (slot.second != "link" || !down_.contains(neighbours)) return;
  const std::set<std::string> explained = down_[neighbours].items;
  Up(neighbours, explained, "asked for again");
}

void LinkTracker::Send(const Slot& slot, const Report& report, bool up, const std::string& detail) const {
  LinkState state;
  state.interface = slot.first;
  state.what = report.what;
  state.up = up;
  state.detail = detail;
  state.endpoints = report.endpoints;
  state.roles = report.roles;
  state.related_ids = report.related_ids;
  state.time_ns = world_.now_ns();
  const auto found = interfaces_.find(slot.first);
  if (found != interfaces_.end() && !found->second.upper.empty()) {
    const std::string& upper = found->second.upper;
    state.related_ids.push_back("link:" + upper + "@" + world_.node);
    if (found->second.one_of_many) {
      for (const auto& [name, other] : interfaces_) {
        if (other.upper != upper) continue;
        ++state.slaves_total;
        if (other.trouble.empty()) ++state.slaves_left;
      }
      if (!up) state.detail += ", one of " + std::to_string(state.slaves_total) + " links of " + upper;
    }
  }
  sink_(state);
}

}  // namespace ffdc
