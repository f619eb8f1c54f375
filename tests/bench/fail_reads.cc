// SPDX-License-Identifier: Apache-2.0
// fail_reads DEVICE COUNT FIRST_BYTE: COUNT reads of 4 KiB past the page cache,
// as fast as they come, each of which must fail. Prints how long it took.
//
// The kernel's own asynchronous I/O, many reads in flight: a thread that waits
// for each read would measure its own wake-ups. No two reads are neighbours, or
// the block layer would make one request of them and the count would be wrong.
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

constexpr uint64_t kBlockBytes = 4096;
constexpr uint64_t kStepBytes = 2 * kBlockBytes;
constexpr size_t kDepth = 64;

[[noreturn]] void Die(const char* what) {
  perror(what);
  exit(1);
}

struct Storm {
  int device;
  uint64_t first_byte;
  uint64_t end_byte;
  uint64_t next_byte;
  void* buffer;

  void Prepare(iocb& request) {
    if (next_byte + kBlockBytes > end_byte) next_byte = first_byte;
    request = {};
    request.aio_lio_opcode = IOCB_CMD_PREAD;
    request.aio_fildes = static_cast<uint32_t>(device);
    request.aio_buf = reinterpret_cast<uint64_t>(buffer);
    request.aio_nbytes = kBlockBytes;
    request.aio_offset = static_cast<int64_t>(next_byte);
    next_byte += kStepBytes;
  }
};

// Returns how many reads succeeded; they should not.
uint64_t Run(Storm& storm, uint64_t count) {
  aio_context_t context = 0;
  if (syscall(SYS_io_setup, kDepth, &context) != 0) Die("io_setup");
  std::array<iocb, kDepth> requests;
  std::array<iocb*, kDepth> batch;
  std::array<io_event, kDepth> events;
  uint64_t submitted = 0;
  uint64_t completed = 0;
  uint64_t succeeded = 0;
  size_t waiting = 0;
  for (iocb& request : requests) {
    if (submitted + waiting == count) break;
    storm.Prepare(request);
    batch[waiting++] = &request;
  }
  while (completed < count) {
    for (size_t sent = 0; sent < waiting;) {
      const long got = syscall(SYS_io_submit, context, waiting - sent, batch.data() + sent);
      if (got <= 0) Die("io_submit");
      sent += static_cast<size_t>(got);
    }
    submitted += waiting;
    waiting = 0;
    const long ended = syscall(SYS_io_getevents, context, 1L, kDepth, events.data(), nullptr);
    if (ended <= 0) Die("io_getevents");
    for (long i = 0; i < ended; ++i) {
      const io_event& event = events[static_cast<size_t>(i)];
      if (event.res >= 0) ++succeeded;
      ++completed;
      if (submitted + waiting == count) continue;
      auto& request = *reinterpret_cast<iocb*>(event.obj);
      storm.Prepare(request);
      batch[waiting++] = &request;
    }
  }
  syscall(SYS_io_destroy, context);
  return succeeded;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: fail_reads DEVICE COUNT FIRST_BYTE\n");
    return 2;
  }
  Storm storm{};
  storm.device = open(argv[1], O_RDONLY | O_DIRECT | O_CLOEXEC);
  if (storm.device < 0) Die(argv[1]);
  const uint64_t count = strtoull(argv[2], nullptr, 10);
  storm.first_byte = storm.next_byte = strtoull(argv[3], nullptr, 10);
  if (ioctl(storm.device, BLKGETSIZE64, &storm.end_byte) != 0) Die("BLKGETSIZE64");
  if (posix_memalign(&storm.buffer, kBlockBytes, kBlockBytes) != 0) Die("memory");
  const auto begin = std::chrono::steady_clock::now();
  const uint64_t succeeded = Run(storm, count);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  printf("{\"failed\": %llu, \"succeeded\": %llu, \"seconds\": %.6f}\n",
         static_cast<unsigned long long>(count - succeeded), static_cast<unsigned long long>(succeeded),
         took.count());
  return succeeded == 0 ? 0 : 1;
}
