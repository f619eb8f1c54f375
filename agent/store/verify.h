// SPDX-License-Identifier: Apache-2.0
// Proves that a capture is what its manifest says, down to each file inside.
#pragma once

#include "ffdc/v1/control.pb.h"
#include "store/copies.h"

namespace ffdc {

// Problems name the file: "node1/capture.tar.zst", "dmesg.txt inside node1/capture.tar.zst".
v1::VerifyReport Verify(const std::string& incident_id, IncidentCopies copies);

}  // namespace ffdc
