// SPDX-License-Identifier: Apache-2.0
// Keeps the disks' baselines over restarts, in a file that workers read and write:
// the disk it lies on may hang.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/launcher.h"
#include "detect/detector.h"
#include "ffdc/v1/baseline.pb.h"

namespace ffdc {

// Tasks "baselines.load" and "baselines.save".
WorkerTasks BaselineTasks();

// The file's bytes; an error where they are damaged.
Result<v1::Baselines> ParseBaselineFile(std::string_view bytes);
std::string FormatBaselineFile(const v1::Baselines& baselines);

class BaselineFile {
 public:
  // Starts to load; `loaded` gets what there is, perhaps nothing, and is called before anything
  // is saved. Without a state_dir or workers nothing is kept, and it is never called.
  BaselineFile(const DetectorWorld& world, std::function<void(const v1::Baselines&)> loaded);

  // Every five minutes, and not while a worker is at work.
  [[nodiscard]] bool due() const;
  void Save(const v1::Baselines& baselines);
  [[nodiscard]] bool enabled() const { return !path_.empty(); }
  [[nodiscard]] bool loaded() const { return loaded_; }
  [[nodiscard]] bool saving() const { return saving_; }

 private:
  void Load(std::function<void(const v1::Baselines&)> loaded);

  DetectorWorld world_;
  std::string path_;
  bool loaded_ = false;
  bool saving_ = false;
  uint64_t next_ns_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace ffdc
