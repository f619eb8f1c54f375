// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/store_url.h"
#include "store/ceph_pool.h"
#include "store/driver.h"

namespace ffdc {

Result<std::unique_ptr<StoreDriver>> OpenRadosDriver(const std::string& url, const std::string& cluster,
                                                     const std::string& node);

// On a pool that is connected already.
std::unique_ptr<StoreDriver> MakeRadosDriver(std::shared_ptr<CephPool> pool, const RadosUrl& url,
                                             const std::string& cluster, const std::string& node);

}  // namespace ffdc
