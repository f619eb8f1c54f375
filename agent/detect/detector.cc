// SPDX-License-Identifier: Apache-2.0
#include "detect/detector.h"

#include <map>

namespace ffdc {
namespace {

std::map<std::string, DetectorFactory>& Registry() {
  static std::map<std::string, DetectorFactory> registry;
  return registry;
}

}  // namespace

bool RegisterDetector(std::string name, DetectorFactory factory) {
  return Registry().emplace(std::move(name), factory).second;
}

std::vector<std::unique_ptr<Detector>> MakeDetectors(const DetectorWorld& world, const EventSink& sink) {
  std::vector<std::unique_ptr<Detector>> detectors;
  for (const auto& [name, factory] : Registry()) detectors.push_back(factory(world, sink));
  return detectors;
}

}  // namespace ffdc
