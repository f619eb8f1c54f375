// SPDX-License-Identifier: Apache-2.0
// What other agents ask of this one. Called on the loop's thread; an answer may
// be given at once or later, once.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "ffdc/v1/peer.pb.h"

namespace ffdc {

template <class Reply>
using PeerAnswer = std::function<void(Result<Reply>)>;

// peer: the caller's name, as its certificate and the membership have it. Requests were checked
// (peer/requests.h).
struct PeerHandlers {
  std::function<void(const std::string& peer, const v1::AlertRequest&, const PeerAnswer<v1::AlertReply>&)>
      alert;
  std::function<void(const std::string& peer, const v1::CaptureReport&,
                     const PeerAnswer<v1::CaptureReportReply>&)>
      report;
  std::function<void(const std::string& peer, const v1::PeerIncidentsRequest&,
                     const PeerAnswer<v1::PeerIncidents>&)>
      incidents;
  std::function<void(const std::string& peer, const v1::PeerNewsRequest&, const PeerAnswer<v1::PeerNews>&)>
      news;
  std::function<void(const std::string& peer, const v1::CaptureOffer&,
                     const PeerAnswer<v1::CaptureOfferReply>&)>
      offer;
  std::function<void(const std::string& peer, const v1::CapturePart&,
                     const PeerAnswer<v1::CapturePartReply>&)>
      part;
  // from: ip:port of somebody who may be anybody. Errors: EACCES a token that is not good, EEXIST a name that
  // is taken, ENOTSUP no CA here, EAGAIN try again.
  std::function<void(const std::string& from, const v1::JoinRequest&, const PeerAnswer<v1::JoinReply>&)> join;
};

// Why a call was refused, for the log and the count.
using PeerRefused = std::function<void(const std::string& why)>;

}  // namespace ffdc
