// SPDX-License-Identifier: Apache-2.0
// system: the node as a whole, one file with a heading for each source.
#include <array>
#include <chrono>

#include "base/fs.h"
#include "base/utf8.h"
#include "capture/collector.h"
#include "capture/node_state.h"

namespace ffdc {
namespace {

struct Section {
  const char* path;     // below /proc
  const char* missing;  // why it may not be there
};
constexpr std::array kSections{
    Section{"loadavg", ""},
    Section{"uptime", ""},
    Section{"cmdline", ""},
    Section{"pressure/io", "the kernel has no PSI (CONFIG_PSI, boot with psi=1)"},
    Section{"pressure/memory", "the kernel has no PSI (CONFIG_PSI, boot with psi=1)"},
    Section{"pressure/cpu", "the kernel has no PSI (CONFIG_PSI, boot with psi=1)"},
    Section{"meminfo", ""},
    Section{"vmstat", ""},
    Section{"softirqs", ""},
    Section{"interrupts", ""},
    Section{"modules", "the kernel has no loadable modules"},
};

// Of the 200 lines of vmstat, those that tell of I/O, writeback and reclaim.
constexpr std::array kVmstatPrefixes{
    "nr_dirty",   "nr_writeback", "nr_free_pages",      "nr_vmscan", "nr_throttled",
    "pgpg",       "pswp",         "pgmajfault",         "pgscan",    "pgsteal",
    "allocstall", "oom_kill",     "workingset_refault", "drop_",     "balance_dirty"};

bool IsHighlight(std::string_view line) {
  for (const std::string_view prefix : kVmstatPrefixes) {
    if (line.substr(0, prefix.size()) == prefix) return true;
  }
  return false;
}

Result<> CopySection(const std::filesystem::path& path, bool highlights_only, CaptureFile& file) {
  return ForEachLine(path, [&](std::string_view line) {
    if (highlights_only && !IsHighlight(line)) return true;
    return file.Write(PlainText(line) + "\n");
  });
}

Result<> CollectorSystem(CollectContext& context) { return CollectSystem(context, {}); }
FFDC_REGISTER_COLLECTOR("system", std::chrono::seconds(3), CollectorSystem);

}  // namespace

Result<> CollectSystem(CollectContext& context, const KernelRoots& roots) {
  FFDC_ASSIGN(CaptureFile * file, context.Create("system.txt"));
  size_t read = 0;
  for (const Section& section : kSections) {
    const bool vmstat = std::string_view(section.path) == "vmstat";
    file->Write(std::string("== /proc/") + section.path + (vmstat ? " (I/O, writeback, reclaim)" : "") +
                " ==\n");
    auto copied = CopySection(roots.proc / section.path, vmstat, *file);
    if (copied) {
      ++read;
    } else {
      const std::string reason = *section.missing != '\0' ? section.missing : copied.error().message;
      file->Write("(not available: " + reason + ")\n");
      AddNote(context, std::string("system.") + section.path, reason);
    }
    if (!file->Write("\n")) break;
  }
  if (read == 0) return Fail("nothing can be read in " + roots.proc.string());
  return {};
}

}  // namespace ffdc
