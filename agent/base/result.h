// SPDX-License-Identifier: Apache-2.0
// Errors are values: every function that can fail returns Result<T>. The message
// says what failed, on which object, why, and what to do; only edges (daemon.cc,
// stage runners, ctl/) log it, once.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace ffdc {

struct Error {
  std::string message;
  int code = 0;  // errno where the kernel gave one, else 0

  // Puts the caller's context in front: "cannot seal capture X: <message>".
  [[nodiscard]] Error In(std::string_view context) const {
    return {std::string(context) + ": " + message, code};
  }
};

template <class T = void>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

using Unexpected = tl::unexpected<Error>;

inline Unexpected Fail(std::string message, int code = 0) {
  return Unexpected(Error{std::move(message), code});
}

// "what: strerror(code)"; code defaults to errno.
Unexpected FailErrno(std::string_view what, int code);
Unexpected FailErrno(std::string_view what);

}  // namespace ffdc

// Returns the error of `expr` (a Result) from the calling function.
#define FFDC_TRY(expr)                                                                                       \
  do {                                                                                                       \
    if (auto ffdc_result_ = (expr); !ffdc_result_) return ffdc::Unexpected(std::move(ffdc_result_).error()); \
  } while (0)

#define FFDC_CONCAT_INNER(a, b) a##b
#define FFDC_CONCAT(a, b) FFDC_CONCAT_INNER(a, b)
// FFDC_ASSIGN(auto value, F()): declares `value` from F()'s value, or returns F()'s error.
#define FFDC_ASSIGN(decl, expr) FFDC_ASSIGN_INNER(FFDC_CONCAT(ffdc_result_, __LINE__), decl, expr)
// NOLINTBEGIN(bugprone-macro-parentheses): decl is a declaration
#define FFDC_ASSIGN_INNER(tmp, decl, expr)                   \
  auto tmp = (expr);                                         \
  if (!tmp) return ffdc::Unexpected(std::move(tmp).error()); \
  decl = std::move(*tmp)
// NOLINTEND(bugprone-macro-parentheses)
