// SPDX-License-Identifier: Apache-2.0
// The agent's management service, seen from outside. No call waits for ever.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ffdc/v1/control.grpc.pb.h"

namespace ffdc::ctl {

// Error::code of what ffdcctl decides itself; the exit code follows from it.
enum : int { kUsageError = -2, kUnreachable = -3 };

inline constexpr std::chrono::seconds kReadLimit(10);
inline constexpr std::chrono::seconds kWorkLimit(120);  // calls that read or remove whole captures

inline v1::IncidentRef Ref(const std::string& id) {
  v1::IncidentRef ref;
  ref.set_id(id);
  return ref;
}

class Client {
 public:
  // Fails with kUnreachable if no agent answers on the socket within two seconds.
  static Result<std::unique_ptr<Client>> Connect(const std::string& socket);

  v1::Control::Stub& stub() { return *stub_; }

  // Client::Call(&v1::Control::Stub::GetStatus, request, "cannot read the status").
  template <class Request, class Reply>
  Result<Reply> Call(grpc::Status (v1::Control::Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                     const Request& request, std::string_view what, std::chrono::seconds limit = kReadLimit) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + limit);
    Reply reply;
    const grpc::Status status = ((*stub_).*method)(&context, request, &reply);
    if (!status.ok()) return Unexpected(ToError(status, what));
    return reply;
  }

  // "what: why".
  [[nodiscard]] Error ToError(const grpc::Status& status, std::string_view what) const;

 private:
  Client(std::string socket, std::unique_ptr<v1::Control::Stub> stub)
      : socket_(std::move(socket)), stub_(std::move(stub)) {}

  std::string socket_;
  std::unique_ptr<v1::Control::Stub> stub_;
};

}  // namespace ffdc::ctl
