// SPDX-License-Identifier: Apache-2.0
// Messages as a real agent sends them: one failed disk, stored, with its manifest.
#pragma once

#include <google/protobuf/text_format.h>

#include <stdexcept>
#include <string>

#include "ffdc/v1/control.pb.h"

namespace ffdc::fakes {

inline constexpr const char* kIncidentId = "019aaf2c-5d40-7b3e-9c11-0242ac120002";
inline constexpr const char* kManualId = "019aaf30-0a10-7c55-8a20-5f1d3e7b9a44";
inline constexpr int64_t kNowNs = 1'763'878'512'000'000'000;  // 2025-11-23T06:15:12Z

template <class Message>
Message FromText(const std::string& text) {
  Message message;
  if (!google::protobuf::TextFormat::ParseFromString(text, &message))
    throw std::runtime_error("bad sample: " + text);
  return message;
}

inline v1::Event SampleEvent() {
  return FromText<v1::Event>(R"pb(
    id: "019aaf2c-5d3f-7000-8123-0242ac120002"
    kind: "io.error"
    domain: OTHER
    severity: CRITICAL
    node: "db1"
    subject {
      type: "block_device"
      id: "wwid:naa.5000c500a1b2c3d4"
      name: "sdb"
      model: "SEAGATE ST4000NM0035"
      serial: "ZC1ABCDE"
      used_by: "sdb1"
      used_by: "dm-3"
      used_by: "/var/lib/postgresql (ext4)"
    }
    first_at { seconds: 1763878320 nanos: 123456789 }
    last_at { seconds: 1763878321 nanos: 323456789 }
    first_mono_ns: 5000000000000
    last_mono_ns: 5001200000000
    count: 1064
    errors { op: "read" status: "critical medium error" blk_status: 7 count: 1000 suppressed: 936 }
    errors { op: "write" status: "I/O error" blk_status: 10 count: 64 }
    evidence {
      time_wall_ns: 1763878320123456789
      time_mono_ns: 5000000000000
      op: "read"
      flags: "sync"
      sector: 123456
      len_bytes: 4096
      latency_ns: 8123456
      status: "critical medium error"
      device: "sdb1"
      client { type: "systemd_unit" name: "postgresql.service" cgroup: "/system.slice/postgresql.service" }
    }
    evidence {
      time_wall_ns: 1763878320133456789
      time_mono_ns: 5000010000000
      op: "write"
      flags: "sync"
      flags: "meta"
      flags: "fua"
      sector: 99887766554
      len_bytes: 1048576
      latency_ns: 30123456789
      status: "I/O error"
      device: "sdb"
      client { type: "kernel" name: "kernel" }
    }
    clients {
      type: "systemd_unit"
      name: "postgresql.service"
      cgroup: "/system.slice/postgresql.service"
      failures: 1060
    }
    clients { type: "kernel" name: "kernel" failures: 4 }
    summary: "sdb: 1000 reads failed (critical medium error), 64 writes failed (I/O error)"
    incident_id: "019aaf2c-5d40-7b3e-9c11-0242ac120002"
    detected_mono_ns: 5000000180000
    duration_ns: 1200000000)pb");
}

inline v1::Incident SampleIncident() {
  auto incident = FromText<v1::Incident>(R"pb(
    id: "019aaf2c-5d40-7b3e-9c11-0242ac120002"
    kind: "io.error"
    domain: OTHER
    severity: CRITICAL
    state: CLOSED
    opened_at { seconds: 1763878320 nanos: 123456789 }
    last_event_at { seconds: 1763878321 nanos: 323456789 }
    closed_at { seconds: 1763878381 nanos: 323456789 }
    cluster: "default"
    origin_node: "db1"
    captures {
      node: "db1"
      state: STORED
      bytes: 183500
      where: "dir:/var/lib/ffdc/store"
      started_at { seconds: 1763878320 nanos: 124000000 }
      sealed_at { seconds: 1763878321 nanos: 24000000 }
      stored_at { seconds: 1763878321 nanos: 90000000 }
      frozen_after_ns: 212000
      sealed_after_ns: 901000000
      collectors_ok: 8
      collectors_failed: 1
      sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    }
    completeness {
      expected: 1
      captured: 1
      stored: 1
      losses { what: "io_error.suppressed" count: 936 detail: "counted in the kernel, not sent one by one" }
      losses {
        what: "block_state.debugfs"
        detail: "no states of hardware queues: debugfs is not mounted (mount -t debugfs none /sys/kernel/debug)"
      }
    }
    pinned: true
    summary: "sdb: 1000 reads failed (critical medium error), 64 writes failed (I/O error)"
    first_cause {
      event_id: "019aaf2c-5d3f-7000-8123-0242ac120002"
      kind: "io.error"
      subject_id: "wwid:naa.5000c500a1b2c3d4"
      subject_name: "sdb"
      summary: "sdb: 1000 reads failed (critical medium error), 64 writes failed (I/O error)"
    })pb");
  const v1::Event event = SampleEvent();
  *incident.mutable_subject() = event.subject();
  *incident.mutable_clients() = event.clients();
  *incident.add_events() = event;
  return incident;
}

// A disk that fails, the filesystem on it, who waits for both: still open.
inline v1::Incident SampleChain() {
  v1::Incident incident = SampleIncident();
  incident.set_state(v1::OPEN);
  incident.clear_closed_at();
  v1::Event& first = *incident.mutable_events(0);
  first.clear_duration_ns();
  first.mutable_evidence(0)->set_detail("MEDIUM ERROR, unrecovered read error (3/11/00)");
  first.mutable_evidence(1)->set_detail("HARDWARE ERROR, logical unit failure (4/3e/01)");
  *first.add_facts() = FromText<v1::Fact>(R"pb(name: "sense" value: "3/11/00")pb");
  *incident.add_events() = FromText<v1::Event>(R"pb(
    id: "019aaf2c-a000-7000-8123-0242ac120002"
    kind: "task.hung"
    domain: X2
    severity: WARNING
    subject { type: "task" id: "task:4711@db1" name: "postgres (4711)" }
    first_mono_ns: 5005400000000
    last_mono_ns: 5125400000000
    detected_mono_ns: 5125410000000
    count: 2
    summary: "2 tasks wait for /var/lib/postgresql for more than 120 s"
    waiters {
      pid: 4711
      tgid: 4700
      comm: "postgres"
      waiting_ns: 120000000000
      waits_in: "jbd2_log_wait_commit"
      client { type: "systemd_unit" name: "postgresql.service" }
    }
    waiters {
      pid: 812
      tgid: 812
      comm: "jbd2/sdb1-8"
      waiting_ns: 125000000000
      waits_in: "wait_on_buffer"
      client { type: "kernel" name: "kernel" }
    })pb");
  *incident.add_events() = FromText<v1::Event>(R"pb(
    id: "019aaf2c-8000-7000-8123-0242ac120002"
    kind: "fs.error"
    domain: OTHER
    severity: CRITICAL
    subject { type: "filesystem" id: "mount:/var/lib/postgresql@db1" name: "/var/lib/postgresql" }
    first_mono_ns: 5005200000000
    last_mono_ns: 5005200000000
    detected_mono_ns: 5005200900000
    count: 1
    summary: "/var/lib/postgresql: ext4 aborted its journal (error -5), the filesystem is read-only now"
    facts { name: "filesystem" value: "ext4" }
    facts { name: "errno" value: "EIO" })pb");
  return incident;
}

inline v1::Manifest SampleManifest() {
  auto manifest = FromText<v1::Manifest>(R"pb(
    format: 1
    incident_id: "019aaf2c-5d40-7b3e-9c11-0242ac120002"
    cluster: "default"
    node: "db1"
    started_at { seconds: 1763878320 nanos: 124000000 }
    sealed_at { seconds: 1763878321 nanos: 24000000 }
    failure_mono_ns: 5000000000000
    frozen_mono_ns: 5000000212000
    collectors { name: "blocked_tasks" outcome: OK elapsed_ns: 41000000 bytes: 1200 }
    collectors { name: "device_state" outcome: OK elapsed_ns: 12500000 bytes: 48211 }
    collectors { name: "history" outcome: OK elapsed_ns: 80100000 bytes: 901223 }
    collectors { name: "io_history" outcome: OK elapsed_ns: 310000000 bytes: 5200000 }
    collectors { name: "kernel_log" outcome: OK elapsed_ns: 22000000 bytes: 65536 }
    collectors {
      name: "mounts"
      outcome: TIMED_OUT
      elapsed_ns: 5000000000
      bytes: 0
      error: "killed at its deadline of 5 s while it read /proc/self/mountinfo and statfs of /mnt/nfs-on-a-dead-server"
    }
    files { name: "io-history.jsonl" size_bytes: 5200000 sha256: "00" collector: "io_history" }
    versions {
      agent: "0.1.0"
      kernel: "6.1.0-28-amd64"
      os: "Debian GNU/Linux 12 (bookworm)"
      machine: "x86_64"
    }
    archive: "capture.tar.zst"
    archive_bytes: 183500
    last_ios {
      time_mono_ns: 4999950000000
      op: "read"
      flags: "sync"
      sector: 120000
      len_bytes: 4096
      latency_ns: 210000
      status: "ok"
      device: "sdb"
    }
    last_ios {
      time_mono_ns: 4999980500000
      op: "write"
      sector: 4000
      len_bytes: 65536
      latency_ns: 1250000
      status: "ok"
      device: "sdb"
    }
    last_ios {
      time_mono_ns: 4999999100000
      op: "flush"
      sector: 0
      len_bytes: 0
      latency_ns: 4100000
      status: "ok"
      device: "sdb"
    }
    last_ios {
      time_mono_ns: 5000000000000
      op: "read"
      flags: "sync"
      sector: 123456
      len_bytes: 4096
      latency_ns: 8123456
      status: "critical medium error"
      device: "sdb"
    })pb");
  *manifest.mutable_trigger() = SampleEvent();
  *manifest.mutable_losses() = SampleIncident().completeness().losses();
  return manifest;
}

inline v1::Incident SampleManualIncident() {
  return FromText<v1::Incident>(R"pb(
    id: "019aaf30-0a10-7c55-8a20-5f1d3e7b9a44"
    kind: "manual"
    domain: REQUESTED
    severity: INFO
    state: OPEN
    opened_at { seconds: 1763878500 }
    last_event_at { seconds: 1763878500 }
    cluster: "default"
    origin_node: "db1"
    subject { type: "node" id: "node:db1" name: "db1" }
    events {
      id: "019aaf30-0a0f-7000-8a20-5f1d3e7b9a44"
      kind: "manual"
      domain: REQUESTED
      severity: INFO
      node: "db1"
      first_at { seconds: 1763878500 }
      last_at { seconds: 1763878500 }
      count: 1
      summary: "asked for: before the upgrade"
      incident_id: "019aaf30-0a10-7c55-8a20-5f1d3e7b9a44"
    }
    captures {
      node: "db1"
      state: COLLECTING
      started_at { seconds: 1763878500 }
    }
    completeness { expected: 1 missing: "db1: still collecting" }
    reason: "before the upgrade"
    summary: "asked for: before the upgrade")pb");
}

inline v1::NodeList SampleNodes() {
  v1::NodeList list;
  const auto add = [&](const char* name, v1::NodeState state) -> v1::Node& {
    v1::Node& node = *list.add_nodes();
    node.set_name(name);
    node.set_state(state);
    node.set_address(std::string("10.0.0.") + std::to_string(10 + list.nodes_size()) + ":7420");
    node.set_version("0.1.0");
    return node;
  };
  v1::Node& self = add("db1", v1::ALIVE);
  self.set_is_self(true);
  self.set_is_primary(true);
  v1::Node& ahead = add("db2", v1::ALIVE);
  ahead.set_clock_offset_ns(3'000'120'000);
  ahead.set_clock_uncertainty_ns(80'000);
  ahead.set_round_trip_ns(160'000);
  add("db3", v1::NODE_FAILED).set_error("no answer in time");
  add("db4", v1::STOPPED);
  return list;
}

inline v1::ResourceList SampleResources() {
  return FromText<v1::ResourceList>(R"pb(
    resources {
      type: "filesystem"
      id: "fs:5f0c"
      name: "/srv/data"
      resource: "space"
      filesystem_type: "xfs"
      used: 824633720832
      total: 1099511627776
      unit: "bytes"
      used_percent: 75
      state: RESOURCE_WARNING
      sampled_at { seconds: 1763878508 }
      raise_percent: 75
      critical_percent: 90
      clear_percent: 70
    }
    resources {
      type: "filesystem"
      id: "fs:5f0c"
      name: "/srv/data"
      resource: "inodes"
      filesystem_type: "xfs"
      used: 1000000
      total: 52428800
      unit: "inodes"
      used_percent: 2
      state: RESOURCE_NORMAL
      sampled_at { seconds: 1763878508 }
      raise_percent: 75
      critical_percent: 90
      clear_percent: 70
    }
    resources {
      type: "filesystem"
      id: "nfs:10.0.0.9:/export"
      name: "/mnt/nfs"
      resource: "space"
      filesystem_type: "nfs4"
      unit: "bytes"
      state: RESOURCE_UNREACHABLE
      error: "does not answer: worker killed after 5 s"
      raise_percent: 75
      critical_percent: 90
      clear_percent: 70
    }
    resources {
      type: "thin_pool"
      id: "dm:LVM-pool"
      name: "vg-pool"
      resource: "data"
      used: 98784247808
      total: 107374182400
      unit: "bytes"
      used_percent: 92
      state: RESOURCE_CRITICAL
      sampled_at { seconds: 1763878511 }
      raise_percent: 60
      critical_percent: 80
      clear_percent: 50
    }
    resources {
      type: "ceph_pool"
      id: "ceph:f51d/dump"
      name: "dump"
      resource: "objects"
      used: 120000
      total: 1000000
      unit: "objects"
      used_percent: 12
      state: RESOURCE_NORMAL
      sampled_at { seconds: 1763878470 }
      raise_percent: 75
      critical_percent: 90
      clear_percent: 70
    }
  )pb");
}

inline v1::Status SampleStatus() {
  return FromText<v1::Status>(R"pb(
    node: "db1"
    cluster: "default"
    version: "0.1.0"
    started_at { seconds: 1763870000 }
    probes_active: 2
    probes_idle: 1
    probes_inactive: 1
    devices {
      name: "sda"
      id: "wwid:naa.5000c500a1b2c300"
      type: "scsi"
      completions: 123456789
      failures: 0
      read_p50_ns: 90000
      read_p99_ns: 1250000
      write_p50_ns: 110000
      write_p99_ns: 8100000
    }
    devices {
      name: "nvme0n1"
      id: "wwid:eui.0025385b71b0a7d9-with-a-suffix-that-nobody-can-read-in-one-line-of-text"
      type: "nvme"
      completions: 42
      failures: 1064
      reason: "iostats off: latencies unknown"
    }
    incidents_open: 1
    incidents_total: 2
    store { url: "dir:/var/lib/ffdc/store" reachable: true bytes: 183500 captures: 1 }
    spool { path: "/var/lib/ffdc/spool" bytes: 0 max_bytes: 2147483648 }
    recorder {
      io_budget_bytes: 8388608
      io_records: 131072
      io_window_ns: 42000000000
      history_samples: 3600
      history_bytes: 3145728
      history_window_ns: 3600000000000
    }
    losses { what: "io_error.suppressed" count: 936 detail: "counted in the kernel, not sent one by one" }
    rss_bytes: 33554432
    problems: "incident 019aaf2c-5d40 is open: io.error on sdb"
    ignored_devices { name: "loop0" type: "loop" reason: "loop devices are left out unless included" }
    ignored_devices { name: "ram0" type: "ram" reason: "ram devices are left out unless included" })pb");
}

inline v1::ProbeList SampleProbes() {
  return FromText<v1::ProbeList>(R"pb(
    probes {
      name: "block_io"
      active: true
      attached_to: "tp_btf/block_rq_complete"
      runs: 1000
      run_time_ns: 52000
      records: 65
      counters { what: "filtered.readahead" count: 3 }
      counters { what: "filtered.passthrough" count: 0 }
    }
    probes { name: "ras" active: false reason: "not permitted: needs root, or CAP_BPF and CAP_PERFMON" }
    probes { name: "block_bio" idle: true reason: "no bio-based device is watched" }
    probes { name: "blocked_tasks" active: true attached_to: "iter/task" drops: 2 }
    probes {
      name: "scsi"
      active: true
      attached_to: "tp_btf/scsi_dispatch_cmd_error, tp_btf/scsi_dispatch_cmd_timeout, tp_btf/scsi_eh_wakeup, raw_tp/a_hook_with_a_name_that_fills_more_than_one_line_of_any_console_if_it_is_not_wrapped"
      reason: "scsi_other: not in this kernel, or its module (scsi_mod) is not loaded"
      runs: 0
    }
    probes { name: "uevents" active: true attached_to: "netlink kobject_uevent" records: 12 })pb");
}

inline v1::ClusterView SampleCluster() {
  v1::ClusterView view = FromText<v1::ClusterView>(R"pb(
    node: "db1"
    cluster: "prod"
    status {
      db: "etcd://10.0.0.1:2379,10.0.0.2:2379"
      db_reachable: true
      primary: "db1"
      members: 2
      peers: 1
      peers_reachable: 1
      keeps_ca: true
      joins_refused: 1
      certificate { names: "db1" }
    })pb");
  v1::Certificate& certificate = *view.mutable_status()->mutable_certificate();
  certificate.set_sha256(std::string(64, 'c'));
  certificate.mutable_not_after()->set_seconds(1'900'000'000);
  *view.mutable_nodes() = SampleNodes().nodes();
  return view;
}

inline v1::Config SampleConfigReply() {
  return FromText<v1::Config>(R"pb(
    path: "/etc/ffdc/ffdc.toml"
    settings { key: "node.name" value: "\"db1\"" default_value: "\"db1\"" is_default: true }
    settings { key: "incident.quiet_after" value: "\"2s\"" default_value: "\"60s\"" })pb");
}

}  // namespace ffdc::fakes
