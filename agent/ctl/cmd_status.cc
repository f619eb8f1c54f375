// SPDX-License-Identifier: Apache-2.0
// status, probe list, config show
#include "ctl/commands.h"
#include "ctl/show.h"

namespace ffdc::ctl {
Result<> ShowStatus(const Context& context) {
  return Show(context, "cannot read the agent's status", &v1::Control::Stub::GetStatus, RenderStatus);
}

Result<> ListProbes(const Context& context) {
  return Show(context, "cannot list the probes", &v1::Control::Stub::ListProbes, RenderProbes);
}

Result<> ShowConfig(const Context& context) {
  return Show(context, "cannot read the agent's configuration", &v1::Control::Stub::GetConfig, RenderConfig);
}

}  // namespace ffdc::ctl
