// SPDX-License-Identifier: Apache-2.0
// resource list
#include "ctl/commands.h"
#include "ctl/show.h"

namespace ffdc::ctl {

Result<> ListResources(const Context& context) {
  return Show(context, "cannot list the resources", &v1::Control::Stub::ListResources, RenderResources,
              v1::ListResourcesRequest());
}

}  // namespace ffdc::ctl
