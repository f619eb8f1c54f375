// SPDX-License-Identifier: Apache-2.0
#include "base/layers.h"

#include <utility>

namespace ffdc {
namespace {

constexpr std::pair<std::string_view, Layer> kKinds[] = {
    {"hardware.error", Layer::kHardware},
    {"link.down", Layer::kNetwork},
    {"link.up", Layer::kNetwork},
    {"path.lost", Layer::kPath},
    {"path.degraded", Layer::kPath},
    {"path.restored", Layer::kPath},
    {"io.timeout", Layer::kCommand},
    {"io.error", Layer::kDevice},
    {"io.stall", Layer::kDevice},
    {"io.slow", Layer::kDevice},
    {"io.retry", Layer::kDevice},
    {"fs.error", Layer::kFilesystem},
    {"resource.threshold", Layer::kResource},
    {"task.hung", Layer::kTask},
    {"service.failed", Layer::kService},
    {"peer.unreachable", Layer::kCluster},
    {"db.lost", Layer::kCluster},
    {"db.restored", Layer::kCluster},
    {"store.lost", Layer::kCluster},
    {"store.restored", Layer::kCluster},
    {"kernel.error", Layer::kKernel},
};

}  // namespace

Layer LayerOf(std::string_view kind) {
  for (const auto& [known, layer] : kKinds) {
    if (known == kind) return layer;
  }
  return Layer::kOther;
}

std::string_view Word(Layer layer) {
  switch (layer) {
    case Layer::kHardware:
      return "hardware";
    case Layer::kNetwork:
      return "network";
    case Layer::kPath:
      return "path";
    case Layer::kCommand:
      return "command";
    case Layer::kDevice:
      return "device";
    case Layer::kFilesystem:
      return "filesystem";
    case Layer::kResource:
      return "resource";
    case Layer::kTask:
      return "task";
    case Layer::kService:
      return "service";
    case Layer::kCluster:
      return "cluster";
    case Layer::kKernel:
      return "kernel";
    case Layer::kOther:
      return "other";
  }
  return "other";
}

}  // namespace ffdc
