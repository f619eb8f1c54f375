// SPDX-License-Identifier: Apache-2.0
#include "detect/io_wait.h"

#include <gtest/gtest.h>

namespace ffdc {
namespace {

struct Stack {
  const char* what;
  std::vector<std::string> frames;
  bool is_io;
  const char* function;
};

// Stacks as kernels 6.1, 6.12 and 6.18 show them, innermost first.
TEST(ClassifyWait, TellsDisksFromEverythingElse) {
  const Stack cases[] = {
      {"direct read of a disk",
       {"blk_io_schedule+0x1c/0x40", "__blkdev_direct_IO_simple+0x101/0x1e0", "blkdev_read_iter+0xb0/0x150"},
       true,
       "blk_io_schedule"},
      {"a page of a file",
       {"io_schedule+0x42/0x70", "folio_wait_bit_common+0x13d/0x350", "filemap_get_pages+0x2f/0x5f0"},
       true,
       "folio_wait_bit_common"},
      {"fsync of a journalled file",
       {"jbd2_log_wait_commit+0xd8/0x140 [jbd2]", "ext4_sync_file+0x1a/0x300 [ext4]"},
       true,
       "jbd2_log_wait_commit"},
      {"a compiler's name", {"__wait_on_buffer.isra.0+0x1/0x2"}, true, "__wait_on_buffer"},
      {"nothing but the scheduler's word",
       {"io_schedule+0x42/0x70", "some_driver_wait+0x1/0x2"},
       true,
       "io_schedule"},
      {"a lock",
       {"rwsem_down_write_slowpath+0x1/0x2", "ext4_file_write_iter+0x1/0x2"},
       false,
       "rwsem_down_write_slowpath"},
      {"a lock whose owner does I/O",
       {"io_schedule+0x1/0x2", "__mutex_lock.constprop.0+0x1/0x2"},
       false,
       "__mutex_lock"},
      {"a frozen filesystem",
       {"percpu_rwsem_wait+0x1/0x2", "__percpu_down_read+0x1/0x2", "vfs_write+0x1/0x2"},
       false,
       "percpu_rwsem_wait"},
      {"vfork", {"kernel_clone+0x1/0x2", "__do_sys_vfork+0x1/0x2"}, false, "kernel_clone"},
      {"a device's own command",
       {"wait_for_completion_io_timeout+0x1/0x2", "blk_execute_rq+0x1/0x2", "sg_io+0x1/0x2"},
       false,
       "blk_execute_rq"},
      {"too many dirty pages",
       {"io_schedule_timeout+0x1/0x2", "balance_dirty_pages+0x1/0x2"},
       false,
       "balance_dirty_pages"},
      {"an NFS server",
       {"rpc_wait_bit_killable+0x1/0x2 [sunrpc]", "__wait_on_bit+0x1/0x2"},
       false,
       "rpc_wait_bit_killable"},
      {"a FUSE server",
       {"request_wait_answer+0x1/0x2", "fuse_simple_request+0x1/0x2"},
       false,
       "request_wait_answer"},
      {"something else",
       {"schedule_timeout+0x1/0x2", "kswapd_of_the_future+0x1/0x2"},
       false,
       "kswapd_of_the_future"},
      {"no symbols", {"0xffffffff81234567"}, false, "0xffffffff81234567"},
      {"no stack", {}, false, ""},
  };
  for (const Stack& test : cases) {
    const TaskWait wait = ClassifyWait(test.frames);
    EXPECT_EQ(wait.is_io, test.is_io) << test.what;
    EXPECT_EQ(wait.function, test.function) << test.what;
  }
}

TEST(SetWaiters, TheLongestWaitingAreNamedAndEveryClientCounted) {
  DetectorWorld world;
  world.client = [](uint64_t id, uint32_t) {
    v1::Client client;
    client.set_type("systemd_unit");
    client.set_cgroup("/" + std::to_string(id));
    return client;
  };
  std::vector<BlockedTask> tasks(40);
  std::vector<WaitingTask> waiting;
  for (uint32_t i = 0; i < tasks.size(); ++i) {
    tasks[i].pid = i;
    tasks[i].comm = "t\xff\n";
    tasks[i].cgroup_id = i % 2;
    waiting.push_back({&tasks[i], {true, "submit_bio_wait"}, i});
  }
  v1::Event event;
  SetWaiters(event, waiting, world);
  SetWaiters(event, waiting, world);
  ASSERT_EQ(event.waiters_size(), 32);
  EXPECT_EQ(event.waiters(0).pid(), 39u);
  EXPECT_EQ(event.waiters(0).comm(), "t\\xff\\x0a");
  ASSERT_EQ(event.clients_size(), 2);
  EXPECT_EQ(event.clients(0).failures() + event.clients(1).failures(), 40u);
}

}  // namespace
}  // namespace ffdc
