// SPDX-License-Identifier: Apache-2.0
// The management service over a real Unix socket.
#include "control/server.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "fakes/fake_backend.h"
#include "fakes/temp_dir.h"
#include "ffdc/v1/control.grpc.pb.h"

namespace ffdc {
namespace {

using std::chrono::seconds;
using std::chrono::system_clock;
using testing::HasSubstr;

// Generous: only a hang reaches it.
constexpr seconds kPatience(30);

template <class Condition>
bool Eventually(Condition condition) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

class ServerTest : public testing::Test {
 protected:
  void Start() {
    auto server = ControlServer::Start(socket_, backend_);
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
    stub_ = v1::Control::NewStub(grpc::CreateChannel("unix:" + socket_, grpc::InsecureChannelCredentials()));
  }
  std::string StartError() {
    const auto server = ControlServer::Start(socket_, backend_);
    return server ? "" : server.error().message;
  }

  TempDir dir_;
  std::string socket_ = dir_ / "run/ffdcd.sock";
  fakes::FakeBackend backend_;
  std::unique_ptr<ControlServer> server_;
  std::unique_ptr<v1::Control::Stub> stub_;
};

struct Call : grpc::ClientContext {
  Call() { set_deadline(system_clock::now() + kPatience); }
};

v1::IncidentRef Ref(const std::string& id) {
  v1::IncidentRef ref;
  ref.set_id(id);
  return ref;
}

// A socket file whose listener died, as after SIGKILL.
void LeaveStaleSocket(const std::string& path) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
}

TEST_F(ServerTest, SocketIsForRootAndItsGroupAndGoesWithTheServer) {
  const mode_t before = umask(0077);  // whatever the agent was started with
  Start();
  EXPECT_EQ(umask(before), 0077u) << "the umask is put back";
  struct stat status {};
  ASSERT_EQ(stat(socket_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0660u);
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(socket_));
}

TEST_F(ServerTest, ReplacesAStaleSocket) {
  LeaveStaleSocket(socket_);
  Start();
  Call call;
  v1::Status status;
  EXPECT_TRUE(stub_->GetStatus(&call, {}, &status).ok());
  EXPECT_EQ(status.node(), "db1");
}

TEST_F(ServerTest, RefusesALiveSocketAndLeavesItAlone) {
  Start();
  EXPECT_EQ(StartError(),
            "another agent answers on " + socket_ + ": stop it, or give this one its own [control] socket");
  Call call;
  v1::Status status;
  EXPECT_TRUE(stub_->GetStatus(&call, {}, &status).ok());
}

TEST_F(ServerTest, RefusesAFileThatIsNoSocket) {
  std::filesystem::create_directories(dir_ / "run");
  std::ofstream(socket_) << "precious";
  EXPECT_THAT(StartError(), HasSubstr(socket_ + ": it exists and is not a socket"));
  EXPECT_EQ(std::filesystem::file_size(socket_), 8u);
}

TEST_F(ServerTest, SaysWhyItCannotListen) {
  socket_ = "/proc/ffdc/ffdcd.sock";
  EXPECT_THAT(StartError(), HasSubstr("cannot listen on /proc/ffdc/ffdcd.sock"));
  socket_ = "/" + std::string(200, 'a');
  EXPECT_THAT(StartError(), HasSubstr("1 to 107 bytes"));
}

TEST_F(ServerTest, ErrorsKeepTheirWordsAndGetAStatus) {
  Start();
  const std::pair<int, grpc::StatusCode> codes[] = {{ENOENT, grpc::StatusCode::NOT_FOUND},
                                                    {EINVAL, grpc::StatusCode::INVALID_ARGUMENT},
                                                    {ETIMEDOUT, grpc::StatusCode::DEADLINE_EXCEEDED},
                                                    {EBUSY, grpc::StatusCode::FAILED_PRECONDITION},
                                                    {ECANCELED, grpc::StatusCode::UNAVAILABLE},
                                                    {EIO, grpc::StatusCode::INTERNAL},
                                                    {0, grpc::StatusCode::INTERNAL}};
  for (const auto& [code, expected] : codes) {
    backend_.FailWith({"what went wrong: why", code});
    Call call;
    v1::Status reply;
    const grpc::Status status = stub_->GetStatus(&call, {}, &reply);
    EXPECT_EQ(status.error_code(), expected) << code;
    EXPECT_EQ(status.error_message(), "what went wrong: why");
  }
}

TEST_F(ServerTest, PassesOnWhatTheBackendAnswers) {
  Start();
  {
    Call call;
    v1::IncidentDetail detail;
    ASSERT_TRUE(stub_->GetIncident(&call, Ref("019aaf2c"), &detail).ok());
    EXPECT_EQ(detail.incident().id(), fakes::kIncidentId);
    EXPECT_EQ(detail.manifests_size(), 1);
  }
  {
    Call call;
    v1::ListIncidentsRequest request;
    request.set_state("open");
    v1::IncidentList list;
    ASSERT_TRUE(stub_->ListIncidents(&call, request, &list).ok());
    ASSERT_EQ(list.incidents_size(), 1);
    EXPECT_EQ(list.incidents(0).id(), fakes::kManualId);
  }
  {
    Call call;
    v1::PinRequest request;
    request.set_id("019aaf30");
    request.set_pinned(true);
    v1::Incident incident;
    ASSERT_TRUE(stub_->PinIncident(&call, request, &incident).ok());
    EXPECT_TRUE(incident.pinned());
  }
}

TEST_F(ServerTest, RefusesIdsThatAreNone) {
  Start();
  for (const char* id :
       {"", "../../etc", "019aaf2c/..", "XYZ", "019AAF2C", "019aaf2c-5d40-7b3e-9c11-0242ac1200020"}) {
    Call call;
    v1::IncidentDetail detail;
    EXPECT_EQ(stub_->GetIncident(&call, Ref(id), &detail).error_code(), grpc::StatusCode::INVALID_ARGUMENT)
        << id;
  }
}

TEST_F(ServerTest, RefusesOtherBadRequests) {
  Start();
  {
    Call call;
    v1::ListIncidentsRequest request;
    request.set_state("opne");
    v1::IncidentList list;
    EXPECT_EQ(stub_->ListIncidents(&call, request, &list).error_message(),
              "'opne' is not a state: use open or closed");
  }
  {
    Call call;
    v1::DumpRequest request;
    request.set_reason(std::string(2000, 'r'));
    v1::Incident incident;
    EXPECT_EQ(stub_->Dump(&call, request, &incident).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
  {
    Call call;
    v1::DumpRequest request;
    request.set_reason(std::string(200'000, 'r'));
    v1::Incident incident;
    EXPECT_EQ(stub_->Dump(&call, request, &incident).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED)
        << "larger than any request";
  }
  for (const char* name : {"", "../sda", "a/b", "a b", ".."}) {
    Call call;
    v1::WatchDeviceRequest request;
    request.set_name(name);
    const auto stream = stub_->WatchDevice(&call, request);
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT) << name;
  }
}

TEST_F(ServerTest, WatchedEventsArriveAndTheWatchEndsWithItsClient) {
  Start();
  Call call;
  const auto stream = stub_->WatchEvents(&call, {});
  stream->WaitForInitialMetadata();
  ASSERT_EQ(backend_.watchers(), 1u);
  backend_.Emit(fakes::SampleEvent());
  v1::Event event;
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.kind(), "io.error");
  call.TryCancel();
  EXPECT_FALSE(stream->Read(&event));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(Eventually([&] { return backend_.watchers() == 0; }));
}

TEST_F(ServerTest, TheClusterIsWatchedAsFarAsItIsWanted) {
  Start();
  Call call;
  v1::WatchClusterRequest wanted;
  wanted.add_kinds("io.*");
  const auto stream = stub_->WatchCluster(&call, wanted);
  stream->WaitForInitialMetadata();
  v1::News other;
  other.mutable_event()->set_kind("path.lost");
  backend_.EmitNews(other);
  v1::News news;
  news.set_node("node2");
  *news.mutable_event() = fakes::SampleEvent();
  backend_.EmitNews(news);
  v1::News told;
  ASSERT_TRUE(stream->Read(&told));
  EXPECT_EQ(told.node(), "node2");
  EXPECT_EQ(told.event().kind(), "io.error");
  call.TryCancel();
  stream->Finish();

  Call wrong;
  *wanted.mutable_kinds(0) = "";
  EXPECT_EQ(stub_->WatchCluster(&wrong, wanted)->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServerTest, ASlowWatcherIsToldWhatItMissed) {
  Start();
  Call call;
  const auto stream = stub_->WatchEvents(&call, {});
  stream->WaitForInitialMetadata();
  v1::Event large = fakes::SampleEvent();
  large.set_summary(std::string(100'000, 's'));
  constexpr uint64_t kSent = 2000;  // far more than the queue and the transport's window hold
  for (uint64_t i = 0; i < kSent; ++i) backend_.Emit(large);
  uint64_t received = 0;
  uint64_t missed = 0;
  v1::Event event;
  while (received + missed < kSent && stream->Read(&event)) {
    if (event.kind() == "watch.dropped") {
      missed += event.count();
    } else {
      ++received;
    }
  }
  EXPECT_GT(missed, 0u);
  EXPECT_EQ(received + missed, kSent);
  call.TryCancel();
  stream->Finish();
}

TEST_F(ServerTest, LastingCallsAreLimitedAndLeaveRoomForShortOnes) {
  Start();
  std::vector<std::unique_ptr<Call>> calls;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::Event>>> streams;
  for (int i = 0; i < 5; ++i) {
    calls.push_back(std::make_unique<Call>());
    streams.push_back(stub_->WatchEvents(calls.back().get(), {}));
    streams.back()->WaitForInitialMetadata();
  }
  EXPECT_EQ(backend_.watchers(), 5u);
  Call sixth;
  const grpc::Status refused = stub_->WatchEvents(&sixth, {})->Finish();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(), HasSubstr("end one of them"));
  Call short_call;
  v1::Status status;
  EXPECT_TRUE(stub_->GetStatus(&short_call, {}, &status).ok());
  for (const auto& call : calls) call->TryCancel();
  for (const auto& stream : streams) stream->Finish();
  EXPECT_TRUE(Eventually([&] { return backend_.watchers() == 0; }));
  Call again;
  const auto stream = stub_->WatchEvents(&again, {});
  stream->WaitForInitialMetadata();
  EXPECT_EQ(backend_.watchers(), 1u);
  again.TryCancel();
  stream->Finish();
}

TEST_F(ServerTest, ADeviceIsWatchedAsLongAsTheCallLasts) {
  Start();
  Call call;
  v1::WatchDeviceRequest request;
  request.set_name("loop7");
  const auto stream = stub_->WatchDevice(&call, request);
  v1::WatchDeviceReply reply;
  ASSERT_TRUE(stream->Read(&reply));
  EXPECT_TRUE(reply.watching());
  EXPECT_EQ(backend_.watched_devices(), 1u);
  call.TryCancel();
  stream->Finish();
  EXPECT_TRUE(Eventually([&] { return backend_.watched_devices() == 0; }));
}

TEST_F(ServerTest, PullBringsTheArchiveInChunks) {
  std::string archive(3'000'001, '\0');
  for (size_t i = 0; i < archive.size(); ++i) archive[i] = static_cast<char>(i * 7 % 251);
  backend_.SetArchive(archive);
  Start();
  Call call;
  const auto stream = stub_->PullIncident(&call, Ref(fakes::kIncidentId));
  v1::PullChunk chunk;
  ASSERT_TRUE(stream->Read(&chunk));
  EXPECT_EQ(chunk.total_bytes(), archive.size());
  std::string got = chunk.data();
  while (stream->Read(&chunk)) {
    EXPECT_LE(chunk.data().size(), 256u << 10);
    got += chunk.data();
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_TRUE(got == archive);
}

TEST_F(ServerTest, PullFailsWhenItsWriterDoes) {
  backend_.FailPullAtEnd({"cannot read capture.tar.zst: Input/output error", EIO});
  Start();
  Call call;
  const auto stream = stub_->PullIncident(&call, Ref(fakes::kIncidentId));
  v1::PullChunk chunk;
  while (stream->Read(&chunk)) {
  }
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(status.error_message(), "cannot read capture.tar.zst: Input/output error");
}

TEST_F(ServerTest, StoppingEndsOpenCalls) {
  Start();
  Call call;
  const auto stream = stub_->WatchEvents(&call, {});
  stream->WaitForInitialMetadata();
  server_.reset();
  v1::Event event;
  EXPECT_FALSE(stream->Read(&event));
  stream->Finish();
  EXPECT_EQ(backend_.watchers(), 0u);
}

}  // namespace
}  // namespace ffdc
