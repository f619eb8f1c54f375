// SPDX-License-Identifier: Apache-2.0
// The management service (gRPC) on a Unix socket of mode 0660.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "control/backend.h"

namespace ffdc {

class ControlServer {
 public:
  // Replaces a stale socket file; refuses if another agent answers on it. The
  // backend must outlive the server.
  static Result<std::unique_ptr<ControlServer>> Start(const std::string& socket_path,
                                                      ControlBackend& backend);
  virtual ~ControlServer() = default;  // ends open calls, removes the socket
};

}  // namespace ffdc
