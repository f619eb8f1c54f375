// SPDX-License-Identifier: Apache-2.0
#include "cluster/db.h"

#include "cluster/embedded_db.h"
#include "cluster/etcd_db.h"

namespace ffdc {

Result<std::unique_ptr<ClusterDb>> OpenClusterDb(const DbOptions& options, EventLoop& loop,
                                                 DbCallbacks callbacks) {
  if (options.url == "embedded") return MakeEmbeddedDb(std::move(callbacks));
  return MakeEtcdDb(options, loop, std::move(callbacks));
}

}  // namespace ffdc
