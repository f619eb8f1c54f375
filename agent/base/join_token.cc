// SPDX-License-Identifier: Apache-2.0
#include "base/join_token.h"

#include <openssl/rand.h>

#include <array>

#include "base/fs.h"
#include "base/openssl.h"
#include "base/text.h"

namespace ffdc {
namespace {

constexpr std::string_view kBegin = "ffdc1.";
constexpr size_t kSecretBytes = 20;
constexpr size_t kSha256Bytes = 32;

}  // namespace

std::string JoinToken::Text() const { return std::string(kBegin) + ca_sha256 + "." + secret; }

Result<JoinToken> MakeJoinToken(const std::string& ca_sha256) {
  std::array<unsigned char, kSecretBytes> random{};
  if (RAND_priv_bytes(random.data(), static_cast<int>(random.size())) != 1)
    return FailOpenSsl("cannot make a token: no random numbers");
  JoinToken token{ca_sha256, {}};
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const unsigned char byte : random) {
    token.secret += kHex[byte >> 4];
    token.secret += kHex[byte & 15];
  }
  return token;
}

Result<JoinToken> ParseJoinToken(std::string_view text) {
  const Unexpected wrong =
      Fail("this is no token: one begins with '" + std::string(kBegin) +
               "' and is printed by `ffdcctl cluster token` on a node of the cluster: copy all of it",
           EINVAL);
  if (!text.starts_with(kBegin)) return wrong;
  text.remove_prefix(kBegin.size());
  const size_t dot = text.find('.');
  if (dot == std::string_view::npos) return wrong;
  JoinToken token{std::string(text.substr(0, dot)), std::string(text.substr(dot + 1))};
  if (!IsHex(token.ca_sha256, 2 * kSha256Bytes) || !IsJoinSecret(token.secret)) return wrong;
  return token;
}

bool IsJoinSecret(std::string_view text) { return IsHex(text, 2 * kSecretBytes); }

std::string JoinSecretHash(std::string_view secret) {
  Sha256 digest;
  digest.Update(secret.data(), secret.size());
  return digest.HexDigest();
}

}  // namespace ffdc
