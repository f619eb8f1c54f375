// SPDX-License-Identifier: Apache-2.0
// node list, remove
#include <ostream>

#include "ctl/commands.h"
#include "ctl/show.h"
#include "ctl/text.h"

namespace ffdc::ctl {

Result<> ListNodes(const Context& context) {
  return Show(context, "cannot list the nodes", &v1::Control::Stub::ListNodes, RenderNodes,
              v1::ListNodesRequest());
}

Result<> RemoveNode(const Context& context, const std::string& name) {
  FFDC_ASSIGN(const auto client, context.Connect());
  v1::NodeRef node;
  node.set_name(name);
  FFDC_ASSIGN(const v1::NodeList left,
              client->Call(&v1::Control::Stub::RemoveNode, node, "cannot remove node '" + name + "'"));
  if (context.json) return context.PrintJson(left);
  context.out << "node " << Printable(name) << " is removed\n";
  return {};
}

}  // namespace ffdc::ctl
