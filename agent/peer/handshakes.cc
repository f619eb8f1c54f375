// SPDX-License-Identifier: Apache-2.0
#include "peer/handshakes.h"

#include <grpc/support/log.h>

#include <atomic>
#include <cstring>

#include "base/clock.h"

namespace ffdc {
namespace {

// gRPC's log function is a plain one: what it uses must last as long as the process.
struct State {
  std::function<void(const std::string&)> say;
  std::atomic<uint64_t> refused{0};
  std::atomic<uint64_t> last_said_ns{0};
  std::atomic<uint64_t> unsaid{0};
};
State& TheState() {
  static auto* state = new State;  // NOLINT(cppcoreguidelines-owning-memory): threads may log at the very end
  return *state;
}

void Hear(gpr_log_func_args* line) {
  State& state = TheState();
  const bool handshake = std::strstr(line->message, "andshake failed") != nullptr;
  if (handshake) ++state.refused;
  if (!handshake && line->severity != GPR_LOG_SEVERITY_ERROR) return;
  const uint64_t now_ns = SystemClock().MonotonicNs();
  uint64_t last_ns = state.last_said_ns;
  if (now_ns < last_ns + kNsPerSecond || !state.last_said_ns.compare_exchange_strong(last_ns, now_ns)) {
    ++state.unsaid;
    return;
  }
  const uint64_t unsaid = state.unsaid.exchange(0);
  std::string text = handshake ? "a TLS connection is refused: " : "gRPC: ";
  text += line->message;
  if (unsaid != 0) text += " (and " + std::to_string(unsaid) + " more lines)";
  state.say(text);
}

}  // namespace

void TakeGrpcLog(std::function<void(const std::string&)> say) {
  TheState().say = std::move(say);
  gpr_set_log_function(Hear);
}

uint64_t RefusedHandshakes() { return TheState().refused; }

}  // namespace ffdc
