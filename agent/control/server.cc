// SPDX-License-Identifier: Apache-2.0
#include "control/server.h"

#include <grpcpp/grpcpp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>

#include "base/control_socket.h"
#include "control/service.h"
#include "control/socket.h"

namespace ffdc {
namespace {

constexpr int kMaxThreads = control::kMaxStreams + 5;
constexpr size_t kMaxMemoryBytes = 32u << 20;
constexpr int kMaxRequestBytes = 64 << 10;
constexpr std::chrono::seconds kStopLimit(1);
// rw-rw----: root and the socket's group.
constexpr mode_t kSocketUmask = 0117;

// The umask is the whole process's; the agent starts this server before it has threads that make files.
class UmaskGuard {
 public:
  explicit UmaskGuard(mode_t mask) : former_(umask(mask)) {}
  ~UmaskGuard() { umask(former_); }
  UmaskGuard(const UmaskGuard&) = delete;
  UmaskGuard& operator=(const UmaskGuard&) = delete;

 private:
  const mode_t former_;
};

class UnixControlServer final : public ControlServer {
 public:
  UnixControlServer(std::string socket_path, ControlBackend& backend)
      : socket_path_(std::move(socket_path)), service_(backend) {}

  Result<> Listen() {
    grpc::ResourceQuota quota("ffdc-control");
    quota.SetMaxThreads(kMaxThreads).Resize(kMaxMemoryBytes);
    grpc::ServerBuilder builder;
    builder.SetResourceQuota(quota)
        .SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1)
        .SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1)
        .SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2)
        .SetMaxReceiveMessageSize(kMaxRequestBytes)
        .SetMaxSendMessageSize(kMaxControlReplyBytes)
        .AddListeningPort("unix:" + socket_path_, grpc::InsecureServerCredentials())
        .RegisterService(&service_);
    const UmaskGuard umask_guard(kSocketUmask);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) return Fail("cannot serve on " + socket_path_ + ": gRPC refuses this path");
    return {};
  }

  ~UnixControlServer() override {
    if (server_ == nullptr) return;
    service_.Stop();
    server_->Shutdown(std::chrono::system_clock::now() + kStopLimit);
    server_->Wait();
    unlink(socket_path_.c_str());
  }

 private:
  std::string socket_path_;
  control::ControlService service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::Start(const std::string& socket_path,
                                                            ControlBackend& backend) {
  FFDC_TRY(control::PrepareSocketPath(socket_path));
  auto server = std::make_unique<UnixControlServer>(socket_path, backend);
  FFDC_TRY(server->Listen());
  return std::unique_ptr<ControlServer>(std::move(server));
}

}  // namespace ffdc
