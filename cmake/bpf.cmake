# SPDX-License-Identifier: Apache-2.0
# ffdc_bpf_object(<name> [<folder>]): bpf/<name>.bpf.c -> <name>.skel.h. CO-RE against the
# types in bpf/include, so neither a running kernel nor its BTF is needed to build.
set(BPF_OUT ${PROJECT_BINARY_DIR}/bpf)
file(MAKE_DIRECTORY ${BPF_OUT})
add_library(ffdc_bpf INTERFACE)
target_include_directories(ffdc_bpf SYSTEM INTERFACE ${BPF_OUT})
target_link_libraries(ffdc_bpf INTERFACE PkgConfig::LIBBPF)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(BPF_TARGET_ARCH arm64)
else()
  set(BPF_TARGET_ARCH x86)
endif()

function(ffdc_bpf_object name)
  set(folder ${PROJECT_SOURCE_DIR}/bpf)
  if(ARGC GREATER 1)
    set(folder ${ARGV1})
  endif()
  set(source ${folder}/${name}.bpf.c)
  file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bpf/include/*.h ${PROJECT_SOURCE_DIR}/include/ffdc/abi/*.h)
  add_custom_command(
    OUTPUT ${BPF_OUT}/${name}.skel.h
    COMMAND ${CLANG_BPF} -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_${BPF_TARGET_ARCH} -DFFDC_BPF
            -Wall -Wextra -Werror -Wno-unused-parameter -Wno-missing-declarations
            -I ${PROJECT_SOURCE_DIR}/bpf/include -I ${PROJECT_SOURCE_DIR}/include
            -c ${source} -o ${BPF_OUT}/${name}.bpf.o
    COMMAND ${LLVM_STRIP} -g ${BPF_OUT}/${name}.bpf.o   # keeps BTF, drops DWARF
    COMMAND ${CMAKE_COMMAND} -E echo "/* NOLINTBEGIN: made by bpftool */" > ${BPF_OUT}/${name}.skel.h
    COMMAND ${BPFTOOL} gen skeleton ${BPF_OUT}/${name}.bpf.o name ${name}_bpf >> ${BPF_OUT}/${name}.skel.h
    COMMAND ${CMAKE_COMMAND} -E echo "/* NOLINTEND */" >> ${BPF_OUT}/${name}.skel.h
    DEPENDS ${source} ${headers})
  add_custom_target(bpf_${name} DEPENDS ${BPF_OUT}/${name}.skel.h)
  add_dependencies(ffdc_bpf bpf_${name})
endfunction()
