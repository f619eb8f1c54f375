// SPDX-License-Identifier: Apache-2.0
// What workers are told, from the options.
#pragma once

#include <string>
#include <vector>

#include "store/shipper.h"

namespace ffdc {

v1::StoreArgs MakeStoreArgs(const ShipperOptions& options, const std::string& known_store_id,
                            const std::string& incident_id);
v1::StoreArgs MakeRetainArgs(const ShipperOptions& options, const std::string& known_store_id,
                             bool own_uploads, const std::vector<std::string>& spooled_ids,
                             const std::vector<std::string>& keep_ids);

}  // namespace ffdc
