// SPDX-License-Identifier: Apache-2.0
#include "base/precedence.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace ffdc {
namespace {

constexpr int kPrecedenceNice = -10;
// The slice it asks for, the least there is. Since Linux 6.12 (commits 857b158dc5e8, 85e511df3cec) who wakes
// up with a short one need not wait for the end of another's longer one; kernels before ignore it.
constexpr uint64_t kSliceNs = 100'000;

// struct sched_attr as sched_setattr(2) has it; the kernel's header and older ones of libc exclude each
// other.
struct SchedAttributes {
  uint32_t size = sizeof(SchedAttributes);
  uint32_t policy = SCHED_OTHER;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime_ns = 0;
  uint64_t deadline_ns = 0;
  uint64_t period_ns = 0;
};
static_assert(sizeof(SchedAttributes) == 48);  // SCHED_ATTR_SIZE_VER0

}  // namespace

Result<> TakePrecedence() {
  SchedAttributes attributes;
  attributes.nice = kPrecedenceNice;
  attributes.runtime_ns = kSliceNs;
  if (syscall(SYS_sched_setattr, 0, &attributes, 0) != 0) return FailErrno("cannot raise the priority");
  return {};
}

}  // namespace ffdc
