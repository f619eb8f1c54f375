// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace ffdc {

// From now on gRPC's own log goes to `say`, on any thread: what it tells of handshakes that failed, and
// errors; at most one line a second.
void TakeGrpcLog(std::function<void(const std::string&)> say);
// Handshakes with a certificate that is missing, foreign or expired; or with no TLS at all.
uint64_t RefusedHandshakes();

}  // namespace ffdc
