// SPDX-License-Identifier: Apache-2.0
// etcd (v3) as the cluster DB: one session with one server at a time, of a lease,
// a snapshot and a watch. Whatever ends one of them ends the session, and the
// next server is tried.
#pragma once

#include "cluster/db.h"

namespace ffdc {

// EINVAL: the URL is not one of etcd.
Result<std::unique_ptr<ClusterDb>> MakeEtcdDb(const DbOptions& options, EventLoop& loop,
                                              DbCallbacks callbacks);

}  // namespace ffdc
