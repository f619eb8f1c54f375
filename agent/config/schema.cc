// SPDX-License-Identifier: Apache-2.0
#include "config/schema.h"

#include <array>
#include <limits>

#include "config/checks.h"

namespace ffdc::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint64_t kKiB = 1ull << 10;
constexpr uint64_t kGiB = 1ull << 30;
constexpr uint64_t kTiB = 1ull << 40;

const std::array kSchema{
    Key{"node", "name", Text{[](Settings& s) -> std::string& { return s.node.name; }, CheckName},
        "This node's name in the cluster. Default: the host's name.", "\"node1\""},
    Key{"node",
        "cluster",
        Text{[](Settings& s) -> std::string& { return s.node.cluster; }, CheckName},
        "The cluster this node belongs to.",
        {}},
    Key{"cluster",
        "db",
        Text{[](Settings& s) -> std::string& { return s.cluster.db; }, CheckDbUrl},
        "\"embedded\": one node. \"etcd://10.0.0.1:2379,10.0.0.2:2379\" or, with TLS, \"etcds://\": a "
        "cluster.",
        {}},
    Key{"peer",
        "listen",
        Text{[](Settings& s) -> std::string& { return s.peer.listen; }, CheckListen},
        "Address and port for the other nodes' agents, \"10.0.0.1:7420\". \"\": none.",
        {}},
    Key{"peer",
        "advertise",
        Text{[](Settings& s) -> std::string& { return s.peer.advertise; }, CheckListen},
        "Where the other nodes reach it, if that is not peer.listen.",
        {}},
    Key{"peer",
        "handoff_max_bytes",
        Size{[](Settings& s) -> uint64_t& { return s.peer.handoff_max_bytes; }, 64 * kKiB, kTiB, true},
        "Room in the spool for captures of each peer that lost the store. \"0B\": none are taken.",
        {}},
    Key{"peer",
        "direct_alerts_max",
        Count{[](const Settings& s) -> uint64_t { return s.peer.direct_alerts_max; },
              [](Settings& s, uint64_t v) { s.peer.direct_alerts_max = static_cast<uint32_t>(v); }, 1, 1024},
        "Up to so many nodes are alerted directly; more of them by way of some of them.",
        {}},
    Key{"tls",
        "ca",
        Text{[](Settings& s) -> std::string& { return s.tls.ca; }, CheckOptionalPath},
        "The certificate (PEM) of the CA that signed those of all nodes.",
        {}},
    Key{"tls",
        "cert",
        Text{[](Settings& s) -> std::string& { return s.tls.cert; }, CheckOptionalPath},
        "This node's certificate (PEM); node.name must be among its DNS names.",
        {}},
    Key{"tls",
        "key",
        Text{[](Settings& s) -> std::string& { return s.tls.key; }, CheckOptionalPath},
        "The private key (PEM) of tls.cert.",
        {}},
    Key{"tls",
        "ca_key",
        Text{[](Settings& s) -> std::string& { return s.tls.ca_key; }, CheckOptionalPath},
        "The private key (PEM) of tls.ca, where nodes join (`ffdcctl cluster token`). \"\": not here.",
        {}},
    Key{"store",
        "url",
        Text{[](Settings& s) -> std::string& { return s.store.url; }, CheckStoreUrl},
        "Where captures are kept: \"dir:/path\" (a local disk or an NFS mount) or \"rados://pool\" (Ceph).",
        {}},
    Key{"store",
        "max_age",
        Duration{[](Settings& s) -> std::chrono::nanoseconds& { return s.store.max_age; }, seconds(1),
                 hours(24 * 3650), true},
        "Older incidents are removed from the store. \"0s\": no limit.",
        {}},
    Key{"store",
        "max_bytes",
        Size{[](Settings& s) -> uint64_t& { return s.store.max_bytes; }, 64 * kKiB, 1024 * kTiB, true},
        "Room for captures in the store; repeats give way first. \"0B\": no limit.",
        {}},
    Key{"store",
        "max_incidents",
        Count{[](const Settings& s) { return s.store.max_incidents; },
              [](Settings& s, uint64_t v) { s.store.max_incidents = v; }, 0, 1'000'000},
        "Incidents kept in the store; repeats give way first. 0: no limit.",
        {}},
    Key{"store",
        "max_bytes_per_second",
        Size{[](Settings& s) -> uint64_t& { return s.store.max_bytes_per_second; }, 64 * kKiB, kTiB, true},
        "Captures are sent to the store at most this fast. \"0B\": no limit.",
        {}},
    Key{"store",
        "require_marker",
        Flag{[](Settings& s) -> bool& { return s.store.require_marker; }},
        "Only `ffdcctl store init` initialises a new store: for mounts that /etc/fstab does not know.",
        {}},
    Key{"store",
        "encrypt_to",
        TextList{[](Settings& s) -> std::vector<std::string>& { return s.store.encrypt_to; }, CheckPath,
                 R"(["/etc/ffdc/keys/ops.pem"])"},
        "Certificates (PEM) of those who may open captures: any one's key opens them. []: not encrypted.",
        {}},
    Key{"spool",
        "path",
        Text{[](Settings& s) -> std::string& { return s.spool.path; }, CheckPath},
        "Folder for sealed captures that are not yet in the store, and for the incident index.",
        {}},
    Key{"spool",
        "max_bytes",
        Size{[](Settings& s) -> uint64_t& { return s.spool.max_bytes; }, 64 * kKiB, 16 * kTiB},
        "Room for captures in the spool; repeats give way first.",
        {}},
    Key{"control",
        "socket",
        Text{[](Settings& s) -> std::string& { return s.control.socket; }, CheckSocketPath},
        "Unix socket (mode 0660) on which ffdcctl reaches the agent.",
        {}},
    Key{"devices",
        "include",
        TextList{[](Settings& s) -> std::vector<std::string>& { return s.devices.include; }, CheckDeviceEntry,
                 R"(["sda", "loop"])"},
        "Watch only these block devices: names, patterns, WWIDs or types. []: all but ram, zram and loop.",
        {}},
    Key{"devices",
        "exclude",
        TextList{[](Settings& s) -> std::vector<std::string>& { return s.devices.exclude; }, CheckDeviceEntry,
                 R"(["sda", "loop"])"},
        "Block devices to leave out: names, patterns, WWIDs or types. Wins over include.",
        {}},
    Key{"incident",
        "quiet_after",
        Duration{[](Settings& s) -> std::chrono::nanoseconds& { return s.incident.quiet_after; },
                 milliseconds(100), hours(24)},
        "An incident closes when nothing new failed for so long; a later failure opens a new one.",
        {}},
    Key{"detect",
        "stall_after",
        Duration{[](Settings& s) -> std::chrono::nanoseconds& { return s.detect.stall_after; },
                 milliseconds(500), hours(1)},
        "A device, path or task that made no progress for so long is stalled.",
        {}},
    Key{"detect",
        "retries_per_minute",
        Count{[](const Settings& s) -> uint64_t { return s.detect.retries_per_minute; },
              [](Settings& s, uint64_t v) { s.detect.retries_per_minute = static_cast<uint32_t>(v); }, 1,
              1'000'000},
        "Retries of one device a minute, successful in the end, that are worth an event (io.retry).",
        {}},
    Key{"detect",
        "slow_factor",
        Count{[](const Settings& s) -> uint64_t { return s.detect.slow_factor; },
              [](Settings& s, uint64_t v) { s.detect.slow_factor = static_cast<uint32_t>(v); }, 2, 1000},
        "A device is slow at so many times its own usual latency, and its siblings' (io.slow).",
        {}},
    Key{"watch",
        "units",
        TextList{[](Settings& s) -> std::vector<std::string>& { return s.watch.units; }, CheckUnit,
                 R"(["nfs-server.service"])"},
        "systemd units whose failure is an event (service.failed).",
        {}},
    Key{"watch",
        "endpoints",
        TextList{[](Settings& s) -> std::vector<std::string>& { return s.watch.endpoints; }, CheckEndpoint,
                 R"(["10.0.0.1:3260"])"},
        "Addresses that carry storage, besides those learned from mounts and sessions.",
        {}},
    Key{"watch",
        "filesystems",
        TextList{[](Settings& s) -> std::vector<std::string>& { return s.watch.filesystems; }, CheckPath,
                 R"(["/srv"])"},
        "Mount points whose fill level is watched. []: all, but those of disks that are not watched.",
        {}},
    Key{"resource",
        "raise_percent",
        Count{[](const Settings& s) -> uint64_t { return s.resource.raise_percent; },
              [](Settings& s, uint64_t v) { s.resource.raise_percent = static_cast<uint32_t>(v); }, 1, 100},
        "A filesystem, thin pool or Ceph pool filled so far is an event (resource.threshold).",
        {}},
    Key{"resource",
        "critical_percent",
        Count{[](const Settings& s) -> uint64_t { return s.resource.critical_percent; },
              [](Settings& s, uint64_t v) { s.resource.critical_percent = static_cast<uint32_t>(v); }, 1,
              100},
        "From here on it is a critical one.",
        {}},
    Key{"resource",
        "clear_percent",
        Count{[](const Settings& s) -> uint64_t { return s.resource.clear_percent; },
              [](Settings& s, uint64_t v) { s.resource.clear_percent = static_cast<uint32_t>(v); }, 0, 99},
        "Below this it is over.",
        {}},
    Key{"resource",
        "limits",
        TextList{[](Settings& s) -> std::vector<std::string>& { return s.resource.limits; },
                 CheckResourceLimits, R"(["/srv/data 85 95 80"])"},
        "Other percentages for single ones: \"NAME RAISE CRITICAL CLEAR\", NAME a mount point or a pool.",
        {}},
    Key{"periodic",
        "calendar",
        Text{[](Settings& s) -> std::string& { return s.periodic.calendar; }, CheckCalendar},
        "When to capture without a failure, as systemd.time(7) says: \"daily\", \"Mon 03:00\". \"\": never.",
        {}},
    Key{"recorder",
        "io_max_bytes",
        Size{[](Settings& s) -> uint64_t& { return s.recorder.io_max_bytes; }, 64 * kKiB, kGiB},
        "Memory for the history of single I/Os, shared out over the CPUs.",
        {}},
    Key{"recorder",
        "history_max_bytes",
        Size{[](Settings& s) -> uint64_t& { return s.recorder.history_max_bytes; }, 64 * kKiB, kGiB},
        "Memory for the once-a-second history of the last hour.",
        {}},
    Key{"capture",
        "runtime_dir",
        Text{[](Settings& s) -> std::string& { return s.capture.runtime_dir; }, CheckPath},
        "Folder on a tmpfs for captures in the making.",
        {}},
    Key{"capture",
        "collector_max_bytes",
        Size{[](Settings& s) -> uint64_t& { return s.capture.collector_max_bytes; }, 64 * kKiB, 4 * kGiB},
        "What one collector may write into one capture.",
        {}},
    Key{"capture",
        "max_parallel",
        Count{[](const Settings& s) -> uint64_t { return s.capture.max_parallel; },
              [](Settings& s, uint64_t v) { s.capture.max_parallel = static_cast<uint32_t>(v); }, 1, 64},
        "Captures at the same time; others wait their turn.",
        {}},
    Key{"capture",
        "redact",
        Text{[](Settings& s) -> std::string& { return s.capture.redact; }, CheckOptionalPath},
        "File of rules on what is taken out of a capture's text, see ffdc-redact.toml(5). \"\": nothing.",
        {}},
    Key{"alert",
        "subscribers",
        TextList{[](Settings& s) -> std::vector<std::string>& { return s.alert.subscribers; },
                 CheckSubscriber, R"(["https://hooks.example.org/ffdc"])"},
        "Web servers that this node tells of its incidents, by HTTP POST of JSON.",
        {}},
    Key{"alert",
        "secret_file",
        Text{[](Settings& s) -> std::string& { return s.alert.secret_file; }, CheckOptionalPath},
        "File with the secret that signs what subscribers are told (X-FFDC-Signature). \"\": not signed.",
        {}},
    Key{"alert",
        "min_severity",
        Text{[](Settings& s) -> std::string& { return s.alert.min_severity; }, CheckSeverity},
        "Subscribers are told of \"info\", \"warning\" or \"critical\" and what is worse.",
        {}},
    Key{"alert",
        "subscriber_kinds",
        TextList{[](Settings& s) -> std::vector<std::string>& { return s.alert.subscriber_kinds; },
                 CheckPattern, R"(["path.*", "store.lost"])"},
        "Subscribers are told of incidents of these kinds alone. []: of all.",
        {}},
    Key{"alert",
        "subscriber_subjects",
        TextList{[](Settings& s) -> std::vector<std::string>& { return s.alert.subscriber_subjects; },
                 CheckPattern, R"(["wwid:*", "nfs:10.0.0.9:*"])"},
        "Subscribers are told of incidents of these subjects (id or name) alone. []: of all.",
        {}},
    Key{"alert",
        "kinds",
        TextList{[](Settings& s) -> std::vector<std::string>& { return s.alert.kinds; }, CheckPattern,
                 R"(["path.*", "io.error"])"},
        "This node captures too when something of these kinds happens on another node.",
        {}},
    Key{"alert",
        "subjects",
        TextList{[](Settings& s) -> std::vector<std::string>& { return s.alert.subjects; }, CheckPattern,
                 R"(["wwid:*", "nfs:10.0.0.9:*"])"},
        "And when it happens to these subjects (id), or to storage that this node uses.",
        {}},
    Key{"log",
        "level",
        Text{[](Settings& s) -> std::string& { return s.log.level; }, CheckLogLevel},
        "\"debug\", \"info\", \"warning\" or \"error\".",
        {}},
};

template <class T>
const T* Get(const RawValue& raw) {
  return std::get_if<T>(&raw.value);
}

Unexpected WrongType(std::string_view wanted, const RawValue& raw) {
  return Fail("must be " + std::string(wanted) + ", not " + std::string(raw.kind), EINVAL);
}

template <class T>
std::string RangeText(T min, T max, bool zero_allowed, std::string (*format)(T)) {
  return "must be between " + format(min) + " and " + format(max) +
         (zero_allowed ? ", or 0 for no limit" : "");
}

Result<> Read(const Text& slot, const RawValue& raw, Settings& settings) {
  const auto* text = Get<std::string>(raw);
  if (text == nullptr) return WrongType("a string", raw);
  FFDC_TRY(slot.check(*text));
  slot.at(settings) = *text;
  return {};
}

Result<> Read(const TextList& slot, const RawValue& raw, Settings& settings) {
  const auto* list = Get<std::vector<std::string>>(raw);
  if (list == nullptr) return WrongType("a list of strings such as " + std::string(slot.example), raw);
  for (const std::string& entry : *list) FFDC_TRY(slot.check(entry));
  slot.at(settings) = *list;
  return {};
}

Result<> Read(const Duration& slot, const RawValue& raw, Settings& settings) {
  const auto* text = Get<std::string>(raw);
  if (text == nullptr) return WrongType("a duration such as \"60s\"", raw);
  FFDC_ASSIGN(const auto value, ParseDuration(*text));
  const bool unlimited = slot.zero_allowed && value.count() == 0;
  if (!unlimited && (value < slot.min || value > slot.max)) {
    return Fail(RangeText(slot.min, slot.max, slot.zero_allowed, FormatDuration) + ", not " + *text, EINVAL);
  }
  slot.at(settings) = value;
  return {};
}

Result<> Read(const Size& slot, const RawValue& raw, Settings& settings) {
  const auto* text = Get<std::string>(raw);
  if (text == nullptr) return WrongType("a size such as \"2GiB\"", raw);
  FFDC_ASSIGN(const uint64_t value, ParseSize(*text));
  const bool unlimited = slot.zero_allowed && value == 0;
  if (!unlimited && (value < slot.min || value > slot.max)) {
    return Fail(RangeText(slot.min, slot.max, slot.zero_allowed, FormatSize) + ", not " + *text, EINVAL);
  }
  slot.at(settings) = value;
  return {};
}

Result<> Read(const Count& slot, const RawValue& raw, Settings& settings) {
  const auto* number = Get<int64_t>(raw);
  if (number == nullptr) return WrongType("a whole number", raw);
  if (*number < 0 || static_cast<uint64_t>(*number) < slot.min || static_cast<uint64_t>(*number) > slot.max) {
    return Fail("must be between " + std::to_string(slot.min) + " and " + std::to_string(slot.max) +
                    ", not " + std::to_string(*number),
                EINVAL);
  }
  slot.set(settings, static_cast<uint64_t>(*number));
  return {};
}

Result<> Read(const Flag& slot, const RawValue& raw, Settings& settings) {
  const auto* flag = Get<bool>(raw);
  if (flag == nullptr) return WrongType("true or false", raw);
  slot.at(settings) = *flag;
  return {};
}

std::string Quote(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;  // the checks let printable ASCII in, nothing else
  }
  return quoted + "\"";
}

std::string AsToml(const Text& slot, Settings& settings) { return Quote(slot.at(settings)); }
std::string AsToml(const TextList& slot, Settings& settings) {
  std::string list;
  for (const std::string& entry : slot.at(settings)) list += (list.empty() ? "" : ", ") + Quote(entry);
  return "[" + list + "]";
}
std::string AsToml(const Duration& slot, Settings& settings) {
  return Quote(FormatDuration(slot.at(settings)));
}
std::string AsToml(const Size& slot, Settings& settings) { return Quote(FormatSize(slot.at(settings))); }
std::string AsToml(const Flag& slot, Settings& settings) { return slot.at(settings) ? "true" : "false"; }
std::string AsToml(const Count& slot, Settings& settings) { return std::to_string(slot.get(settings)); }

}  // namespace

std::span<const Key> Schema() { return kSchema; }

std::string FullName(const Key& key) { return std::string(key.section) + "." + std::string(key.name); }

Result<> SetValue(const Key& key, const RawValue& raw, Settings& settings) {
  return std::visit([&](const auto& slot) { return Read(slot, raw, settings); }, key.slot);
}

std::string ValueAsToml(const Key& key, const Settings& settings) {
  Settings copy = settings;  // the slots give out references that may be written to
  return std::visit([&](const auto& slot) { return AsToml(slot, copy); }, key.slot);
}

}  // namespace ffdc::config
