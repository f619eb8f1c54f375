// SPDX-License-Identifier: Apache-2.0
#include "store/store_args.h"

namespace ffdc {

v1::StoreArgs MakeStoreArgs(const ShipperOptions& options, const std::string& known_store_id,
                            const std::string& incident_id) {
  v1::StoreArgs args;
  args.set_store_url(options.store_url);
  args.set_spool_dir(options.spool_dir);
  args.set_cluster(options.cluster);
  args.set_node(options.node);
  args.set_incident_id(incident_id);
  args.set_known_store_id(known_store_id);
  args.set_require_marker(options.require_marker);
  args.set_max_bytes_per_second(options.max_bytes_per_second);
  return args;
}

v1::StoreArgs MakeRetainArgs(const ShipperOptions& options, const std::string& known_store_id,
                             bool own_uploads, const std::vector<std::string>& spooled_ids,
                             const std::vector<std::string>& keep_ids) {
  v1::StoreArgs args = MakeStoreArgs(options, known_store_id, {});
  args.set_max_age_s(options.max_age_s);
  args.set_max_bytes(options.max_bytes);
  args.set_max_incidents(options.max_incidents);
  args.set_own_uploads(own_uploads);
  for (const auto& id : spooled_ids) args.add_spooled_ids(id);
  for (const auto& id : keep_ids) args.add_keep_ids(id);
  return args;
}

}  // namespace ffdc
