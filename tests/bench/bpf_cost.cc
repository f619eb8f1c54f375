// SPDX-License-Identifier: Apache-2.0
// What the probes add to each successful I/O, by the kernel's own account of their
// programs' run time, net of an empty program that runs beside them: block_io
// alone, every program of the agent at once, and biolatency (Debian's
// libbpf-tools): fio 4 KiB random reads, queue depth 32, on a loop device over
// tmpfs. Measures once and prints JSON; bench.py repeats it. Needs root, fio,
// biolatency.
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "empty.skel.h"
#include "fakes/loop_device.h"
#include "probe/block_probe.h"
#include "probe/bpf_support.h"
#include "probe/fault_probes.h"

namespace ffdc {
namespace {

constexpr const char* kBiolatency = "/usr/sbin/biolatency";
constexpr uint64_t kDeviceBytes = 256u << 20;
constexpr int kRunSeconds = 3;

struct Cost {
  uint64_t ios = 0;
  uint64_t runs = 0;  // of programs; more than one a request for biolatency
  uint64_t run_time_ns = 0;
  double empty_ns = 0;  // a run of the empty program, meanwhile

  // Each run of a program costs at least what an empty one does: the statistics.
  [[nodiscard]] double NetNs() const {
    return (static_cast<double>(run_time_ns) - empty_ns * static_cast<double>(runs)) /
           static_cast<double>(ios);
  }
};

class Child {
 public:
  static Result<Child> Spawn(std::vector<std::string> args) {
    std::vector<char*> argv;
    argv.reserve(args.size() + 1);
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    Child child;
    const int error = posix_spawnp(&child.pid_, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) return FailErrno("cannot run " + args[0], error);
    return child;
  }
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Child& operator=(Child&&) = delete;
  ~Child() {
    if (pid_ < 0) return;
    kill(pid_, SIGINT);
    waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] bool Wait() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  Child() = default;
  pid_t pid_ = -1;
};

class Bench {
 public:
  explicit Bench(fakes::LoopDevice loop) : loop_(std::move(loop)) {}

  Result<Cost> Ours() {
    uint64_t records = 0;
    const auto probe = BlockProbe::Start(
        {}, [&](const ffdc_block_error& record) { records += record.dev == loop_.dev() ? 1 : 0; });
    probe->SetDevice(loop_.dev(), true);
    FFDC_ASSIGN(const double empty_ns, RunFio());
    probe->Consume();
    const v1::Probe status = probe->Status().front();
    if (!status.active()) return Fail("block_io is not active: " + status.reason());
    const uint64_t completions = probe->Latencies(loop_.dev()).completions;
    if (completions * 10 < status.runs() * 9) return Fail("most I/O was not fio's: the machine is not quiet");
    records_ = records;
    return Cost{status.runs(), status.runs(), status.run_time_ns(), empty_ns};
  }

  // All that the agent attaches, bio-based devices included: the sum, and each program's share.
  Result<Cost> Everything() {
    const auto block = BlockProbe::Start({}, [](const ffdc_block_error&) {});
    block->SetDevice(loop_.dev(), true);
    block->SetBioDevices(true);
    const auto faults = FaultProbes::Start(AllFaultSets(), [](const ffdc_record_header&) {});
    Cost sum;
    FFDC_ASSIGN(sum.empty_ns, RunFio());
    std::vector<v1::Probe> probes = block->Status();
    for (v1::Probe& probe : faults->Status()) probes.push_back(std::move(probe));
    sum.ios = probes.front().runs();
    if (sum.ios == 0) return Fail("block_io did not run: " + probes.front().reason());
    for (const v1::Probe& probe : probes) {
      if (!probe.active()) continue;
      sum.runs += probe.runs();
      sum.run_time_ns += probe.run_time_ns();
      const Cost one{sum.ios, probe.runs(), probe.run_time_ns(), sum.empty_ns};
      shares_ += std::string(shares_.empty() ? "" : ", ") + "\"" + probe.name() +
                 "\": " + std::to_string(one.NetNs());
    }
    return sum;
  }

  Result<Cost> Biolatency() {
    const std::set<uint32_t> before = ProgramIds();
    FFDC_ASSIGN(const Child biolatency, Child::Spawn({kBiolatency, "3600"}));
    std::set<uint32_t> theirs;
    for (int attempt = 0; attempt < 100 && theirs.size() < 2; ++attempt) {
      usleep(50'000);
      theirs = ProgramIds();
      for (const uint32_t id : before) theirs.erase(id);
    }
    usleep(200'000);  // from loaded to attached
    Cost cost;
    FFDC_ASSIGN(cost.empty_ns, RunFio());
    for (const uint32_t id : theirs) {
      const Fd program(bpf_prog_get_fd_by_id(id));
      bpf_prog_info info{};
      uint32_t size = sizeof(info);
      if (bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0) continue;
      if (std::string_view(info.name).starts_with("block_rq_comple")) cost.ios += info.run_cnt;
      cost.runs += info.run_cnt;
      cost.run_time_ns += info.run_time_ns;
    }
    if (cost.ios == 0) return Fail(std::string(kBiolatency) + " counted no I/O: is libbpf-tools installed?");
    return cost;
  }

  [[nodiscard]] uint64_t records() const { return records_; }
  [[nodiscard]] const std::string& shares() const { return shares_; }

 private:
  static std::set<uint32_t> ProgramIds() {
    std::set<uint32_t> ids;
    for (uint32_t id = 0; bpf_prog_get_next_id(id, &id) == 0;) ids.insert(id);
    return ids;
  }

  // What a run of an empty program cost while fio ran.
  Result<double> RunFio() const {
    FFDC_ASSIGN(const auto skeleton, LoadSkeleton<empty_bpf>([](empty_bpf&) { return 0; }));
    FFDC_ASSIGN(const BpfLink link, AttachProgram(skeleton->progs.empty));
    FFDC_ASSIGN(Child fio,
                Child::Spawn({"fio", "--name=cost", "--filename=" + loop_.path().string(), "--rw=randread",
                              "--bs=4k", "--iodepth=32", "--ioengine=libaio", "--direct=1", "--time_based",
                              "--runtime=" + std::to_string(kRunSeconds)}));
    if (!fio.Wait()) return Fail("fio failed on " + loop_.path().string());
    const ProgramStats stats = GetProgramStats(skeleton->progs.empty);
    return static_cast<double>(stats.run_time_ns) / static_cast<double>(stats.runs);
  }

  fakes::LoopDevice loop_;
  uint64_t records_ = 0;
  std::string shares_;
};

Result<> Measure(Bench& bench) {
  FFDC_ASSIGN(const Cost ours, bench.Ours());
  FFDC_ASSIGN(const Cost everything, bench.Everything());
  FFDC_ASSIGN(const Cost biolatency, bench.Biolatency());
  std::fprintf(
      stderr,
      "block_io %.1f ns, all programs %.1f ns, biolatency %.1f ns, net of an empty program's %.1f ns\n",
      ours.NetNs(), everything.NetNs(), biolatency.NetNs(), ours.empty_ns);
  std::printf(
      "{\"ios\": %llu, \"empty_ns\": %.1f, \"block_io_net_ns\": %.1f, \"biolatency_net_ns\": %.1f, "
      "\"share_of_biolatency\": %.3f, \"records_sent\": %llu, \"all_net_ns\": %.1f, \"each_net_ns\": {%s}}\n",
      static_cast<unsigned long long>(ours.ios), ours.empty_ns, ours.NetNs(), biolatency.NetNs(),
      ours.NetNs() / biolatency.NetNs(), static_cast<unsigned long long>(bench.records()), everything.NetNs(),
      bench.shares().c_str());
  return {};
}

Result<> Run() {
  const Fd statistics(bpf_enable_stats(BPF_STATS_RUN_TIME));
  if (!statistics.valid()) return FailErrno("cannot count the run time of BPF programs: this needs root");
  const std::filesystem::path backing = "/dev/shm/ffdc-bpf-cost-" + std::to_string(getpid()) + ".img";
  FFDC_ASSIGN(auto loop, fakes::LoopDevice::Create(backing, kDeviceBytes, fakes::LoopDevice::Io::kBuffered));
  std::filesystem::resize_file(backing, 0);
  // The loop device keeps it alive; pages that exist make reads cost what they should.
  std::ofstream(backing, std::ios::binary) << std::string(kDeviceBytes, 'x');
  std::filesystem::remove(backing);
  Bench bench(std::move(loop));
  return Measure(bench);
}

}  // namespace
}  // namespace ffdc

int main() {
  const ffdc::Result<> done = ffdc::Run();
  if (!done) std::fprintf(stderr, "bpf_cost: %s\n", done.error().message.c_str());
  return done ? 0 : 1;
}
