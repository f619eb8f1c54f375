# SPDX-License-Identifier: Apache-2.0
# ffdc_proto: the C++ made from include/ffdc/proto. Generated code is compiled
# without our warnings.
set(PROTO_DIR ${PROJECT_SOURCE_DIR}/include/ffdc/proto)
set(PROTO_OUT ${PROJECT_BINARY_DIR}/proto)
file(MAKE_DIRECTORY ${PROTO_OUT})
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

set(PROTO_NAMES ffdc/v1/incident ffdc/v1/manifest ffdc/v1/store ffdc/v1/capture ffdc/v1/control ffdc/v1/baseline
  ffdc/v1/peer etcd/rpc)
set(PROTO_SOURCES)
set(GRPC_SOURCES)
foreach(name ${PROTO_NAMES})
  list(APPEND proto_files ${PROTO_DIR}/${name}.proto)
endforeach()
foreach(name ${PROTO_NAMES})
  add_custom_command(
    OUTPUT ${PROTO_OUT}/${name}.pb.cc ${PROTO_OUT}/${name}.pb.h
    COMMAND protobuf::protoc -I ${PROTO_DIR} --cpp_out=${PROTO_OUT} ${PROTO_DIR}/${name}.proto
    DEPENDS ${proto_files})
  list(APPEND PROTO_SOURCES ${PROTO_OUT}/${name}.pb.cc)
endforeach()
foreach(name ffdc/v1/control ffdc/v1/peer etcd/rpc)
  add_custom_command(
    OUTPUT ${PROTO_OUT}/${name}.grpc.pb.cc ${PROTO_OUT}/${name}.grpc.pb.h
    COMMAND protobuf::protoc -I ${PROTO_DIR} --grpc_out=${PROTO_OUT}
            --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN} ${PROTO_DIR}/${name}.proto
    DEPENDS ${proto_files})
  list(APPEND GRPC_SOURCES ${PROTO_OUT}/${name}.grpc.pb.cc)
endforeach()

add_library(ffdc_proto STATIC ${PROTO_SOURCES})
# Generated sources all use the same private names.
set_target_properties(ffdc_proto PROPERTIES UNITY_BUILD OFF)
target_include_directories(ffdc_proto SYSTEM PUBLIC ${PROTO_OUT})
target_link_libraries(ffdc_proto PUBLIC protobuf::libprotobuf)
add_library(ffdc_grpc STATIC ${GRPC_SOURCES})
target_link_libraries(ffdc_grpc PUBLIC ffdc_proto PkgConfig::GRPC)
if(FFDC_SANITIZE)
  foreach(lib ffdc_proto ffdc_grpc)
    target_compile_options(${lib} PRIVATE -fsanitize=${FFDC_SANITIZE})
  endforeach()
endif()
