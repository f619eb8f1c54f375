# SPDX-License-Identifier: Apache-2.0
# Every target of ours: warnings are errors, sanitizers as asked for.
add_library(ffdc_flags INTERFACE)
target_compile_options(ffdc_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror
  $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>)
if(FFDC_SANITIZE)
  target_compile_options(ffdc_flags INTERFACE -fsanitize=${FFDC_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(ffdc_flags INTERFACE -fsanitize=${FFDC_SANITIZE})
  if(FFDC_SANITIZE MATCHES thread)
    # GCC's TSan does not know std::atomic_thread_fence; the code has none, gRPC's headers do.
    target_compile_options(ffdc_flags INTERFACE -Wno-tsan)
  endif()
endif()
