// SPDX-License-Identifier: Apache-2.0
// One way to reach storage: a file agent/probe/paths_<name>.cc that knows every path
// of its kind. All calls from the loop's thread; none may block.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/launcher.h"
#include "base/observations.h"
#include "ffdc/abi/fault.h"
#include "probe/device_identity.h"
#include "probe/devices.h"

namespace ffdc {

// What a transport may ask.
struct PathWorld {
  DeviceRoots roots{"/sys"};
  const Clock* clock = nullptr;
  std::function<DeviceInventory*()> devices;
  std::function<void(const WorkerRequest&, std::function<void(WorkerReport)> done)> submit;
};

struct PathView {
  std::string path;
  PathState::State state = PathState::State::kLive;  // kTroubled: not usable now, and not failed
  std::string detail;
  uint64_t since_ns = 0;  // 0: now
};

// All paths of one subject that one transport knows.
struct SubjectPaths {
  std::string type, id, name;  // as in PathState
  std::string transport;
  std::vector<PathView> paths;  // empty: the subject is gone
  std::vector<uint32_t> mount_devs;
  std::function<std::vector<std::string>()> related;  // asked only if there is something to tell
};

// Tells the detectors what is new in it; live paths of which nothing else was told are no news.
class PathReports {
 public:
  virtual ~PathReports() = default;
  virtual void Report(const SubjectPaths& subject) = 0;
  // A path of the subject is not live, as far as was reported.
  [[nodiscard]] virtual bool Failing(const std::string& transport, const std::string& id) const = 0;
};

class PathTransport {
 public:
  PathTransport(const PathWorld& world, PathReports& reports) : world_(world), reports_(reports) {}
  virtual ~PathTransport() = default;
  PathTransport(const PathTransport&) = delete;
  PathTransport& operator=(const PathTransport&) = delete;

  virtual void OnUevent(const Uevent& /*event*/) {}
  virtual void OnRecord(const ffdc_record_header& /*record*/) {}
  virtual void OnKernelMessage(const KernelMessage& /*message*/) {}
  virtual void Poll() {}  // twice a second

 protected:
  [[nodiscard]] DeviceInventory& devices() const { return *world_.devices(); }

  const PathWorld& world_;
  PathReports& reports_;
};
using PathTransportPtr = std::unique_ptr<PathTransport>;

PathTransportPtr MakeMultipathPaths(const PathWorld& world, PathReports& reports);
PathTransportPtr MakeNvmePaths(const PathWorld& world, PathReports& reports);
PathTransportPtr MakeScsiPaths(const PathWorld& world, PathReports& reports);
PathTransportPtr MakeNbdPaths(const PathWorld& world, PathReports& reports);
PathTransportPtr MakeNfsPaths(const PathWorld& world, PathReports& reports);
PathTransportPtr MakeCephPaths(const PathWorld& world, PathReports& reports);

}  // namespace ffdc
