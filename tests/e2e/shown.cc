// SPDX-License-Identifier: Apache-2.0
// shown MAJOR MINOR: counts the completions of a device that this kernel shows to
// BPF programs, until its standard input ends; then prints them. Some sandboxes do
// not run programs while a process of their own is current, so that tests which
// must be exact compare with this and not with the requests they made.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "bpf/oracle.h"
#include "ffdc/abi/block.h"

namespace {

ffdc::Result<> Run(uint32_t dev) {
  FFDC_ASSIGN(const auto oracle, ffdc::Oracle::Start(dev));
  puts("counting");
  fflush(stdout);
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  printf("{\"good\": %llu, \"failed\": %llu, \"missed\": %llu}\n",
         static_cast<unsigned long long>(oracle.good()), static_cast<unsigned long long>(oracle.failed()),
         static_cast<unsigned long long>(oracle.misses()));
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: shown MAJOR MINOR\n");
    return 2;
  }
  const auto major = static_cast<uint32_t>(strtoul(argv[1], nullptr, 10));
  const auto minor = static_cast<uint32_t>(strtoul(argv[2], nullptr, 10));
  const auto done = Run(major << FFDC_DEV_MINOR_BITS | minor);
  if (!done) fprintf(stderr, "shown: %s\n", done.error().message.c_str());
  return done ? 0 : 1;
}
