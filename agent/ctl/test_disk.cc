// SPDX-License-Identifier: Apache-2.0
#include "ctl/test_disk.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <thread>
#include <utility>

namespace ffdc::ctl {
namespace {

constexpr off_t kDiskBytes = 16 << 20;
constexpr size_t kBlockBytes = 4096;

struct Free {
  void operator()(void* memory) const { free(memory); }  // NOLINT: of aligned_alloc
};

// udev may be a moment behind with the node.
Fd OpenNode(const std::string& node) {
  constexpr int kAttempts = 100;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Fd fd(open(node.c_str(), O_RDWR | O_CLOEXEC));
    if (fd.valid() || errno != ENOENT) return fd;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  errno = ENOENT;
  return {};
}

}  // namespace

Result<TestDisk> TestDisk::Create() {
  TestDisk disk;
  // Not /tmp: a tmpfs may refuse direct I/O, and a buffered loop device before Linux 6.15 reads
  // zeroes where its file was cut instead of failing.
  std::string pattern = "/var/tmp/ffdc-selftest-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) return FailErrno("cannot make a folder " + pattern);
  disk.folder_ = pattern;
  disk.backing_ = pattern + "/disk";
  disk.file_ = Fd(open(disk.backing_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!disk.file_.valid()) return FailErrno("cannot make " + disk.backing_);
  if (ftruncate(disk.file_.get(), kDiskBytes) != 0) return FailErrno("cannot size " + disk.backing_);
  FFDC_TRY(disk.Attach());
  return disk;
}

Result<> TestDisk::Attach() {
  const Fd control(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!control.valid()) {
    const int code = errno;
    const std::string_view advice =
        code == ENOENT ? " (is the loop module there? modprobe loop)" : " (the self-test needs root)";
    return FailErrno("cannot open /dev/loop-control" + std::string(advice), code);
  }
  loop_config config{};
  config.fd = static_cast<uint32_t>(file_.get());
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO;
  backing_.copy(reinterpret_cast<char*>(config.info.lo_file_name), LO_NAME_SIZE - 1);
  // Another process may take the free device first: ask again.
  constexpr int kAttempts = 20;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const int number = ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) return FailErrno("cannot find a free loop device");
    const std::string node = "/dev/loop" + std::to_string(number);
    Fd device = OpenNode(node);
    if (!device.valid()) return FailErrno("cannot open " + node);
    if (ioctl(device.get(), LOOP_CONFIGURE, &config) == 0) {
      device_ = std::move(device);
      number_ = number;
      return {};
    }
    if (errno != EBUSY) return FailErrno("cannot attach " + backing_ + " to " + node);
  }
  return Fail("cannot get a loop device: others take every free one", EBUSY);
}

TestDisk::TestDisk(TestDisk&& other) noexcept
    : folder_(std::exchange(other.folder_, {})),
      backing_(std::move(other.backing_)),
      file_(std::move(other.file_)),
      device_(std::move(other.device_)),
      number_(other.number_) {}

TestDisk::~TestDisk() { static_cast<void>(Remove().has_value()); }

Result<> TestDisk::CutInHalf() const {
  if (ftruncate(file_.get(), kDiskBytes / 2) != 0) return FailErrno("cannot cut " + backing_);
  return {};
}

Result<uint64_t> TestDisk::Read(uint64_t count, bool second_half) const {
  const std::string node = "/dev/" + name();
  const Fd fd(open(node.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
  if (!fd.valid()) return FailErrno("cannot open " + node);
  const std::unique_ptr<void, Free> block(std::aligned_alloc(kBlockBytes, kBlockBytes));
  const off_t start = second_half ? kDiskBytes / 2 : 0;
  uint64_t failed = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const off_t offset = start + static_cast<off_t>(i * kBlockBytes);
    const ssize_t got = pread(fd.get(), block.get(), kBlockBytes, offset);
    if (got < 0 && errno != EIO) return FailErrno("cannot read " + node);
    if (got < 0) ++failed;
  }
  return failed;
}

Result<> TestDisk::Remove() {
  Result<> result;
  if (device_.valid() && ioctl(device_.get(), LOOP_CLR_FD, 0) != 0) {
    result = FailErrno("cannot free /dev/" + name() + " (losetup -d does it)");
  }
  device_.reset();
  file_.reset();
  std::error_code error;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, error);
  if (error && result) result = FailErrno("cannot remove " + folder_, error.value());
  folder_.clear();
  return result;
}

}  // namespace ffdc::ctl
