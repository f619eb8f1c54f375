// SPDX-License-Identifier: Apache-2.0
// Checks of what a peer sends: bounded, of this cluster, and with names and ids
// that may become keys and folders.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "ffdc/v1/peer.pb.h"

namespace ffdc {

inline constexpr int kMaxPeerRequestBytes = 1 << 20;
inline constexpr int kMaxPeerReplyBytes = 16 << 20;

Result<> CheckRequest(const v1::AlertRequest& request, std::string_view cluster);
Result<> CheckRequest(const v1::PingRequest& request, std::string_view cluster);
// peer: who sent it.
Result<> CheckRequest(const v1::CaptureReport& request, std::string_view cluster, std::string_view peer);
Result<> CheckRequest(const v1::PeerIncidentsRequest& request, std::string_view cluster);
Result<> CheckRequest(const v1::PeerNewsRequest& request, std::string_view cluster);
// What a capture's descriptions say is left to who reads them.
Result<> CheckRequest(const v1::CaptureOffer& request, std::string_view cluster);
Result<> CheckRequest(const v1::CapturePart& request, std::string_view cluster);
// Of anybody: its shape alone. What it asks for, and whether the token is good, is checked after this.
Result<> CheckRequest(const v1::JoinRequest& request);

}  // namespace ffdc
