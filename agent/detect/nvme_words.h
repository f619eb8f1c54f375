// SPDX-License-Identifier: Apache-2.0
// What NVMe controllers say, in the words of the NVM Express Base and NVM Command
// Set specifications.
#pragma once

#include <cstdint>
#include <string>

namespace ffdc {

// status: without the phase bit, as the kernel keeps it (struct ffdc_nvme_error).
// "Unrecovered Read Error (2h/81h)", with "do not retry" where the controller says so.
std::string NvmeStatusText(uint16_t status);

}  // namespace ffdc
