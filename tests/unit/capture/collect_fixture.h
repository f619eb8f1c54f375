// SPDX-License-Identifier: Apache-2.0
// A collector, run in this process against a staging folder of its own and,
// where wanted, against a made-up /proc and /sys.
#pragma once

#include <gtest/gtest.h>
#include <rapidjson/document.h>
#include <sys/mman.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "base/text.h"
#include "capture/collect_util.h"
#include "capture/collector.h"
#include "fakes/temp_dir.h"

namespace ffdc {

// A line of /proc/<pid>/stat whose fields from the 4th on are their numbers.
inline std::string StatLine(const std::string& pid, const std::string& comm, char state) {
  std::string text = pid + " (" + comm + ") " + state;
  for (int field = 4; field <= 52; ++field) text += " " + std::to_string(field);
  return text + "\n";
}

class CollectTest : public ::testing::Test {
 protected:
  CollectTest() {
    std::filesystem::create_directories(root_ / "staging/files");
    std::filesystem::create_directories(root_ / "staging/status");
    roots_.proc = root_ / "proc";
    roots_.sys = root_ / "sys";
    roots_.kmsg = root_ / "kmsg";
    job_.set_staging_dir((root_ / "staging").string());
    job_.set_collector_max_bytes(64u << 20);
    auto& clock = *job_.mutable_manifest()->mutable_clock();
    clock.set_realtime_ns(1'800'000'000'000'000'000);  // 2027-01-15T08:00:00Z
    clock.set_monotonic_ns(1'000'000'000'000);
  }

  // A file of the made-up kernel: Put("proc/loadavg", "0.1 ...").
  void Put(const std::string& path, std::string_view text) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    ASSERT_TRUE(WriteFile(root_ / path, text));
  }
  void Link(const std::string& path, const std::string& target) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::filesystem::create_symlink(target, root_ / path);
  }

  Result<> Run(const std::function<Result<>(CollectContext&)>& collect, std::vector<int> fds = {}) {
    fds_ = std::move(fds);
    context_ = std::make_unique<CollectContext>(job_, "test", fds_);
    auto result = collect(*context_);
    auto finished = context_->Finish();
    return result ? std::move(finished) : std::move(result);
  }
  Result<> RunRegistered(const std::string& name, std::vector<int> fds = {}) {
    for (const CollectorInfo& info : Collectors()) {
      if (info.name == name) return Run(info.collect, std::move(fds));
    }
    return Fail("no collector is registered as " + name);
  }

  [[nodiscard]] std::string Output(const std::string& name) const {
    auto text = ReadFile(root_ / "staging/files" / name, 256u << 20);
    EXPECT_TRUE(text) << name;
    return text ? *text : std::string();
  }
  // Every line must be a JSON object.
  [[nodiscard]] std::vector<rapidjson::Document> Lines(const std::string& name) const {
    const std::string text = Output(name);
    std::vector<rapidjson::Document> lines;
    std::string_view rest = text;
    while (!rest.empty()) {
      const std::string_view line = NextLine(rest);
      lines.emplace_back();
      lines.back().Parse<rapidjson::kParseValidateEncodingFlag>(line.data(), line.size());
      EXPECT_FALSE(lines.back().HasParseError()) << line;
      EXPECT_TRUE(lines.back().IsObject()) << line;
    }
    return lines;
  }
  [[nodiscard]] const v1::Loss* FindLoss(std::string_view what) const {
    for (const v1::Loss& loss : context_->status().losses()) {
      if (loss.what() == what) return &loss;
    }
    return nullptr;
  }

  static Fd Memfd(const void* data, size_t size) {
    Fd fd(::memfd_create("ffdc-test", MFD_CLOEXEC));
    EXPECT_TRUE(WriteAll(fd.get(), {static_cast<const char*>(data), size}, "memfd"));
    return fd;
  }

  TempDir temp_;
  std::filesystem::path root_ = temp_.path();
  KernelRoots roots_;
  v1::CaptureJob job_;
  std::vector<int> fds_;
  std::unique_ptr<CollectContext> context_;
};

}  // namespace ffdc
