// SPDX-License-Identifier: Apache-2.0
// How many completions of a device this kernel shows to BPF programs, from its start on:
// what must be exact is exact by this (oracle.bpf.c).
#pragma once

#include <cstdint>
#include <utility>

#include "base/result.h"
#include "oracle.skel.h"
#include "probe/bpf_support.h"

namespace ffdc {

class Oracle {
 public:
  static Result<Oracle> Start(uint32_t dev) {
    FFDC_ASSIGN(auto skeleton, LoadSkeleton<oracle_bpf>([dev](oracle_bpf& opened) {
                  opened.rodata->dev = dev;
                  return 0;
                }));
    FFDC_ASSIGN(auto link, AttachProgram(skeleton->progs.oracle));
    return Oracle(std::move(skeleton), std::move(link));
  }

  [[nodiscard]] uint64_t good() const { return skeleton_->bss->good; }
  [[nodiscard]] uint64_t failed() const { return skeleton_->bss->failed; }
  // Shown, but not to a program that ran on that CPU already.
  [[nodiscard]] uint64_t misses() const { return GetProgramStats(skeleton_->progs.oracle).misses; }

 private:
  Oracle(BpfSkeleton<oracle_bpf> skeleton, BpfLink link)
      : skeleton_(std::move(skeleton)), link_(std::move(link)) {}

  BpfSkeleton<oracle_bpf> skeleton_;
  BpfLink link_;
};

}  // namespace ffdc
