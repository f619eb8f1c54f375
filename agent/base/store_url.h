// SPDX-License-Identifier: Apache-2.0
// store.url: dir:<absolute path>, a folder; or rados://<pool>[/<namespace>][?conf=<path>&id=<name>], a pool
// of a Ceph cluster.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace ffdc {

inline constexpr std::string_view kDirScheme = "dir:";
inline constexpr std::string_view kRadosScheme = "rados://";

// Of "dir:<path>"; empty: the store is no folder.
std::string StoreFolder(std::string_view url);

struct RadosUrl {
  std::string pool;
  std::string name_space;  // within the pool; empty: the pool's default one
  std::string conf = "/etc/ceph/ceph.conf";
  std::string id = "ffdc";  // the user is "client.<id>"; its key is found through conf
};

// The error says what to write instead.
Result<RadosUrl> ParseRadosUrl(std::string_view text);

}  // namespace ffdc
