// SPDX-License-Identifier: Apache-2.0
// toml++, as every reader of a configuration must include it, behind
// base/toml_screen.h. For targets that have its folder in their include path.
#pragma once

// toml++ 3.3 asserts what only holds in valid files ("[=]" would end the process, or be
// undefined behaviour with NDEBUG); without the assertions its own checks find the error.
#undef NDEBUG
#define TOML_ASSERT(condition) static_cast<void>(0)
#define TOML_EXCEPTIONS 1
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>
