// SPDX-License-Identifier: Apache-2.0
#include "control/socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/control_socket.h"
#include "base/fd.h"
#include "base/fs.h"

namespace ffdc::control {
namespace {

Result<sockaddr_un> AddressOf(const std::string& path) {
  if (const auto address = SocketAddress(path)) return *address;
  return Fail("cannot listen on '" + path + "': a socket's path has 1 to " +
                  std::to_string(kMaxSocketPathBytes) + " bytes: change [control] socket",
              EINVAL);
}

Result<Fd> NewSocket() {
  // Non-blocking: a live agent with a full backlog answers EAGAIN instead of holding up our start.
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return FailErrno("cannot make a Unix socket");
  return fd;
}

Result<> RemoveStale(const std::string& path, const sockaddr_un& address) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return FailErrno("cannot look at the control socket " + path);
  }
  if (!S_ISSOCK(status.st_mode)) {
    return Fail(
        "cannot listen on " + path + ": it exists and is not a socket: remove it or change [control] socket",
        EEXIST);
  }
  FFDC_ASSIGN(const Fd fd, NewSocket());
  const int connected = connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  if (connected == 0 || errno == EAGAIN || errno == EINPROGRESS) {
    return Fail("another agent answers on " + path + ": stop it, or give this one its own [control] socket",
                EADDRINUSE);
  }
  if (errno != ECONNREFUSED && errno != ENOENT)
    return FailErrno("cannot tell who uses the control socket " + path);
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    return FailErrno("cannot remove the stale control socket " + path);
  return {};
}

// gRPC only says that binding failed; a bind of our own says why.
Result<> TryBind(const std::string& path, const sockaddr_un& address) {
  FFDC_ASSIGN(const Fd fd, NewSocket());
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return FailErrno("cannot listen on " + path);
  }
  unlink(path.c_str());
  return {};
}

}  // namespace

Result<> PrepareSocketPath(const std::string& path) {
  FFDC_ASSIGN(const sockaddr_un address, AddressOf(path));
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) {
    if (auto made = MakeDirs(folder, 0755); !made)
      return Unexpected(made.error().In("cannot listen on " + path));
  }
  FFDC_TRY(RemoveStale(path, address));
  return TryBind(path, address);
}

}  // namespace ffdc::control
