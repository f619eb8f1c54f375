// SPDX-License-Identifier: Apache-2.0
// A loop device of the test's own, over a file the test may truncate: reads past
// the file's new end then fail for real, with BLK_STS_IOERR. Needs root.
//
// Before Linux 6.15 that takes direct I/O, which the default asks for, and a file
// on a disk's filesystem: buffered loop devices, and those over tmpfs, read zeroes.
#pragma once

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

#include "base/fd.h"
#include "base/result.h"

namespace ffdc::fakes {

class LoopDevice {
 public:
  enum class Io { kDirect, kBuffered };

  // A sparse file of size_bytes at `backing` (made, or cut to size), attached.
  static Result<LoopDevice> Create(const std::filesystem::path& backing, uint64_t size_bytes,
                                   Io io = Io::kDirect) {
    Fd file(::open(backing.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file.valid()) return FailErrno("cannot open backing file " + backing.string());
    if (::ftruncate(file.get(), static_cast<off_t>(size_bytes)) != 0) {
      return FailErrno("cannot size backing file " + backing.string());
    }
    return Attach(std::move(file), backing, io);
  }

  LoopDevice(LoopDevice&&) noexcept = default;
  LoopDevice& operator=(LoopDevice&&) = delete;
  LoopDevice(const LoopDevice&) = delete;
  LoopDevice& operator=(const LoopDevice&) = delete;
  ~LoopDevice() { Detach(); }

  [[nodiscard]] std::string name() const { return "loop" + std::to_string(number_); }
  [[nodiscard]] std::filesystem::path path() const { return "/dev/" + name(); }
  [[nodiscard]] uint32_t dev() const { return dev_; }  // major << 20 | minor

  // Cuts the backing file; the device keeps its size, and what lies past the cut fails to read.
  [[nodiscard]] Result<> Truncate(uint64_t size_bytes) const {
    if (::truncate(backing_.c_str(), static_cast<off_t>(size_bytes)) != 0) {
      return FailErrno("cannot truncate " + backing_.string());
    }
    return {};
  }

  // Frees the device; the backing file stays. The kernel waits with it for the last user.
  void Detach() {
    if (device_.valid()) ::ioctl(device_.get(), LOOP_CLR_FD, 0);
    device_.reset();
  }

 private:
  LoopDevice(Fd device, std::filesystem::path backing, int number, uint32_t dev)
      : device_(std::move(device)), backing_(std::move(backing)), number_(number), dev_(dev) {}

  static Result<LoopDevice> Attach(Fd file, const std::filesystem::path& backing, Io io) {
    const Fd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
    if (!control.valid()) return FailErrno("cannot open /dev/loop-control");
    loop_config config{};
    config.fd = static_cast<uint32_t>(file.get());
    if (io == Io::kDirect) config.info.lo_flags = LO_FLAGS_DIRECT_IO;  // ignored where it cannot be
    std::strncpy(reinterpret_cast<char*>(config.info.lo_file_name), backing.c_str(), LO_NAME_SIZE - 1);
    // Another process may take the free device first: ask again.
    for (int attempt = 0; attempt < 100; ++attempt) {
      const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
      if (number < 0) return FailErrno("no free loop device");
      Fd device = OpenNode(number);
      if (!device.valid()) return FailErrno("cannot open /dev/loop" + std::to_string(number));
      if (::ioctl(device.get(), LOOP_CONFIGURE, &config) == 0) {
        struct stat status {};
        if (::fstat(device.get(), &status) != 0) return FailErrno("cannot stat loop device");
        const uint32_t dev = major(status.st_rdev) << 20 | minor(status.st_rdev);
        return LoopDevice(std::move(device), backing, number, dev);
      }
      if (errno != EBUSY) return FailErrno("cannot attach " + backing.string() + " to a loop device");
    }
    return FailErrno("every free loop device was taken by others");
  }

  // devtmpfs may be a moment behind.
  static Fd OpenNode(int number) {
    const std::string node = "/dev/loop" + std::to_string(number);
    for (int attempt = 0; attempt < 100; ++attempt) {
      Fd device(::open(node.c_str(), O_RDWR | O_CLOEXEC));
      if (device.valid() || errno != ENOENT) return device;
      ::usleep(10'000);
    }
    return {};
  }

  Fd device_;
  std::filesystem::path backing_;
  int number_ = -1;
  uint32_t dev_ = 0;
};

}  // namespace ffdc::fakes
