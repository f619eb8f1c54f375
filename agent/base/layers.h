// SPDX-License-Identifier: Apache-2.0
// Where in the node a kind of event shows itself, from the hardware upwards: what
// fails in a deep layer is the cause of what fails above it.
#pragma once

#include <string_view>

namespace ffdc {

enum class Layer {
  kHardware,    // the hardware itself says so: nothing lies below it
  kNetwork,     // carries sessions to storage: they fail after it
  kPath,        // a session or path to storage
  kCommand,     // one command got no answer, before the request is given up
  kDevice,      // a request failed, stands, or is slow: all that the block layer knows
  kFilesystem,  // fails when its device's requests do
  kResource,    // a place that is full fails services, but breaks no disk
  kTask,        // waits for any of the above
  kService,     // its tasks wait, or it gave up
  kCluster,     // what the nodes share: lost with its service, path or network
  kKernel,      // the kernel complains: the last witness, of no certain origin
  kOther,
};

Layer LayerOf(std::string_view kind);
std::string_view Word(Layer layer);  // "filesystem"

}  // namespace ffdc
