# SPDX-License-Identifier: Apache-2.0
# What nearly every source includes, parsed once: most of a build is headers. The
# precompiled headers hold none of ours but the generated ones, so that each stage still
# sees its own rooms alone; lint.sh reads the sources without them, so that each still
# includes what it uses.
set(FFDC_COMMON_HEADERS
  <algorithm> <array> <cerrno> <chrono> <cstdint> <cstring> <deque> <filesystem> <fstream> <functional> <map>
  <memory> <optional> <set> <sstream> <string> <string_view> <thread> <unordered_map> <utility> <vector>
  <google/protobuf/message.h> <google/protobuf/util/time_util.h> <tl/expected.hpp>
  <ffdc/v1/incident.pb.h> <ffdc/v1/manifest.pb.h>)

# ffdc_pch(<name> [LIBS <target>...] HEADERS <header>...): for target_precompile_headers(REUSE_FROM <name>).
# The libraries are those whose macros all users have: one that differs makes the headers unfit.
function(ffdc_pch name)
  cmake_parse_arguments(arg "" "" "LIBS;HEADERS" ${ARGN})
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/${name}.cc CONTENT "")
  add_library(${name} STATIC ${PROJECT_BINARY_DIR}/${name}.cc)
  target_link_libraries(${name} PRIVATE ffdc_flags ffdc_proto spdlog::spdlog Threads::Threads ${arg_LIBS})
  target_include_directories(${name} SYSTEM PRIVATE ${EXPECTED_INCLUDE_DIR})
  target_precompile_headers(${name} PRIVATE ${arg_HEADERS})
  # ccache takes the old precompiled headers for what they are made from, and gives them back.
  set_target_properties(${name} PROPERTIES CXX_COMPILER_LAUNCHER "")
endfunction()

ffdc_pch(ffdc_pch HEADERS ${FFDC_COMMON_HEADERS})
if(FFDC_TESTS)
  find_package(GTest REQUIRED)
  # Optimizing the tests themselves takes longer than running them.
  set(FFDC_TEST_OPTIONS -O0)
  ffdc_pch(ffdc_test_pch LIBS GTest::gmock HEADERS ${FFDC_COMMON_HEADERS} <gmock/gmock.h> <gtest/gtest.h>)
  target_compile_options(ffdc_test_pch PRIVATE ${FFDC_TEST_OPTIONS})
endif()
