// SPDX-License-Identifier: Apache-2.0
// The task iterator, on the running kernel: a task in D state is seen with its
// stack. vfork(2) makes one: the parent sleeps uninterruptibly until its child
// has ended.
#include "base/blocked_tasks.h"

#include <bpf/bpf.h>
#include <signal.h>
#include <sys/wait.h>

#include <ctime>

#include "bpf/block_io_fixture.h"

namespace ffdc {
namespace {

using BlockedTasksTest = BlockIoTest;

std::string ReadAll(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = read(fd, buffer, sizeof(buffer))) > 0;)
    text.append(buffer, static_cast<size_t>(got));
  return text;
}

// A child in D state, or soon, until the object goes away.
class BlockedChild {
 public:
  BlockedChild() : pid_(fork()) {
    if (pid_ != 0) {
      setpgid(pid_, pid_);  // as the child does: whoever comes first
      return;
    }
    setpgid(0, 0);
    const pid_t grandchild = vfork();  // NOLINT(clang-analyzer-security.insecureAPI.vfork)
    if (grandchild == 0) {
      // Neither exec nor exit, which is what vfork is for: so that the child stays where it is.
      while (true) pause();  // NOLINT(clang-analyzer-unix.Vfork)
    }
    _exit(0);
  }
  BlockedChild(const BlockedChild&) = delete;
  BlockedChild& operator=(const BlockedChild&) = delete;
  ~BlockedChild() {
    kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

TEST_F(BlockedTasksTest, ATaskInDStateIsListedWithItsStack) {
  Start();
  ASSERT_GE(probe_->blocked_tasks_link_fd(), 0);
  const BlockedChild child;
  const std::string head = "D pid=" + std::to_string(child.pid()) + " tgid=" + std::to_string(child.pid()) +
                           " ppid=" + std::to_string(getpid()) + " state=0x";
  std::string text;
  size_t at = std::string::npos;
  // It is on its way there.
  for (int attempt = 0; attempt < 100 && at == std::string::npos; ++attempt) {
    if (attempt > 0) usleep(10'000);
    const Fd iterator(bpf_iter_create(probe_->blocked_tasks_link_fd()));
    ASSERT_TRUE(iterator.valid());
    text = ReadAll(iterator.get());
    at = text.find(head);
  }
  ASSERT_NE(at, std::string::npos) << text;
  const size_t end_of_line = text.find('\n', at);
  const std::string line = text.substr(at, end_of_line - at);
  const auto tasks = ParseBlockedTasks(text);
  const auto task = std::find_if(tasks.begin(), tasks.end(), [&](const BlockedTask& other) {
    return other.pid == static_cast<uint32_t>(child.pid());
  });
  ASSERT_NE(task, tasks.end()) << line;
  EXPECT_EQ(task->comm, ReadLine("/proc/self/comm"));
  EXPECT_EQ(task->file_dev, 0u) << "vfork is about no file";
  EXPECT_GT(task->switches, 0u);
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  const uint64_t now_ns =
      static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  EXPECT_LT(task->start_ns, now_ns);
  EXPECT_GT(task->start_ns + 60'000'000'000, now_ns);
  const std::string stack = text.substr(end_of_line + 1, text.find("\nD ", end_of_line) - end_of_line);
  EXPECT_TRUE(stack.starts_with("  ")) << stack;
  EXPECT_NE(stack.find("fork"), std::string::npos) << stack;
}

TEST_F(BlockedTasksTest, TheAgentReadsThemItself) {
  Start();
  const BlockedChild child;
  bool found = false;
  for (int attempt = 0; attempt < 100 && !found; ++attempt) {
    if (attempt > 0) usleep(10'000);
    const auto text = probe_->BlockedTasksText();
    ASSERT_TRUE(text) << text.error().message;
    for (const BlockedTask& task : ParseBlockedTasks(*text))
      found |= task.pid == static_cast<uint32_t>(child.pid());
  }
  EXPECT_TRUE(found);
}

TEST_F(BlockedTasksTest, IdleKernelThreadsAndOurselvesAreNot) {
  Start();
  const Fd iterator(bpf_iter_create(probe_->blocked_tasks_link_fd()));
  ASSERT_TRUE(iterator.valid());
  const std::string text = ReadAll(iterator.get());
  EXPECT_EQ(text.find("pid=" + std::to_string(getpid()) + " "), std::string::npos) << text;
  EXPECT_EQ(text.find("comm=kworker"), std::string::npos) << text;
}

}  // namespace
}  // namespace ffdc
