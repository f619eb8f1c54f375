// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <cerrno>
#include <system_error>

namespace ffdc {

Unexpected FailErrno(std::string_view what, int code) {
  return Fail(std::string(what) + ": " + std::generic_category().message(code), code);
}

Unexpected FailErrno(std::string_view what) { return FailErrno(what, errno); }

}  // namespace ffdc
