// SPDX-License-Identifier: Apache-2.0
// Finds and loads the module that knows Ceph, and keeps one connection a process.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "store/ceph_pool.h"

namespace ffdc {

// Connects, or gives what this process is connected to already. Starts threads: in workers only.
Result<std::shared_ptr<CephPool>> ConnectCeph(const RadosUrl& url, const std::string& text);
// The next ConnectCeph() connects anew.
void ForgetCeph();

}  // namespace ffdc
