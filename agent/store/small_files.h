// SPDX-License-Identifier: Apache-2.0
// What the small files of a store say that belong to no capture (store.proto), whatever kind of store it is.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "ffdc/v1/store.pb.h"

namespace ffdc {

// Of a store that is new.
v1::StoreMarker NewMarker(const std::string& cluster, const std::string& node);
// The id in a marker's text. file: where it was read.
Result<std::string> MarkerIdOf(std::string_view text, const std::string& file);

v1::StoreLease NewLease(const std::string& node);
// Nothing that a holder would have written: one that expired.
v1::StoreLease ParseLease(std::string_view text);
// Expired leases are held for some minutes more, for clocks that differ.
bool IsHeld(const v1::StoreLease& lease);

}  // namespace ffdc
