// SPDX-License-Identifier: Apache-2.0
// selftest: a disk of its own really fails; the running agent must catch it.
#include <chrono>
#include <ostream>
#include <thread>

#include "base/clock.h"
#include "ctl/commands.h"
#include "ctl/format.h"
#include "ctl/interrupt.h"
#include "ctl/test_disk.h"
#include "ctl/text.h"

namespace ffdc::ctl {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr uint64_t kGoodReads = 64;
constexpr uint64_t kBadReads = 4;
constexpr std::chrono::seconds kWatchLimit(300);  // of the whole test; it ends far earlier
constexpr std::chrono::seconds kIncidentLimit(30);
constexpr milliseconds kPollInterval(200);

class SelfTester {
 public:
  SelfTester(const Context& context, Client& client) : context_(context), client_(client) {}

  Result<> Run() {
    FFDC_ASSIGN(TestDisk disk,
                Step(
                    "make a disk to break", [] { return TestDisk::Create(); },
                    [](const TestDisk& made) { return made.name() + " on " + made.backing(); }));
    FFDC_TRY(Watch(disk.name()));
    Result<> tested = Break(disk);
    call_.TryCancel();
    stream_->Finish();
    Result<> removed = Check("clean up", [&disk] { return disk.Remove(); });
    FFDC_TRY(tested);
    return removed;
  }

  [[nodiscard]] const std::string& incident_id() const { return incident_id_; }

 private:
  // Runs one step and tells how it went; `describe` puts its result into words.
  template <class Work, class Describe>
  auto Step(std::string_view what, Work work, Describe describe) -> decltype(work()) {
    const auto started_at = steady_clock::now();
    auto result = work();
    const auto elapsed_ns =
        static_cast<uint64_t>((steady_clock::now() - started_at) / std::chrono::nanoseconds(1));
    const std::string took = " " + context_.page.paint.Dim("(" + FormatSpan(elapsed_ns) + ")") + "\n";
    if (!result) {
      context_.out << context_.page.paint(Style::kRed, "✗") << " " << what << ": "
                   << Printable(result.error().message) << took << std::flush;
      auto error = result.error().In("the self-test failed: cannot " + std::string(what));
      return Unexpected(std::move(error));
    }
    const std::string detail = describe(*result);
    context_.out << context_.page.paint(Style::kGreen, "✓") << " " << what << (detail.empty() ? "" : ": ")
                 << Printable(detail) << took << std::flush;
    return result;
  }

  template <class Work>
  Result<> Check(std::string_view what, Work work) {
    const auto started = Step(
        what,
        [&work]() -> Result<bool> {
          FFDC_TRY(work());
          return true;
        },
        [](bool) { return std::string(); });
    if (!started) return Unexpected(started.error());
    return {};
  }

  Result<> Watch(const std::string& name) {
    const auto watched = Step(
        "have the agent watch it",
        [this, &name]() -> Result<v1::WatchDeviceReply> {
          call_.set_deadline(std::chrono::system_clock::now() + kWatchLimit);
          v1::WatchDeviceRequest request;
          request.set_name(name);
          stream_ = client_.stub().WatchDevice(&call_, request);
          v1::WatchDeviceReply reply;
          if (!stream_->Read(&reply)) return Unexpected(client_.ToError(stream_->Finish(), name));
          if (!reply.watching())
            return Fail("the agent does not watch " + name + ": see `ffdcctl probe list`");
          return reply;
        },
        [](const v1::WatchDeviceReply& reply) { return reply.subject_id(); });
    if (!watched) return Unexpected(watched.error());
    subject_id_ = watched->subject_id();
    subject_name_ = name;
    return {};
  }

  static Result<> ReadGood(const TestDisk& disk) {
    FFDC_ASSIGN(const uint64_t failed, disk.Read(kGoodReads, false));
    if (failed > 0) return Fail(std::to_string(failed) + " reads failed already");
    return {};
  }

  Result<> ReadBad(const TestDisk& disk) {
    FFDC_TRY(disk.CutInHalf());
    failed_at_ns_ = SystemClock().RealtimeNs();
    FFDC_ASSIGN(const uint64_t failed, disk.Read(kBadReads, true));
    if (failed != kBadReads) {
      return Fail(std::to_string(kBadReads - failed) + " of " + std::to_string(kBadReads) +
                  " reads did not fail");
    }
    return {};
  }

  Result<> Break(const TestDisk& disk) {
    const auto read_good = [&disk] { return ReadGood(disk); };
    FFDC_TRY(Check("read what can be read", read_good));
    const auto read_bad = [this, &disk] { return ReadBad(disk); };
    FFDC_TRY(Check("break it: cut its file, read past the cut, get I/O errors", read_bad));
    const auto opened = Step(
        "find the incident", [this] { return Await(&SelfTester::Opened); },
        [](const v1::Incident& found) {
          return found.id() + ", " + FormatPlural(FailureCount(found), "failure", "failures");
        });
    if (!opened) return Unexpected(opened.error());
    incident_id_ = opened->id();
    const auto captured = Step(
        "find its capture", [this] { return Await(&SelfTester::Captured); },
        [](const v1::Incident& found) {
          const v1::Capture& capture = found.captures(0);
          return Word(capture.state()) + ", " + FormatBytes(capture.bytes()) + ", sealed " +
                 FormatSpan(capture.sealed_after_ns()) + " after the failure";
        });
    if (!captured) return Unexpected(captured.error());
    return Verify();
  }

  Result<> Verify() {
    const auto verified = Step(
        "verify every checksum",
        [this]() -> Result<v1::VerifyReport> {
          FFDC_ASSIGN(v1::VerifyReport report, client_.Call(&v1::Control::Stub::VerifyIncident,
                                                            Ref(incident_id_), incident_id_, kWorkLimit));
          if (report.ok() && report.files_checked() > 0) return report;
          if (report.problems().empty()) return Fail("no file was checked");
          return Fail(report.problems(0).file() + ": " + report.problems(0).problem());
        },
        [](const v1::VerifyReport& report) {
          return FormatPlural(report.files_checked(), "file", "files") + ", " +
                 FormatBytes(report.bytes_checked());
        });
    if (!verified) return Unexpected(verified.error());
    return {};
  }

  // Why the incident is not yet what is waited for; empty: it is.
  [[nodiscard]] std::string Opened(const v1::Incident& incident) const {
    if (FailureCount(incident) >= kBadReads) return {};
    return "incident " + incident.id() + " counts " + std::to_string(FailureCount(incident)) + " of " +
           std::to_string(kBadReads) + " failures";
  }
  [[nodiscard]] std::string Captured(const v1::Incident& incident) const {
    if (incident.captures().empty()) return "incident " + incident.id() + " has no capture";
    const v1::Capture& capture = incident.captures(0);
    if (capture.state() == v1::SEALED || capture.state() == v1::STORED) return {};
    return "the capture is " + Word(capture.state()) +
           (capture.error().empty() ? "" : ": " + capture.error());
  }

  [[nodiscard]] bool IsOurs(const v1::Incident& incident) const {
    const v1::Subject& subject = incident.subject();
    const bool same = subject_id_.empty() ? subject.name() == subject_name_ : subject.id() == subject_id_;
    return same && incident.kind() == "io.error" && WallNs(incident.last_event_at()) >= failed_at_ns_;
  }

  Result<v1::Incident> Await(std::string (SelfTester::*missing)(const v1::Incident&) const) {
    const auto until = steady_clock::now() + kIncidentLimit;
    std::string why = "there is none for " + subject_name_;
    v1::ListIncidentsRequest request;
    constexpr uint32_t kNewest = 50;
    request.set_limit(kNewest);
    while (steady_clock::now() < until) {
      FFDC_ASSIGN(const v1::IncidentList list,
                  client_.Call(&v1::Control::Stub::ListIncidents, request, "cannot list the incidents"));
      for (const v1::Incident& incident : list.incidents()) {
        if (!IsOurs(incident)) continue;
        why = (this->*missing)(incident);
        if (why.empty()) return incident;
      }
      if (Interrupted()) return Fail("interrupted");
      std::this_thread::sleep_for(kPollInterval);
    }
    return Fail("after " + std::to_string(kIncidentLimit.count()) + " s " + why + ": see `ffdcctl status`");
  }

  const Context& context_;
  Client& client_;
  grpc::ClientContext call_;
  std::unique_ptr<grpc::ClientReader<v1::WatchDeviceReply>> stream_;
  std::string subject_id_;
  std::string subject_name_;
  std::string incident_id_;
  int64_t failed_at_ns_ = 0;
};

}  // namespace

Result<> SelfTest(const Context& context) {
  FFDC_ASSIGN(const auto client, context.Connect());
  CatchInterrupt();  // the disk is taken down on Ctrl-C too
  SelfTester tester(context, *client);
  Result<> result = tester.Run();
  if (!tester.incident_id().empty()) {
    context.out << "The incident stays: "
                << context.page.paint.Bold("ffdcctl incident show " + ShortId(tester.incident_id())) << "\n";
  }
  return result;
}

}  // namespace ffdc::ctl
