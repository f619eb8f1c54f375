// SPDX-License-Identifier: Apache-2.0
// The configuration: TOML text -> validated, typed settings. Every key has a
// default; an empty file is a valid configuration. `ffdcd --check-config` runs
// the same path.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/paths.h"
#include "base/result.h"

namespace ffdc {

struct Settings {
  struct {
    std::string name;  // default: the host's name
    std::string cluster = "default";
  } node;
  struct {
    std::string db = "embedded";  // or "etcd://10.0.0.1:2379,...", "etcds://..."
  } cluster;
  struct {
    std::string listen;                       // "10.0.0.1:7420"; empty: no peers
    std::string advertise;                    // empty: as listen
    uint64_t handoff_max_bytes = 1ull << 30;  // of each peer's captures at a time; 0: none
    uint32_t direct_alerts_max = 256;
  } peer;
  struct {
    std::string ca;
    std::string cert;
    std::string key;
    std::string ca_key;  // empty: this node lets no others join
  } tls;
  struct {
    std::string url = "dir:/var/lib/ffdc/store";
    std::chrono::nanoseconds max_age{};  // "0s": no limit
    uint64_t max_bytes = 0;              // "0B": no limit
    uint64_t max_incidents = 1000;
    uint64_t max_bytes_per_second = 0;  // "0B": no cap
    bool require_marker = false;
    std::vector<std::string> encrypt_to;  // certificates (PEM); empty: captures are not encrypted
  } store;
  struct {
    std::string path = "/var/lib/ffdc/spool";
    uint64_t max_bytes = 2ull << 30;
  } spool;
  struct {
    std::string socket = kDefaultSocketPath;
  } control;
  struct {
    std::vector<std::string> include;
    std::vector<std::string> exclude;
  } devices;
  struct {
    std::chrono::nanoseconds quiet_after{60'000'000'000};
  } incident;
  struct {
    std::chrono::nanoseconds stall_after{2'000'000'000};
    uint32_t retries_per_minute = 60;
    uint32_t slow_factor = 5;
  } detect;
  struct {
    std::vector<std::string> units;        // "ceph-osd@3.service"
    std::vector<std::string> endpoints;    // "10.0.0.1:3260", "[fd00::1]:2379"
    std::vector<std::string> filesystems;  // mount points; empty: all
  } watch;
  struct {
    uint32_t raise_percent = 75;
    uint32_t critical_percent = 90;
    uint32_t clear_percent = 70;
    std::vector<std::string> limits;  // ResourceLimits of single ones, before those above
  } resource;
  struct {
    std::string calendar;  // systemd.time(7); empty: never
  } periodic;
  struct {
    uint64_t io_max_bytes = 8u << 20;       // per-I/O flight recorder
    uint64_t history_max_bytes = 8u << 20;  // 1 Hz history
  } recorder;
  struct {
    std::string runtime_dir = "/run/ffdc";  // tmpfs: captures in the making
    uint64_t collector_max_bytes = 64u << 20;
    uint32_t max_parallel = 4;
    std::string redact;  // file of redaction rules; empty: nothing is taken out
  } capture;
  struct {
    std::vector<std::string> subscribers;  // "https://hooks.example.org/ffdc"
    std::string secret_file;               // empty: posts are not signed
    std::string min_severity = "warning";
    std::vector<std::string> subscriber_kinds;     // patterns; none: all
    std::vector<std::string> subscriber_subjects;  // the same
    std::vector<std::string> kinds{"*"};           // patterns; what of others is captured here
    std::vector<std::string> subjects;             // patterns; besides those that this node uses
  } alert;
  struct {
    std::string level = "info";
  } log;
  std::vector<std::string> files;  // that all of this came from, in the order in which they were read
};

struct SettingText {
  std::string key;    // "incident.quiet_after"
  std::string value;  // as TOML: "\"60s\""
  std::string default_value;
  bool is_default = true;
};

// origin: the file's name, for messages "FILE:LINE: unknown key 'devices.inclde': did you mean 'include'?".
// All errors found are in the message, one a line.
Result<Settings> ParseSettings(std::string_view toml_text, std::string_view origin);
// path, and over it the files of its drop-in folder (base/drop_ins.h). Blocks on the disk.
enum class MainFile { kRequired, kOptional };  // where there is none: an error, or nothing but drop-ins
Result<Settings> LoadSettings(const std::filesystem::path& path, MainFile main_file = MainFile::kRequired);
Settings DefaultSettings();
// Every key, its value and default, in the order of the struct.
std::vector<SettingText> DescribeSettings(const Settings& settings);
// packaging/ffdc.toml: every key commented out at its default, with a line on what it is.
std::string SampleConfig();

// "/srv/data 85 95 80": the name of a filesystem or pool, then its percentages.
struct ResourceLimits {
  std::string name;
  uint32_t raise_percent = 0;
  uint32_t critical_percent = 0;
  uint32_t clear_percent = 0;
};
Result<ResourceLimits> ParseResourceLimits(std::string_view text);

// "60s", "500ms", "1h30m", "2GiB", "8MB", "512KiB": a number without a unit is an error.
Result<std::chrono::nanoseconds> ParseDuration(std::string_view text);
Result<uint64_t> ParseSize(std::string_view text);
std::string FormatDuration(std::chrono::nanoseconds value);
std::string FormatSize(uint64_t bytes);

}  // namespace ffdc
