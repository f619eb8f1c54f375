// SPDX-License-Identifier: Apache-2.0
// What keeps a capture from being read by others. Read once, at the start: at a failure the disk that holds
// the files may be what failed.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace ffdc {

struct CapturePrivacy {
  std::vector<std::string> encrypt_to;  // certificates (DER); none: captures are not encrypted
  std::string redact;                   // the text of the rules; empty: nothing is taken out
};

// certificate_files: PEM. redact_file: empty, or rules (redact_rules.h). Everything must be fit for use;
// errors name the file.
Result<CapturePrivacy> LoadPrivacy(const std::vector<std::string>& certificate_files,
                                   const std::string& redact_file);

}  // namespace ffdc
