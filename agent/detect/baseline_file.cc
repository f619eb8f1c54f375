// SPDX-License-Identifier: Apache-2.0
#include "detect/baseline_file.h"

#include <cerrno>
#include <filesystem>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem_file.h"

namespace ffdc {
namespace {

constexpr const char* kName = "baselines.pb";
constexpr size_t kMaxFileBytes = 16u << 20;
constexpr std::chrono::milliseconds kFileDeadline{10000};
constexpr uint64_t kSaveEveryNs = 300ull * kNsPerSecond;
// Each try on a disk that hangs may leave a worker behind.
constexpr uint64_t kFileAfterHangNs = 3600ull * kNsPerSecond;

// argument: the path. fds[0]: the reply, Baselines. Replies with what was damaged and set aside,
// or nothing.
Result<std::string> LoadTask(std::string_view argument, std::span<const int> fds) {
  const std::string path(argument);
  auto bytes = ReadFile(path, kMaxFileBytes);
  if (!bytes) {
    if (bytes.error().code == ENOENT) return std::string();
    return Unexpected(std::move(bytes).error());
  }
  const auto baselines = ParseBaselineFile(*bytes);
  if (baselines) {
    FFDC_TRY(WriteMessage(fds[0], *baselines));
    return std::string();
  }
  const std::string aside = path + ".damaged";
  FFDC_TRY(RenameDurable(path, aside));
  return path + " is damaged (" + baselines.error().message + "): set aside as " + aside +
         "; what is usual for the disks is learned anew";
}

// argument: the path. fds[0]: Baselines.
Result<std::string> SaveTask(std::string_view argument, std::span<const int> fds) {
  const std::string path(argument);
  v1::Baselines baselines;
  FFDC_TRY(ReadMessage(fds[0], &baselines));
  FFDC_TRY(MakeDirs(std::filesystem::path(path).parent_path()));
  const std::string fresh = path + ".new";
  FFDC_TRY(WriteFileSynced(fresh, FormatBaselineFile(baselines)));
  FFDC_TRY(RenameDurable(fresh, path));
  return std::string();
}

}  // namespace

WorkerTasks BaselineTasks() { return {{"baselines.load", LoadTask}, {"baselines.save", SaveTask}}; }

Result<v1::Baselines> ParseBaselineFile(std::string_view bytes) {
  v1::BaselineFile file;
  if (!file.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return Fail("not readable");
  Sha256 sum;
  sum.Update(file.baselines().data(), file.baselines().size());
  if (sum.HexDigest() != file.sha256()) return Fail("its checksum is wrong");
  v1::Baselines baselines;
  if (!baselines.ParseFromString(file.baselines())) return Fail("its content is not readable");
  return baselines;
}

std::string FormatBaselineFile(const v1::Baselines& baselines) {
  v1::BaselineFile file;
  file.set_baselines(baselines.SerializeAsString());
  Sha256 sum;
  sum.Update(file.baselines().data(), file.baselines().size());
  file.set_sha256(sum.HexDigest());
  return file.SerializeAsString();
}

BaselineFile::BaselineFile(const DetectorWorld& world, std::function<void(const v1::Baselines&)> loaded)
    : world_(world) {
  if (world_.options.state_dir.empty() || !world_.submit) return;
  path_ = world_.options.state_dir + "/" + kName;
  Load(std::move(loaded));
}

void BaselineFile::Load(std::function<void(const v1::Baselines&)> loaded) {
  auto made = MemFile();
  if (!made) {
    spdlog::error("cannot load {}: {}", path_, made.error().message);
    path_.clear();
    return;
  }
  const auto content = std::make_shared<const Fd>(std::move(*made));
  world_.submit({"baselines.load", path_, {content->get()}, kFileDeadline},
                [this, content, loaded = std::move(loaded),
                 alive = std::weak_ptr<bool>(alive_)](const WorkerReport& report) {
                  if (alive.expired()) return;
                  v1::Baselines baselines;
                  if (report.outcome != WorkerOutcome::kOk) {
                    spdlog::error("cannot load {}: {}; what is usual for the disks is learned anew", path_,
                                  report.error);
                  } else if (!report.reply.empty()) {
                    spdlog::error("{}", report.reply);
                  } else if (const auto read = ReadMessage(content->get(), &baselines); !read) {
                    spdlog::error("cannot load {}: {}", path_, read.error().message);
                    baselines.Clear();
                  }
                  loaded_ = true;
                  next_ns_ = world_.clock->MonotonicNs() + kSaveEveryNs;
                  loaded(baselines);
                });
}

bool BaselineFile::due() const { return loaded_ && !saving_ && world_.clock->MonotonicNs() >= next_ns_; }

void BaselineFile::Save(const v1::Baselines& baselines) {
  next_ns_ = world_.clock->MonotonicNs() + kSaveEveryNs;
  const auto content = MemFile(baselines);
  if (!content) return spdlog::error("cannot save {}: {}", path_, content.error().message);
  saving_ = true;
  world_.submit({"baselines.save", path_, {content->get()}, kFileDeadline},
                [this, alive = std::weak_ptr<bool>(alive_)](const WorkerReport& report) {
                  if (alive.expired()) return;
                  saving_ = false;
                  if (report.outcome == WorkerOutcome::kAbandoned)
                    next_ns_ = world_.clock->MonotonicNs() + kFileAfterHangNs;
                  if (report.outcome != WorkerOutcome::kOk)
                    spdlog::warn("cannot save {}: {}", path_, report.error);
                });
}

}  // namespace ffdc
