// SPDX-License-Identifier: Apache-2.0
#include "unit/capture/capture_fixture.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/fs.h"
#include "base/proto_json.h"
#include "fakes/dispatch.h"
#include "fakes/sealed_capture.h"

namespace ffdc::capture_test {

namespace {

std::unique_ptr<Launcher> launcher;

[[noreturn]] void LiveFirstLife(const std::string& root) {
  CaptureOptions options;
  options.runtime_dir = root + "/run";
  options.spool_dir = root + "/spool";
  options.collectors = {"test_ok", "test_silent"};
  const auto runner =
      CaptureRunner::Create(options, *launcher, [](const std::string&, const auto&) { _exit(0); });
  runner->Start(MakeJob(IncidentId(1)), {});
  for (;;) DispatchOnce(*launcher);
}

class LauncherEnvironment : public ::testing::Environment {
 public:
  void SetUp() override {
    // Tests mount small file systems: in a namespace of our own nothing of them can be left behind.
    ASSERT_EQ(unshare(CLONE_NEWNS), 0) << "the capture tests need root";
    ASSERT_EQ(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    auto started = Launcher::Start(CaptureTasks());
    ASSERT_TRUE(started) << started.error().message;
    launcher = std::move(*started);
    if (const char* root = getenv(kFirstLifeVariable)) LiveFirstLife(root);
  }
  void TearDown() override { launcher.reset(); }
};

[[maybe_unused]] const ::testing::Environment* const environment =
    ::testing::AddGlobalTestEnvironment(new LauncherEnvironment);

template <class List>
auto FindIn(const List& list, const auto& matches) -> decltype(&*list.begin()) {
  const auto found = std::find_if(list.begin(), list.end(), matches);
  return found == list.end() ? nullptr : &*found;
}

std::string CheckFiles(const v1::Manifest& manifest, const std::string& unpacked) {
  std::vector<std::string> listed;
  for (const v1::CapturedFile& file : manifest.files()) {
    uint64_t size_bytes = 0;
    auto sha256 = Sha256File(unpacked + "/" + file.name(), &size_bytes);
    if (!sha256) return sha256.error().message;
    if (*sha256 != file.sha256() || size_bytes != file.size_bytes()) return file.name() + " differs";
    listed.push_back(file.name());
  }
  if (!std::is_sorted(listed.begin(), listed.end())) return "files are not sorted";
  if (listed != ListFolder(unpacked).value()) return "the archive holds other files than the manifest lists";
  return "";
}

}  // namespace

Launcher& TestLauncher() { return *launcher; }

std::string IncidentId(unsigned n) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "0193a5b0-0000-7000-8000-%012x", n);
  return text.data();
}

v1::CaptureJob MakeJob(const std::string& incident_id) {
  v1::CaptureJob job;
  v1::Manifest& manifest = *job.mutable_manifest();
  manifest.set_incident_id(incident_id);
  manifest.set_cluster("lab");
  manifest.set_node("n1");
  manifest.set_failure_mono_ns(123);
  v1::Loss& loss = *manifest.add_losses();
  loss.set_what("io_history.overwritten");
  loss.set_count(7);
  job.mutable_incident()->set_id(incident_id);
  job.mutable_incident()->set_kind("io.error");
  job.set_subject_name("sda");
  return job;
}

std::string CheckSealed(const std::string& dir) {
  if (ListFolder(dir).value() !=
      std::vector<std::string>{"capture.tar.zst", "incident.json", "manifest.json"}) {
    return dir + " does not hold exactly the three files";
  }
  v1::Manifest manifest;
  v1::Incident incident;
  auto text = ReadFile(dir + "/manifest.json");
  if (auto parsed = FromJson(text.value_or(""), &manifest); !parsed) return parsed.error().message;
  auto incident_text = ReadFile(dir + "/incident.json");
  if (auto parsed = FromJson(incident_text.value_or(""), &incident); !parsed) return parsed.error().message;
  if (incident.id() != manifest.incident_id()) return "incident.json is of another incident";
  uint64_t size_bytes = 0;
  const auto sha256 = Sha256File(dir + "/capture.tar.zst", &size_bytes);
  if (!sha256 || *sha256 != manifest.archive_sha256() || size_bytes != manifest.archive_bytes()) {
    return "capture.tar.zst differs from the manifest";
  }
  if (Xxh3Of(ReadFile(dir + "/capture.tar.zst", size_bytes).value_or("")) != manifest.archive_xxh3_128())
    return "capture.tar.zst has another XXH3-128";
  const TempDir unpacked;
  const std::string command =
      "tar -I zstd -x -C " + unpacked.path().string() + " -f " + dir + "/capture.tar.zst";
  if (std::system(command.c_str()) != 0) return "tar cannot open it";
  return CheckFiles(manifest, unpacked.path());
}

const v1::CollectorResult* FindCollector(const v1::Manifest& manifest, const std::string& name) {
  return FindIn(manifest.collectors(), [&](const auto& c) { return c.name() == name; });
}
const v1::CapturedFile* FindFile(const v1::Manifest& manifest, const std::string& name) {
  return FindIn(manifest.files(), [&](const auto& f) { return f.name() == name; });
}
const v1::Loss* FindLoss(const v1::Manifest& manifest, const std::string& what) {
  return FindIn(manifest.losses(), [&](const auto& l) { return l.what() == what; });
}

CaptureFixture::CaptureFixture() {
  options.runtime_dir = root + "/run";
  options.spool_dir = root + "/spool";
  options.collectors = {"test_ok"};
}

CaptureFixture::~CaptureFixture() {
  runner.reset();
  umount2(options.spool_dir.c_str(), MNT_DETACH);
  umount2(options.runtime_dir.c_str(), MNT_DETACH);
}

void CaptureFixture::NewRunner(Launcher& with) {
  runner.reset();
  runner = CaptureRunner::Create(
      options, with,
      [this](const std::string& id, Result<v1::SealedCapture> result) {
        ++done_calls;
        if (result) {
          sealed[id] = std::move(*result);
        } else {
          given_up[id] = result.error().message;
        }
      },
      clock);
}

void CaptureFixture::RunUntil(const std::function<bool()>& done) {
  while (!done()) {
    DispatchOnce(TestLauncher(), 10);
    clock.now_ns += 1'000'000'000;
    runner->Tick();
  }
}

void CaptureFixture::RunToEnd() {
  RunUntil([&] { return runner->running() + runner->waiting() == 0; });
}

v1::CaptureJob CaptureFixture::StagedJob(const std::string& id) const {
  v1::CaptureJob job = MakeJob(id);
  job.set_staging_dir(Staging(id));
  job.set_spool_dir(options.spool_dir);
  job.set_collector_max_bytes(options.collector_max_bytes);
  for (const std::string& collector : options.collectors) job.add_collectors(collector);
  return job;
}

}  // namespace ffdc::capture_test
