# SPDX-License-Identifier: Apache-2.0
# Every target of ours: warnings are errors, sanitizers as asked for.
add_library(ffdc_flags INTERFACE)
target_compile_options(ffdc_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror
  $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # GCC takes std::string's code for ours once it comes from precompiled headers, and sees
  # writes out of bounds in it that are not there (GCC bugs 105329, 105651).
  target_compile_options(ffdc_flags INTERFACE -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread)
endif()
if(FFDC_SANITIZE)
  target_compile_options(ffdc_flags INTERFACE -fsanitize=${FFDC_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(ffdc_flags INTERFACE -fsanitize=${FFDC_SANITIZE})
  if(FFDC_SANITIZE MATCHES thread)
    # GCC's TSan does not know std::atomic_thread_fence; the code has none, gRPC's headers do.
    target_compile_options(ffdc_flags INTERFACE -Wno-tsan)
  endif()
endif()
