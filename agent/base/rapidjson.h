// SPDX-License-Identifier: Apache-2.0
// RapidJSON, for whoever reads or writes JSON that is no protobuf message.
#pragma once

// RapidJSON 1.1 adds an offset to a null pointer before it first allocates, which
// is harmless but stops a fuzzer built with clang's UBSan at its first input.
#ifdef __clang__
#pragma clang attribute push(__attribute__((no_sanitize("pointer-overflow"))), apply_to = function)
#endif
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#ifdef __clang__
#pragma clang attribute pop
#endif
