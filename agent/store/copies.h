// SPDX-License-Identifier: Apache-2.0
// Every sealed capture of one incident, wherever it lies now.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "ffdc/v1/capture.pb.h"
#include "store/driver.h"

namespace ffdc {

struct CaptureCopy {
  std::string node;
  Result<std::unique_ptr<ByteSource>> manifest;
  std::string archive_name;
  Result<std::unique_ptr<ByteSource>> archive;
};

struct IncidentCopies {
  Result<std::unique_ptr<ByteSource>> incident = Fail("there is none");
  std::vector<CaptureCopy> captures;
  std::string store_problem;  // why the store was not asked; empty: it was
};

// Opens all files at once, so that a capture that leaves the spool meanwhile can still be read.
// Code ENOENT: there is none.
Result<IncidentCopies> FindCopies(const v1::StoreArgs& args);

// Of these nodes, in the store alone.
IncidentCopies OpenStored(StoreDriver& store, const std::string& id, const std::vector<std::string>& nodes);

}  // namespace ffdc
