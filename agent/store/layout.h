// SPDX-License-Identifier: Apache-2.0
// Names of things in the store. What comes from a configuration or a file
// passes a check here before it becomes part of a path.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "ffdc/v1/manifest.pb.h"

namespace ffdc {

// A cluster's or node's name becomes a folder. what: "cluster name", for the error's text.
Result<> CheckName(std::string_view what, std::string_view name);
Result<> CheckIncidentId(std::string_view id);

// manifest.json: syntax, and whatever is needed to find and check the capture it describes.
Result<v1::Manifest> ParseManifest(std::string_view json);

// "v1/<cluster>"
std::string ClusterFolder(const std::string& cluster);
// "<YYYY-MM-DD>/<incident-id>": the day of the id's own time, so that every node computes the same.
std::string IncidentFolder(const std::string& incident_id);

std::string RandomSuffix();

}  // namespace ffdc
