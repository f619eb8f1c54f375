// SPDX-License-Identifier: Apache-2.0
// The state of every path to storage: dm-multipath, NVMe, SCSI (iSCSI, FC), nbd, NFS,
// Ceph. Each change reaches the sink once.
#pragma once

#include <functional>
#include <memory>

#include "probe/path_transport.h"
#include "probe/source.h"

namespace ffdc {

class PathProbe : public ProbeSource {
 public:
  using Sink = std::function<void(const PathState&)>;

  // Asks nothing of the world before the first Poll().
  static std::unique_ptr<PathProbe> Start(PathWorld world, Sink sink);
  virtual void OnUevent(const Uevent& event) = 0;
  virtual void OnRecord(const ffdc_record_header& record) = 0;
  virtual void OnKernelMessage(const KernelMessage& message) = 0;
};

// The worker tasks of the transports: "ceph.state".
WorkerTasks PathTasks();

}  // namespace ffdc
