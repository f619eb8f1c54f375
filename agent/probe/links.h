// SPDX-License-Identifier: Apache-2.0
// The links, neighbours and routes towards watched endpoints (rtnetlink). Interfaces that
// carry none are never heard of. Loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/observations.h"
#include "probe/source.h"

namespace ffdc {

class LinkSource : public ProbeSource {
 public:
  // Never fails: inactive in Status(), with the reason.
  static std::unique_ptr<LinkSource> Start(const std::string& node,
                                           std::function<void(const LinkState&)> sink);
  virtual void SetEndpoints(const std::vector<Endpoint>& endpoints) = 0;
  // The interface whose failure is why this endpoint is not reached; where nothing has failed, the
  // one that it is reached by. Empty: nobody knows.
  [[nodiscard]] virtual std::string LinkTo(const Endpoint& endpoint) const = 0;
};

}  // namespace ffdc
