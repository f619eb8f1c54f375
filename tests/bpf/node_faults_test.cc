// SPDX-License-Identifier: Apache-2.0
// The programs that tell of filesystems and of the machine, on the running kernel.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "fakes/loop_device.h"
#include "fakes/temp_dir.h"
#include "ffdc/abi/fs.h"
#include "fs_error.skel.h"
#include "probe/fault_probes.h"
#include "ras.skel.h"

namespace ffdc {
namespace {

// A filesystem with so little room that a disk image on it runs out of it.
class SmallTmpfs {
 public:
  SmallTmpfs() { EXPECT_EQ(mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, "size=1m"), 0) << "needs root"; }
  ~SmallTmpfs() { umount2(dir_.path().c_str(), MNT_DETACH); }
  SmallTmpfs(const SmallTmpfs&) = delete;
  SmallTmpfs& operator=(const SmallTmpfs&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return dir_.path(); }

 private:
  TempDir dir_;
};

// The kernel has the hook, so the program is there; what it lacks is said.
void ExpectAttached(const v1::Probe& status, const std::string& hook) {
  EXPECT_NE(status.attached_to().find(hook), std::string::npos) << status.reason();
}

TEST(FsErrorProbe, TellsOfWritebackThatFailed) {
  std::vector<ffdc_fs_error> records;
  const auto probes = FaultProbes::Start({{"fs_error", fs_error_bpf::elf_bytes, "ext4,xfs"}},
                                         [&](const ffdc_record_header& header) {
                                           ASSERT_EQ(header.size_bytes, sizeof(ffdc_fs_error));
                                           records.push_back(reinterpret_cast<const ffdc_fs_error&>(header));
                                         });
  ExpectAttached(probes->Status().at(0), "filemap_set_wb_err");

  const SmallTmpfs room;
  auto disk =
      fakes::LoopDevice::Create(room.path() / "disk.img", 16u << 20, fakes::LoopDevice::Io::kBuffered);
  ASSERT_TRUE(disk) << disk.error().message;
  {
    const Fd fd(open(disk->path().c_str(), O_RDWR | O_CLOEXEC));
    const std::string data(4u << 20, 'x');
    ASSERT_EQ(pwrite(fd.get(), data.data(), data.size(), 0), static_cast<ssize_t>(data.size()));
    EXPECT_NE(fsync(fd.get()), 0);
  }
  probes->Consume();
  const auto found = std::find_if(records.begin(), records.end(),
                                  [&](const ffdc_fs_error& record) { return record.dev == disk->dev(); });
  ASSERT_NE(found, records.end());
  EXPECT_EQ(found->header.kind, static_cast<uint32_t>(FFDC_FAULT_WRITEBACK));
  EXPECT_EQ(found->flags, static_cast<uint32_t>(FFDC_FS_BLOCKDEV));
  EXPECT_TRUE(found->error == ENOSPC || found->error == EIO) << found->error;
  EXPECT_STREQ(found->fs_type, "bdev");
  EXPECT_LE(records.size(), 20u) << "a storm is held back";
}

TEST(RasProbe, LoadsWhatThisKernelHas) {
  const auto probes = FaultProbes::Start({{"ras", ras_bpf::elf_bytes, ""}}, [](const ffdc_record_header&) {});
  const v1::Probe status = probes->Status().at(0);
  EXPECT_TRUE(status.active()) << status.reason();
  ExpectAttached(status, "rcu_stall_warning");
}

}  // namespace
}  // namespace ffdc
