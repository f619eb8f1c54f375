// SPDX-License-Identifier: Apache-2.0
#include "store/driver.h"

#include <cerrno>

#include "base/store_url.h"
#include "store/dir_driver.h"
#include "store/layout.h"
#include "store/rados_driver.h"
#include "store/shipper.h"

namespace ffdc {

Result<> CheckStoreUrl(const std::string& url) {
  if (url.starts_with(kRadosScheme)) {
    if (auto parsed = ParseRadosUrl(url); !parsed)
      return Unexpected(parsed.error().In("store.url '" + url + "'"));
    return {};
  }
  if (!std::string_view(url).starts_with(kDirScheme))
    return Fail("store.url '" + url +
                    "' names no known kind of store: write dir:/path/of/a/folder or "
                    "rados://pool",
                EINVAL);
  if (url.size() == kDirScheme.size() || url[kDirScheme.size()] != '/')
    return Fail("store.url '" + url + "' needs an absolute path: write dir:/path/of/a/folder", EINVAL);
  return {};
}

Result<std::unique_ptr<StoreDriver>> OpenStore(const std::string& url, const std::string& cluster,
                                               const std::string& node) {
  FFDC_TRY(CheckStoreUrl(url));
  FFDC_TRY(CheckName("cluster name", cluster));
  FFDC_TRY(CheckName("node name", node));
  if (url.starts_with(kRadosScheme)) return OpenRadosDriver(url, cluster, node);
  return MakeDirDriver(StoreFolder(url), cluster, node);
}

}  // namespace ffdc
