// SPDX-License-Identifier: Apache-2.0
// What lets one node join a cluster, once: a secret, and the fingerprint by which the joiner knows the
// cluster's CA. No I/O; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace ffdc {

struct JoinToken {
  std::string ca_sha256;  // of the CA's certificate (DER), lower-case hex
  std::string secret;     // 160 random bits, lower-case hex

  [[nodiscard]] std::string Text() const;  // "ffdc1.<ca_sha256>.<secret>"
};

// A new secret. Fails if the kernel gives no random numbers.
Result<JoinToken> MakeJoinToken(const std::string& ca_sha256);
// EINVAL says what is wrong, without the token in it.
Result<JoinToken> ParseJoinToken(std::string_view text);
bool IsJoinSecret(std::string_view text);
// What is kept of a secret: its SHA-256, lower-case hex.
std::string JoinSecretHash(std::string_view secret);

}  // namespace ffdc
