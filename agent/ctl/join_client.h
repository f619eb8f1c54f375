// SPDX-License-Identifier: Apache-2.0
// How a node that is no member yet speaks to one that is. Blocks, with deadlines.
#pragma once

#include <string>

#include "base/endpoint.h"
#include "base/join_token.h"
#include "base/result.h"
#include "ffdc/v1/peer.pb.h"

namespace ffdc::ctl {

// A member that proved it: its certificate is signed by the CA that the token names.
struct TrustedServer {
  std::string ca;    // PEM
  std::string name;  // a DNS name of its certificate
};

// A TLS handshake and no more: nothing of the token is sent. Fails if there is nobody, or somebody else.
Result<TrustedServer> MeetServer(const Endpoint& server, const std::string& ca_sha256);
// Asks it, over TLS that accepts that CA and name alone.
Result<v1::JoinReply> AskToJoin(const Endpoint& server, const TrustedServer& trusted,
                                const v1::JoinRequest& request);

}  // namespace ffdc::ctl
