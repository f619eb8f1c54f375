// SPDX-License-Identifier: Apache-2.0
// mounts: what is mounted where. Only the kernel's list is read: a statfs of the
// mount that failed would hang.
#include <chrono>

#include "base/mountinfo.h"
#include "base/utf8.h"
#include "capture/collect_util.h"
#include "capture/collector.h"
#include "capture/node_state.h"
#include "capture/text.h"

namespace ffdc {
namespace {

Result<> CollectorMounts(CollectContext& context) { return CollectMounts(context, {}); }
FFDC_REGISTER_COLLECTOR("mounts", std::chrono::seconds(3), CollectorMounts);

}  // namespace

Result<> CollectMounts(CollectContext& context, const KernelRoots& roots) {
  FFDC_ASSIGN(const MountList list, ReadMounts(roots.proc));
  FFDC_ASSIGN(CaptureFile * file, context.Create("mounts.txt"));
  file->Write(
      "# In the kernel's order. DEVICE 0:N: the filesystem has no device of its own.\n"
      "# OPTIONS: of the mount; of its filesystem after the bar (what went read-only by itself says so "
      "there).\n" +
      Column("MOUNT POINT", 32) + Column("TYPE", 10) + Column("SOURCE", 28) + Column("DEVICE", 8) +
      "OPTIONS\n");
  for (const Mount& mount : list.mounts) {
    std::string line = Column(PlainText(mount.point), 32) + Column(PlainText(mount.type), 10) +
                       Column(mount.source.empty() ? "-" : PlainText(mount.source), 28) +
                       Column(mount.dev, 8) + PlainText(mount.options) + " | " +
                       PlainText(mount.super_options);
    if (mount.root != "/") line += " (root of the mount: " + PlainText(mount.root) + ")";
    if (!mount.propagation.empty()) line += " [" + PlainText(mount.propagation) + "]";
    if (!file->Write(line + "\n")) return {};
  }
  if (list.malformed > 0) {
    context.AddLoss("mounts.malformed", list.malformed, "lines of mountinfo that could not be read as such");
  }
  return {};
}

}  // namespace ffdc
