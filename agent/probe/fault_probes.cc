// SPDX-License-Identifier: Apache-2.0
#include "probe/fault_probes.h"

#include <bpf/btf.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <string_view>

#include "base/fd.h"
#include "probe/bpf_support.h"

namespace ffdc {
namespace {

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};
using BtfPtr = std::unique_ptr<btf, FreeBtf>;

struct CloseObject {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
using ObjectPtr = std::unique_ptr<bpf_object, CloseObject>;

constexpr std::string_view kTracepointSection = "tp_btf/";
constexpr const char* kNoBtf =
    "no BTF: /sys/kernel/btf/vmlinux is missing: kernel built without CONFIG_DEBUG_INFO_BTF";

std::string HookOf(const bpf_program* program) {
  std::string_view section = bpf_program__section_name(program);
  if (section.starts_with(kTracepointSection)) section.remove_prefix(kTracepointSection.size());
  return std::string(section);
}

std::vector<std::string> SplitList(std::string_view list) {
  std::vector<std::string> parts;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (comma > 0) parts.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return parts;
}

bool HasTypes(const std::string& module) { return access(("/sys/kernel/btf/" + module).c_str(), R_OK) == 0; }

std::vector<std::string> PresentModules(const std::string& list) {
  std::vector<std::string> present = SplitList(list);
  std::erase_if(present, [](const std::string& module) { return !HasTypes(module); });
  return present;
}

// Which tracepoints the running kernel has, by its types: tracefs need not be mounted.
class Hooks {
 public:
  Hooks() : kernel_(btf__load_vmlinux_btf()) {
    if (libbpf_get_error(kernel_.get()) != 0) (void)kernel_.release();
  }
  [[nodiscard]] bool readable() const { return kernel_ != nullptr; }

  [[nodiscard]] bool Has(const std::string& hook, const std::string& modules) {
    const std::string type = "btf_trace_" + hook;
    if (btf__find_by_name_kind(kernel_.get(), type.c_str(), BTF_KIND_TYPEDEF) > 0) return true;
    for (const std::string& name : SplitList(modules)) {
      const btf* module = Module(name);
      if (module != nullptr && btf__find_by_name_kind(module, type.c_str(), BTF_KIND_TYPEDEF) > 0)
        return true;
    }
    return false;
  }

 private:
  const btf* Module(const std::string& name) {
    const auto known = modules_.find(name);
    if (known != modules_.end()) return known->second.get();
    BtfPtr types;
    if (HasTypes(name)) {
      types.reset(btf__load_module_btf(name.c_str(), kernel_.get()));
      if (libbpf_get_error(types.get()) != 0) (void)types.release();
    }
    return modules_.emplace(name, std::move(types)).first->second.get();
  }

  BtfPtr kernel_;
  std::map<std::string, BtfPtr> modules_;
};

class KernelFaultProbes final : public FaultProbes {
 public:
  KernelFaultProbes(std::vector<FaultProgramSet> sets, RecordSink sink) : sink_(std::move(sink)) {
    for (FaultProgramSet& set : sets) loaded_.push_back({std::move(set), nullptr, {}, {}, {}, {}});
    if (const auto opened = OpenRing(); !opened) {
      for (Set& set : loaded_) set.missing = {opened.error().message};
      return;
    }
    AttachMissing(true);
  }
  ~KernelFaultProbes() override {
    ring_.reset();  // before the maps that it reads
  }
  KernelFaultProbes(const KernelFaultProbes&) = delete;
  KernelFaultProbes& operator=(const KernelFaultProbes&) = delete;

  // There from the start, so that the loop can wait for sets that come later.
  [[nodiscard]] int poll_fd() const override { return ring_ ? ring_buffer__epoll_fd(ring_.get()) : -1; }
  void Consume() override {
    if (ring_) ring_buffer__consume(ring_.get());
  }
  void Poll() override {
    if (std::exchange(modules_changed_, false) && ring_) AttachMissing(false);
  }
  void ModulesChanged() override { modules_changed_ = true; }
  [[nodiscard]] std::vector<FaultCount> Counts() const override;
  [[nodiscard]] int MapFd(const std::string& set, const std::string& map) const override;
  [[nodiscard]] std::vector<v1::Probe> Status() const override;

 private:
  struct Set {
    FaultProgramSet what;
    ObjectPtr object;
    std::vector<BpfLink> links;
    std::vector<std::string> attached;  // sections
    std::vector<std::string> missing;   // "hook: reason"
    std::vector<std::string> modules;   // those of its modules that were there when it was loaded
    bool idle = false;                  // none of its hooks is there: its modules are not loaded
  };

  void AttachMissing(bool all);
  Result<> Load(Set& set, Hooks& hooks);
  Result<> ShareMaps(bpf_object* object) const;
  Result<> OpenRing();
  static uint64_t Counter(const Set& set, uint32_t index);

  const RecordSink sink_;
  std::vector<Set> loaded_;
  Fd records_fd_;  // the maps that all sets share
  Fd storm_fd_;
  BpfRingBuffer ring_;
  bool modules_changed_ = false;
};

void KernelFaultProbes::AttachMissing(bool all) {
  std::optional<Hooks> hooks;  // some 5 MB and 20 ms: only if there is something to look up
  for (Set& set : loaded_) {
    Set fresh{set.what, nullptr, {}, {}, {}, PresentModules(set.what.modules)};
    if (!all && fresh.modules == set.modules) continue;
    if (!hooks) hooks.emplace();
    if (!hooks->readable()) {
      fresh.missing = {kNoBtf};
    } else if (const auto result = Load(fresh, *hooks); !result) {
      fresh.links.clear();
      fresh.object.reset();
      fresh.attached.clear();
      fresh.missing = {result.error().message};
    }
    set = std::move(fresh);
  }
  if (hooks) malloc_trim(0);  // the kernel's types were large, and are not needed any more
}

Result<> KernelFaultProbes::Load(Set& set, Hooks& hooks) {
  const LibbpfWarnings warnings;
  size_t size = 0;
  const void* elf = set.what.object(&size);
  bpf_object_open_opts options{};
  options.sz = sizeof(options);
  options.object_name = set.what.name.c_str();
  errno = 0;
  set.object.reset(bpf_object__open_mem(elf, size, &options));
  if (libbpf_get_error(set.object.get()) != 0 || !set.object) {
    const int error = errno;
    (void)set.object.release();
    return Fail(warnings.Explain(error), error);
  }
  bpf_program* program = nullptr;
  size_t wanted = 0;
  bpf_object__for_each_program(program, set.object.get()) {
    const std::string hook = HookOf(program);
    const bool has = hooks.Has(hook, set.what.modules);
    bpf_program__set_autoload(program, has);
    if (has) {
      ++wanted;
    } else {
      set.missing.push_back(
          hook + ": not in this kernel" +
          (set.what.modules.empty() ? "" : ", or its module (" + set.what.modules + ") is not loaded"));
    }
  }
  if (wanted == 0) {
    set.idle = !set.what.modules.empty();
    set.object.reset();
    return {};
  }
  FFDC_TRY(ShareMaps(set.object.get()));
  if (const int error = bpf_object__load(set.object.get()); error != 0)
    return Fail(warnings.Explain(-error), -error);
  bpf_object__for_each_program(program, set.object.get()) {
    if (!bpf_program__autoload(program)) continue;
    auto link = AttachProgram(program);
    if (link) {
      set.links.push_back(std::move(*link));
      set.attached.emplace_back(bpf_program__section_name(program));
    } else {
      set.missing.push_back(HookOf(program) + ": " + link.error().message);
    }
  }
  return {};
}

Result<> KernelFaultProbes::ShareMaps(bpf_object* object) const {
  const std::pair<const char*, int> shared[] = {{"fault_records", records_fd_.get()},
                                                {"fault_storm", storm_fd_.get()}};
  for (const auto& [name, fd] : shared) {
    bpf_map* map = bpf_object__find_map_by_name(object, name);
    if (map == nullptr) return Fail(std::string("its object has no map ") + name);
    if (const int error = bpf_map__reuse_fd(map, fd); error != 0)
      return FailErrno(std::string("cannot share the BPF map ") + name, -error);
  }
  return {};
}

// Sizes: as in bpf/include/fault.bpf.h, or reusing these maps fails.
Result<> KernelFaultProbes::OpenRing() {
  constexpr uint32_t kRingBytes = 256u << 10;
  constexpr uint32_t kStormEntries = 4096;
  const LibbpfWarnings warnings;
  records_fd_ = Fd(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "fault_records", 0, 0, kRingBytes, nullptr));
  storm_fd_ = Fd(bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "fault_storm", sizeof(ffdc_fault_key),
                                sizeof(ffdc_fault_entry), kStormEntries, nullptr));
  if (!records_fd_.valid() || !storm_fd_.valid()) return Fail(warnings.Explain(errno), errno);
  const auto on_record = [](void* self, void* data, size_t size) {
    ffdc_record_header header;
    if (size < sizeof(header)) return 0;
    std::memcpy(&header, data, sizeof(header));
    if (header.size_bytes <= size)
      static_cast<KernelFaultProbes*>(self)->sink_(*static_cast<const ffdc_record_header*>(data));
    return 0;
  };
  ring_.reset(ring_buffer__new(records_fd_.get(), on_record, this, nullptr));
  if (!ring_) return FailErrno("cannot map the ring buffer of the fault probes");
  return {};
}

std::vector<FaultCount> KernelFaultProbes::Counts() const {
  std::vector<FaultCount> counts;
  if (!storm_fd_.valid()) return counts;
  ffdc_fault_key key{};
  for (const ffdc_fault_key* previous = nullptr; bpf_map_get_next_key(storm_fd_.get(), previous, &key) == 0;
       previous = &counts.back().first) {
    FaultCount& count = counts.emplace_back(key, ffdc_fault_entry{});
    bpf_map_lookup_elem(storm_fd_.get(), &key, &count.second);
  }
  return counts;
}

int KernelFaultProbes::MapFd(const std::string& set, const std::string& map) const {
  for (const Set& loaded : loaded_) {
    if (loaded.what.name == set && loaded.object)
      return bpf_object__find_map_fd_by_name(loaded.object.get(), map.c_str());
  }
  return -1;
}

uint64_t KernelFaultProbes::Counter(const Set& set, uint32_t index) {
  const int fd = set.object ? bpf_object__find_map_fd_by_name(set.object.get(), "fault_counters") : -1;
  uint64_t value = 0;
  if (fd < 0 || bpf_map_lookup_elem(fd, &index, &value) != 0) return 0;
  return value;
}

std::string Join(const std::vector<std::string>& parts, const char* between) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : between) + part;
  return text;
}

std::vector<v1::Probe> KernelFaultProbes::Status() const {
  std::vector<v1::Probe> probes;
  for (const Set& set : loaded_) {
    v1::Probe& probe = probes.emplace_back();
    probe.set_name(set.what.name);
    probe.set_active(!set.attached.empty());
    probe.set_attached_to(Join(set.attached, ", "));
    probe.set_reason(Join(set.missing, "; "));
    probe.set_idle(set.idle);
    if (!set.object) continue;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, set.object.get()) {
      if (!bpf_program__autoload(program)) continue;
      const ProgramStats stats = GetProgramStats(program);
      probe.set_runs(probe.runs() + stats.runs);
      probe.set_run_time_ns(probe.run_time_ns() + stats.run_time_ns);
      probe.set_drops(probe.drops() + stats.misses);
    }
    probe.set_records(Counter(set, FFDC_FAULT_SENT));
    probe.set_drops(probe.drops() + Counter(set, FFDC_FAULT_DROPPED));
    if (const uint64_t suppressed = Counter(set, FFDC_FAULT_SUPPRESSED); suppressed != 0) {
      v1::Loss& loss = *probe.add_counters();
      loss.set_what("suppressed");
      loss.set_count(suppressed);
      loss.set_detail("counted in the kernel, not sent one by one");
    }
  }
  return probes;
}

}  // namespace

std::unique_ptr<FaultProbes> FaultProbes::Start(std::vector<FaultProgramSet> sets, RecordSink sink) {
  return std::make_unique<KernelFaultProbes>(std::move(sets), std::move(sink));
}

}  // namespace ffdc
