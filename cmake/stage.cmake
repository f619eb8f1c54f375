# SPDX-License-Identifier: Apache-2.0
# ffdc_stage(<name> [OBJECT] [LIBS ...] [SYSTEM_INCLUDES ...]): one folder of agent/.
# A stage sees its own headers and base/'s, never another stage's: the include
# path of each target holds only links to the folders it may use. Every .cc of the
# folder belongs to it, so that a new detector or collector is one new file.
function(ffdc_stage name)
  cmake_parse_arguments(arg "OBJECT" "" "LIBS;SYSTEM_INCLUDES" ${ARGN})
  set(rooms ${PROJECT_BINARY_DIR}/rooms/${name})
  file(MAKE_DIRECTORY ${rooms})
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/agent/${name} ${rooms}/${name} SYMBOLIC)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/agent/${name}/*.cc)
  # OBJECT: registrations by static objects must survive linking.
  if(arg_OBJECT)
    add_library(ffdc_${name} OBJECT ${sources})
  else()
    add_library(ffdc_${name} STATIC ${sources})
  endif()
  target_include_directories(ffdc_${name} PUBLIC ${rooms} ${PROJECT_SOURCE_DIR}/include)
  target_include_directories(ffdc_${name} SYSTEM PUBLIC ${EXPECTED_INCLUDE_DIR} ${RAPIDJSON_INCLUDE_DIR} PRIVATE ${arg_SYSTEM_INCLUDES})
  target_link_libraries(ffdc_${name} PUBLIC ${arg_LIBS} PRIVATE ffdc_flags)
  target_precompile_headers(ffdc_${name} REUSE_FROM ffdc_pch)
  if(NOT name STREQUAL base)
    target_link_libraries(ffdc_${name} PUBLIC ffdc_base ffdc_proto)
  endif()
endfunction()
