// SPDX-License-Identifier: Apache-2.0
#include "ctl/client.h"

#include <grpc/support/log.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "base/control_socket.h"
#include "base/fd.h"

namespace ffdc::ctl {
namespace {

constexpr std::chrono::seconds kConnectLimit(2);

Unexpected CannotReach(const std::string& socket, const std::string& why) {
  return Fail("cannot reach the agent at " + socket + ": " + why, kUnreachable);
}

// gRPC does not say why it cannot connect; the kernel does.
Result<> Probe(const std::string& path) {
  const auto address = SocketAddress(path);
  if (!address) {
    return Fail("'" + path + "' is not a socket's path: those have 1 to " +
                    std::to_string(kMaxSocketPathBytes) + " bytes: give another --socket",
                kUsageError);
  }
  const Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return FailErrno("cannot make a Unix socket");
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) == 0) return {};
  const int code = errno;
  if (code == EAGAIN)
    return CannotReach(path, "it accepts no connections: is it hung? (systemctl status ffdc)");
  const std::string why = std::generic_category().message(code);
  if (code == EACCES || code == EPERM) {
    return CannotReach(path, why + ": run as root or as a member of the socket's group");
  }
  return CannotReach(path, why + ": is ffdcd running? (systemctl status ffdc)");
}

void Ignore(gpr_log_func_args* /*args*/) {}

}  // namespace

Result<std::unique_ptr<Client>> Client::Connect(const std::string& socket) {
  FFDC_TRY(Probe(socket));
  gpr_set_log_function(Ignore);  // what goes wrong is told once, by us
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxControlReplyBytes);
  // A relative path would be taken for a host's name.
  const std::string target = (socket.front() == '/' ? "unix:" : "unix:./") + socket;
  const auto channel = grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + kConnectLimit)) {
    return CannotReach(socket, "no answer within " + std::to_string(kConnectLimit.count()) +
                                   " s: is it hung? (systemctl status ffdc)");
  }
  return std::unique_ptr<Client>(new Client(socket, v1::Control::NewStub(channel)));
}

Error Client::ToError(const grpc::Status& status, std::string_view what) const {
  const std::string prefix = std::string(what) + ": ";
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return {prefix + "the agent at " + socket_ + " went away: see journalctl -u ffdc", kUnreachable};
    case grpc::StatusCode::UNIMPLEMENTED:
      return {prefix + "the agent does not know this command: is it older than ffdcctl? (ffdcctl status)"};
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      // Our own deadline comes with gRPC's words, the agent's with the agent's.
      if (status.error_message() == "Deadline Exceeded") {
        return {prefix + "the agent did not answer in time: see `ffdcctl status` and journalctl -u ffdc"};
      }
      break;
    default:
      break;
  }
  return {prefix + status.error_message()};
}

}  // namespace ffdc::ctl
