// SPDX-License-Identifier: Apache-2.0
#include "probe/block_probe.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/fs.h"
#include "base/text.h"
#include "ffdc/abi/bio_flow.h"
#include "ffdc/abi/block_state.h"
#include "probe/bpf_support.h"
#include "probe/flight_recorder.h"
#include "probe/latency.h"

// The generated headers need the types above.
#include "block_bio.skel.h"
#include "block_io.skel.h"
#include "blocked_tasks.skel.h"

namespace ffdc {
namespace {

constexpr const char* kNoBioDevice = "no bio-based device is watched";
constexpr const char* kFilteredNames[FFDC_FILTERED_COUNT] = {
    "filtered.readahead", "filtered.passthrough", "filtered.unsupported",
    "filtered.nowait",    "filtered.no_disk",     "filtered.ignored_device"};

uint32_t CpuCount() {
  const int cpus = libbpf_num_possible_cpus();
  return static_cast<uint32_t>(std::clamp(cpus, 1, FFDC_MAX_CPUS));
}

template <class T>
T Load(T& shared) {
  return std::atomic_ref<T>(shared).load(std::memory_order_relaxed);
}

void AddCounter(v1::Probe& probe, const std::string& what, uint64_t count, const std::string& detail = {}) {
  if (count == 0) return;
  v1::Loss& loss = *probe.add_counters();
  loss.set_what(what);
  loss.set_count(count);
  loss.set_detail(detail);
}

// 0: device mapper is not there (yet).
uint32_t DeviceMapperMajor() {
  const std::string devices = ReadLine("/proc/devices");  // a list in memory: the read cannot block
  std::string_view text = devices;
  bool block = false;
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    if (line == "Block devices:") block = true;
    const auto major = ParseNumber<uint32_t>(NextWord(line));
    if (block && major && Trim(line) == "device-mapper") return *major;
  }
  return 0;
}

class KernelBlockProbe : public BlockProbe {
 public:
  KernelBlockProbe(const BlockProbeOptions& options, RecordSink sink)
      : options_(options), cpus_(CpuCount()), sink_(std::move(sink)) {
    if (const auto started = StartBlockIo(); !started) {
      StopBlockIo();
      io_reason_ = started.error().message;
      bio_reason_ = "needs block_io: " + io_reason_;
    } else if (const auto loaded = LoadBlockBio(); !loaded) {
      bio_reason_ = loaded.error().message;
    } else {
      bio_reason_ = kNoBioDevice;
    }
    if (const auto started = StartBlockedTasks(); !started) tasks_reason_ = started.error().message;
    OpName(0);       // reads the kernel's words from its types now, not while the first failure waits
    malloc_trim(0);  // the kernel's types were large, and are not needed any more
  }

  [[nodiscard]] int poll_fd() const override { return ring_ ? ring_buffer__epoll_fd(ring_.get()) : -1; }
  void Consume() override {
    if (ring_) ring_buffer__consume(ring_.get());
  }

  FrozenHistory Freeze() override {
    if (recorder_) return recorder_->Freeze();
    FrozenHistory nothing;
    nothing.frozen_mono_ns = SystemClock().MonotonicNs();
    return nothing;
  }
  uint64_t StopHistory() override {
    return recorder_ ? recorder_->StopWriting() : SystemClock().MonotonicNs();
  }
  void Rearm() override {
    if (recorder_) recorder_->Rearm();
  }

  void SetDevice(uint32_t dev, bool watched) override;
  void RemoveDevice(uint32_t dev) override;
  void SetBioDevices(bool any) override;

  [[nodiscard]] std::vector<FailureCount> FailureCounts() const override;
  [[nodiscard]] LatencyCounts Latencies(uint32_t dev) const override {
    return latencies_ ? latencies_->Read(dev) : LatencyCounts{};
  }
  [[nodiscard]] int blocked_tasks_link_fd() const override {
    return tasks_link_ ? bpf_link__fd(tasks_link_.get()) : -1;
  }
  [[nodiscard]] Result<std::string> BlockedTasksText() const override;
  [[nodiscard]] BioFlow BiosOf(uint32_t dev) override;
  [[nodiscard]] std::vector<v1::Probe> Status() const override;
  [[nodiscard]] uint64_t history_records(uint64_t* oldest_mono_ns) const override {
    if (oldest_mono_ns != nullptr) *oldest_mono_ns = 0;
    return recorder_ ? recorder_->Records(oldest_mono_ns) : 0;
  }

 private:
  Result<> StartBlockIo();
  void StopBlockIo();
  void OnRecord(const ffdc_block_error& record);
  Result<> LoadBlockBio();
  Result<> StartBlockedTasks();
  template <class Skeleton>
  void SetConstants(Skeleton& skeleton) const;
  void ForgetQueues();
  void FillBlockStatus(v1::Probe& probe, ffdc_record_kind kind, const bpf_program* program) const;
  [[nodiscard]] uint64_t Untimed() const;

  const BlockProbeOptions options_;
  const uint32_t cpus_;
  const RecordSink sink_;
  BpfSkeleton<block_io_bpf> io_;
  BpfSkeleton<block_bio_bpf> bio_;
  BpfSkeleton<blocked_tasks_bpf> tasks_;
  BpfRingBuffer ring_;
  BpfLink io_link_;
  BpfLink bio_link_;
  BpfLink bio_queue_link_;
  uint32_t dm_major_ = 0;
  uint64_t bio_misses_ = 0;      // completions that block_bio did not see
  uint64_t bios_sure_from_ = 0;  // what came before may have gone unseen
  BpfLink tasks_link_;
  std::optional<FlightRecorder> recorder_;
  std::optional<LatencyTable> latencies_;
  std::map<uint32_t, uint64_t> since_ns_;  // by dev: when the agent first spoke of it
  uint16_t epoch_ = 0;
  uint64_t unclassifiable_ = 0;
  std::string io_reason_;
  std::string bio_reason_;
  std::string tasks_reason_;
};

template <class Skeleton>
void KernelBlockProbe::SetConstants(Skeleton& skeleton) const {
  auto& constants = *skeleton.rodata;
  constants.cpu_count = cpus_;
  constants.quiet_after_ns = static_cast<uint64_t>(options_.quiet_after.count());
  constants.record_interval_ns = kNsPerSecond / std::max(options_.records_per_s, 1u);
  constants.record_burst = options_.records_burst;
}

Result<> KernelBlockProbe::StartBlockIo() {
  const uint32_t shift = HistoryShift(options_.io_history_bytes, cpus_);
  const uint32_t slots = HistogramSlots(options_.histogram_bytes, cpus_);
  FFDC_ASSIGN(io_, LoadSkeleton<block_io_bpf>([&](block_io_bpf& skeleton) {
                SetConstants(skeleton);
                const int error = bpf_map__set_max_entries(skeleton.maps.history, (2 * cpus_) << shift);
                return error != 0 ? error : bpf_map__set_max_entries(skeleton.maps.histograms, slots * cpus_);
              }));
  const auto on_record = [](void* self, void* data, size_t size) {
    if (size >= sizeof(ffdc_block_error)) {
      ffdc_block_error record;
      std::memcpy(&record, data, sizeof(record));
      static_cast<KernelBlockProbe*>(self)->OnRecord(record);
    }
    return 0;
  };
  ring_.reset(ring_buffer__new(bpf_map__fd(io_->maps.records), on_record, this, nullptr));
  if (!ring_) return FailErrno("cannot map the ring buffer");
  const int history_fd = bpf_map__fd(io_->maps.history);
  const int locks_fd = bpf_map__fd(io_->maps.locks);
  recorder_.emplace(history_fd, locks_fd, &io_->bss->state,
                    FlightRecorder::Options{cpus_, shift, options_.io_history_bytes,
                                            [] { return SystemClock().MonotonicNs(); }});
  latencies_.emplace(bpf_map__fd(io_->maps.histograms), slots, cpus_);
  ForgetQueues();
  FFDC_ASSIGN(io_link_, AttachProgram(io_->progs.block_rq_complete));
  return {};
}

void KernelBlockProbe::StopBlockIo() {
  io_link_.reset();
  recorder_.reset();
  latencies_.reset();
  ring_.reset();
  io_.reset();
}

void KernelBlockProbe::OnRecord(const ffdc_block_error& record) {
  const bool froze = (record.flags & FFDC_ERROR_FROZE) != 0;
  const uint64_t frozen_ns = froze ? recorder_->frozen_ns() : 0;
  sink_(record);
  // Of no interest to anybody (it joined an incident): the next failure must be able to freeze.
  if (frozen_ns != 0 && recorder_->frozen_ns() == frozen_ns) recorder_->Rearm();
}

Result<> KernelBlockProbe::LoadBlockBio() {
  FFDC_ASSIGN(bio_, LoadSkeleton<block_bio_bpf>([&](block_bio_bpf& skeleton) {
                SetConstants(skeleton);
                const std::pair<bpf_map*, bpf_map*> shared[] = {
                    {skeleton.maps.history, io_->maps.history},
                    {skeleton.maps.storm, io_->maps.storm},
                    {skeleton.maps.locks, io_->maps.locks},
                    {skeleton.maps.records, io_->maps.records},
                    {skeleton.maps.bss, io_->maps.bss},
                    {skeleton.maps.device_filter, io_->maps.device_filter}};
                for (const auto& [mine, theirs] : shared) {
                  const int error = bpf_map__reuse_fd(mine, bpf_map__fd(theirs));
                  if (error != 0) return error;
                }
                return 0;
              }));
  return {};
}

Result<> KernelBlockProbe::StartBlockedTasks() {
  FFDC_ASSIGN(tasks_, LoadSkeleton<blocked_tasks_bpf>([](blocked_tasks_bpf&) { return 0; }));
  FFDC_ASSIGN(tasks_link_, AttachProgram(tasks_->progs.blocked_tasks));
  return {};
}

// Every queue's cached answer becomes void: the kernel asks the filter again.
void KernelBlockProbe::ForgetQueues() {
  ffdc_block_state& state = io_->bss->state;
  if (++epoch_ == 0) {
    for (auto& queue : state.queues) std::atomic_ref(queue).store(0, std::memory_order_relaxed);
    epoch_ = 1;
  }
  std::atomic_ref(state.control.epoch_key).store(uint64_t{epoch_} << FFDC_QUEUE_EPOCH_SHIFT);
}

void KernelBlockProbe::SetDevice(uint32_t dev, bool watched) {
  if (!io_) return;
  ffdc_device_filter filter{};
  filter.flags = watched ? FFDC_DEVICE_WATCHED : 0;
  filter.slot = FFDC_NO_SLOT;
  if (watched) {
    filter.slot = latencies_->Assign(dev);
  } else {
    latencies_->Release(dev);
  }
  filter.since_ns = since_ns_.try_emplace(dev, SystemClock().MonotonicNs()).first->second;
  if (bpf_map__update_elem(io_->maps.device_filter, &dev, sizeof(dev), &filter, sizeof(filter), BPF_ANY) !=
      0) {
    ++unclassifiable_;
  }
  ForgetQueues();
}

void KernelBlockProbe::RemoveDevice(uint32_t dev) {
  if (!io_) return;
  since_ns_.erase(dev);
  bpf_map__delete_elem(io_->maps.device_filter, &dev, sizeof(dev), 0);
  ForgetQueues();
  latencies_->Release(dev);
}

void KernelBlockProbe::SetBioDevices(bool any) {
  if (!bio_) return;
  if (any && dm_major_ == 0) {
    dm_major_ = DeviceMapperMajor();
    if (dm_major_ != 0) bio_->data->dm_major = dm_major_;
  }
  if (any == (bio_link_ != nullptr)) return;
  if (!any) {
    bio_queue_link_.reset();
    bio_link_.reset();
    bio_reason_ = kNoBioDevice;
    return;
  }
  auto link = AttachProgram(bio_->progs.block_bio_complete);
  bio_reason_ = link ? std::string() : link.error().message;
  if (!link) return;
  bio_link_ = std::move(*link);
  // Without it, failures are told of all the same. Last: no bio may come seen and go unseen.
  bios_sure_from_ = SystemClock().MonotonicNs();
  auto queue_link = AttachProgram(bio_->progs.block_bio_queue);
  if (queue_link) {
    bio_queue_link_ = std::move(*queue_link);
  } else {
    bio_reason_ = "stalls of device mapper may not be seen: " + queue_link.error().message;
  }
}

BioFlow KernelBlockProbe::BiosOf(uint32_t dev) {
  const uint32_t minor = FFDC_DEV_MINOR(dev);
  ffdc_bio_flow flow{};
  if (!bio_queue_link_ || FFDC_DEV_MAJOR(dev) != dm_major_ || minor >= FFDC_BIO_FLOWS) return {};
  const uint64_t now = SystemClock().MonotonicNs();
  const uint64_t misses = GetProgramStats(bio_->progs.block_bio_complete).misses;
  if (std::exchange(bio_misses_, misses) != misses) bios_sure_from_ = now;
  if (bpf_map_lookup_elem(bpf_map__fd(bio_->maps.bio_flows), &minor, &flow) != 0) return {};
  const bool waiting = flow.queued_ns > std::max<uint64_t>(flow.completed_ns, bios_sure_from_);
  return {waiting, flow.completed, flow.cgroup_id, flow.cgroup_hierarchy};
}

Result<std::string> KernelBlockProbe::BlockedTasksText() const {
  constexpr size_t kMaxBytes = 4u << 20;  // some 4,000 tasks
  if (!tasks_link_) return Fail(tasks_reason_);
  const Fd iterator(::bpf_iter_create(bpf_link__fd(tasks_link_.get())));
  if (!iterator.valid()) return FailErrno("cannot open the BPF task iterator");
  std::string text;
  std::vector<char> buffer(64u << 10);
  while (text.size() < kMaxBytes) {
    const ssize_t got = read(iterator.get(), buffer.data(), buffer.size());
    // EAGAIN: it looked at many tasks and found none to tell of yet.
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return FailErrno("cannot read the BPF task iterator");
    if (got == 0) break;
    text.append(buffer.data(), static_cast<size_t>(got));
  }
  return text;
}

std::vector<FailureCount> KernelBlockProbe::FailureCounts() const {
  std::vector<FailureCount> counts;
  if (!io_) return counts;
  const int fd = bpf_map__fd(io_->maps.storm);
  ffdc_storm_key key{};
  for (const ffdc_storm_key* previous = nullptr; bpf_map_get_next_key(fd, previous, &key) == 0;
       previous = &counts.back().first) {
    FailureCount& count = counts.emplace_back(key, ffdc_storm_entry{});
    bpf_map_lookup_elem(fd, &key, &count.second);
  }
  return counts;
}

uint64_t KernelBlockProbe::Untimed() const {
  uint64_t untimed = 0;
  for (uint32_t cpu = 0; cpu < cpus_; ++cpu) untimed += Load(io_->bss->state.cpus[cpu].untimed);
  return untimed;
}

void KernelBlockProbe::FillBlockStatus(v1::Probe& probe, ffdc_record_kind kind,
                                       const bpf_program* program) const {
  ffdc_block_counters& counters = io_->bss->state.counters;
  const auto index = static_cast<size_t>(kind) - 1;
  const ProgramStats stats = GetProgramStats(program);
  probe.set_runs(stats.runs);
  probe.set_run_time_ns(stats.run_time_ns);
  probe.set_records(Load(counters.sent[index]));
  probe.set_drops(Load(counters.dropped[index]) + stats.misses);
  AddCounter(probe, "dropped.ring_full", Load(counters.dropped[index]));
  AddCounter(probe, "dropped.program_busy", stats.misses, "completions while the program ran on that CPU");
  for (size_t reason = 0; reason < FFDC_FILTERED_COUNT; ++reason) {
    AddCounter(probe, kFilteredNames[reason], Load(counters.filtered[index][reason]));
  }
}

std::vector<v1::Probe> KernelBlockProbe::Status() const {
  std::vector<v1::Probe> probes;
  const auto add = [&](const char* name, const char* hook, const BpfLink& link, const std::string& reason) {
    v1::Probe& probe = probes.emplace_back();
    probe.set_name(name);
    probe.set_active(link != nullptr);
    probe.set_reason(reason);
    probe.set_idle(reason == kNoBioDevice);
    if (link) probe.set_attached_to(hook);
  };
  add("block_io", "tp_btf/block_rq_complete", io_link_, io_reason_);
  add("block_bio",
      bio_queue_link_ ? "tp_btf/block_bio_complete, tp_btf/block_bio_queue" : "tp_btf/block_bio_complete",
      bio_link_, bio_reason_);
  add("blocked_tasks", "iter/task", tasks_link_, tasks_reason_);
  v1::Probe& io = probes[0];
  v1::Probe& bio = probes[1];
  v1::Probe& tasks = probes[2];
  if (io_) {
    FillBlockStatus(io, FFDC_RECORD_BLOCK_ERROR, io_->progs.block_rq_complete);
    AddCounter(io, "storm_table_full", Load(io_->bss->state.counters.overflow),
               "failures not counted by device, op and status");
    AddCounter(io, "device_table_full", unclassifiable_, "devices the kernel was not told of");
    AddCounter(io, "io_history.lost", recorder_->lost_records(), "records frozen but not copied: no memory");
    if (const uint64_t untimed = Untimed(); untimed > 0) {
      io.set_reason("latency unknown for " + std::to_string(untimed) +
                    " requests: not timed by the kernel (queue/iostats is 0)");
    }
  }
  if (bio_) FillBlockStatus(bio, FFDC_RECORD_BIO_ERROR, bio_->progs.block_bio_complete);
  if (tasks_) {
    const ProgramStats stats = GetProgramStats(tasks_->progs.blocked_tasks);
    tasks.set_runs(stats.runs);
    tasks.set_run_time_ns(stats.run_time_ns);
  }
  return probes;
}

}  // namespace

std::unique_ptr<BlockProbe> BlockProbe::Start(const BlockProbeOptions& options, RecordSink sink) {
  return std::make_unique<KernelBlockProbe>(options, std::move(sink));
}

}  // namespace ffdc
