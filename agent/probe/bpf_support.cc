// SPDX-License-Identifier: Apache-2.0
#include "probe/bpf_support.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <string>
#include <system_error>

#include "probe/source.h"

namespace ffdc {
namespace {

std::string& FirstWarning() {
  static std::string text;
  return text;
}

__attribute__((format(printf, 2, 0))) int KeepFirstWarning(libbpf_print_level level, const char* format,
                                                           va_list args) {
  if (level != LIBBPF_WARN || !FirstWarning().empty()) return 0;
  char line[512];
  vsnprintf(line, sizeof(line), format, args);
  std::string& text = FirstWarning();
  text = line;
  if (text.starts_with("libbpf: ")) text.erase(0, 8);
  text.erase(text.find_last_not_of("\n ") + 1);
  return 0;
}

}  // namespace

LibbpfWarnings::LibbpfWarnings() : previous_(libbpf_set_print(KeepFirstWarning)) { FirstWarning().clear(); }
LibbpfWarnings::~LibbpfWarnings() { libbpf_set_print(previous_); }

std::string LibbpfWarnings::Explain(int code) const {
  if (access("/sys/kernel/btf/vmlinux", R_OK) != 0 && errno == ENOENT) {
    return "no BTF: /sys/kernel/btf/vmlinux is missing: kernel built without CONFIG_DEBUG_INFO_BTF";
  }
  if (code == EPERM) return "not permitted: needs root, or CAP_BPF and CAP_PERFMON";
  std::string reason = code == ESRCH || code == ENOENT ? "this kernel has no such hook"
                       : code == EACCES                ? "the kernel's verifier rejected it"
                                                       : std::generic_category().message(code);
  if (!FirstWarning().empty()) reason += ": " + FirstWarning();
  return reason;
}

Result<BpfLink> AttachProgram(const bpf_program* program) {
  const LibbpfWarnings warnings;
  BpfLink link(bpf_program__attach(program));
  if (!link) return Fail(warnings.Explain(errno), errno);
  return link;
}

ProgramStats GetProgramStats(const bpf_program* program) {
  bpf_prog_info info{};
  uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) != 0) return {};
  return {info.run_cnt, info.run_time_ns, info.recursion_misses};
}

Result<Fd> EnableProgramStats() {
  Fd fd(bpf_enable_stats(BPF_STATS_RUN_TIME));
  if (!fd.valid())
    return FailErrno("cannot count the runs of BPF programs (needs Linux 5.8 and CAP_SYS_ADMIN)");
  return fd;
}

Result<MapView> MapView::Open(int map_fd, uint64_t offset, size_t size) {
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const size_t skip = offset % page;
  const size_t mapped = skip + size;
  void* base = mmap(nullptr, mapped, PROT_READ, MAP_SHARED, map_fd, static_cast<off_t>(offset - skip));
  if (base == MAP_FAILED) return FailErrno("cannot map a BPF map");
  return MapView(static_cast<std::byte*>(base), mapped, skip);
}

MapView::~MapView() {
  if (base_ != nullptr) munmap(base_, mapped_);
}

}  // namespace ffdc
