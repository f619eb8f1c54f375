// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cluster/db.h"

namespace ffdc {

std::unique_ptr<ClusterDb> MakeEmbeddedDb(DbCallbacks callbacks);

}  // namespace ffdc
