// SPDX-License-Identifier: Apache-2.0
// status, probe list, config show
#include "ctl/commands.h"
#include "ctl/show.h"

namespace ffdc::ctl {
Result<> ShowStatus(const Context& context) {
  return Show(context, "cannot read the agent's status", &v1::Control::Stub::GetStatus, RenderStatus);
}

Result<> ListProbes(const Context& context, uint32_t measure_ms) {
  v1::ListProbesRequest request;
  request.set_measure_ms(measure_ms);
  const std::chrono::milliseconds time(measure_ms);
  return Show(context, "cannot list the probes", &v1::Control::Stub::ListProbes, RenderProbes, request,
              kReadLimit + std::chrono::ceil<std::chrono::seconds>(time));
}

Result<> ShowConfig(const Context& context) {
  return Show(context, "cannot read the agent's configuration", &v1::Control::Stub::GetConfig, RenderConfig);
}

}  // namespace ffdc::ctl
