// SPDX-License-Identifier: Apache-2.0
// A disk to break: a loop device over a sparse file in a folder of its own. Gone
// with the object; the kernel lets the device go even if the process is killed.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace ffdc::ctl {

class TestDisk {
 public:
  static Result<TestDisk> Create();
  TestDisk(TestDisk&& other) noexcept;
  TestDisk& operator=(TestDisk&&) = delete;
  TestDisk(const TestDisk&) = delete;
  TestDisk& operator=(const TestDisk&) = delete;
  ~TestDisk();

  [[nodiscard]] std::string name() const { return "loop" + std::to_string(number_); }
  [[nodiscard]] const std::string& backing() const { return backing_; }

  // Reads past the cut fail from now on.
  [[nodiscard]] Result<> CutInHalf() const;
  // `count` blocks of 4 KiB, past the page cache, from the first or from the second half. Returns how
  // many of the reads the device failed (EIO).
  [[nodiscard]] Result<uint64_t> Read(uint64_t count, bool second_half) const;
  // Frees the device and removes the file; as the destructor does, but tells.
  Result<> Remove();

 private:
  TestDisk() = default;
  Result<> Attach();

  std::string folder_;
  std::string backing_;
  Fd file_;
  Fd device_;
  int number_ = -1;
};

}  // namespace ffdc::ctl
