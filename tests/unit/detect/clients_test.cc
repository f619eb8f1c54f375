// SPDX-License-Identifier: Apache-2.0
#include "detect/clients.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace ffdc {
namespace {

struct Case {
  std::string path;
  std::string type;
  std::string name;
};

class ClientOfPath : public testing::TestWithParam<Case> {};

TEST_P(ClientOfPath, NamesTheOwner) {
  const v1::Client client = ClientOfCgroupPath(GetParam().path);
  EXPECT_EQ(client.type(), GetParam().type);
  EXPECT_EQ(client.name(), GetParam().name);
  EXPECT_EQ(client.cgroup(), GetParam().path);
}

const std::string kId = std::string(60, 'a') + "0123";

INSTANTIATE_TEST_SUITE_P(
    Paths, ClientOfPath,
    testing::Values(
        Case{"/", "kernel", "kernel or the root cgroup"},
        Case{"/system.slice/postgresql.service", "systemd_unit", "postgresql.service"},
        Case{"/system.slice/system-getty.slice/getty@tty1.service", "systemd_unit", "getty@tty1.service"},
        Case{"/system.slice/dev-disk\\x2dby.mount", "systemd_unit", "dev-disk-by.mount"},
        Case{"/user.slice/user-0.slice/user@0.service/app.slice/backup.service", "systemd_unit",
             "backup.service"},
        Case{"/user.slice/user-0.slice/session-3.scope", "systemd_unit", "session-3.scope"},
        Case{"/system.slice/docker-" + kId + ".scope", "container", "aaaaaaaaaaaa"},
        Case{"/docker/" + kId, "container", "aaaaaaaaaaaa"},
        Case{"/kubepods.slice/kubepods-pod1.slice/cri-containerd-" + kId + ".scope", "container",
             "aaaaaaaaaaaa"},
        Case{"/machine.slice/libpod-" + kId + ".scope/container", "container", "aaaaaaaaaaaa"},
        Case{"/machine.slice/machine-qemu\\x2d3\\x2dweb\\x2d1.scope/libvirt/emulator", "vm", "web-1"},
        Case{"/machine.slice/machine-debian.scope", "container", "debian"},
        Case{"/batch/job7", "cgroup", "job7"}, Case{"/odd\\x2", "cgroup", "odd\\x2"},
        Case{"//", "kernel", "kernel or the root cgroup"}));

// A cgroup of our own in whatever hierarchy this host has.
class OwnCgroup {
 public:
  OwnCgroup() {
    std::ifstream mounts("/proc/self/mountinfo");
    for (std::string line; std::getline(mounts, line);) {
      const bool unified = line.find(" - cgroup2 ") != std::string::npos;
      if (!unified &&
          (line.find(" - cgroup ") == std::string::npos || line.find("blkio") == std::string::npos))
        continue;
      std::istringstream words(line);
      std::string point;
      for (int i = 0; i < 5; ++i) words >> point;
      path = point + "/ffdc-test-" + std::to_string(getpid()) + ".service";
      v2 = unified;
      if (mkdir(path.c_str(), 0755) == 0) return;
    }
    path.clear();
  }
  ~OwnCgroup() {
    if (!path.empty()) rmdir(path.c_str());
  }
  // The id as BPF sees it: the kernfs id inside the folder's file handle.
  uint64_t Id() const {
    alignas(file_handle) std::array<char, sizeof(file_handle) + 8> buffer{};
    auto* handle = reinterpret_cast<file_handle*>(buffer.data());
    handle->handle_bytes = 8;
    int mount = 0;
    EXPECT_EQ(name_to_handle_at(AT_FDCWD, path.c_str(), handle, &mount, 0), 0) << strerror(errno);
    uint64_t id = 0;
    memcpy(&id, handle->f_handle, sizeof id);
    return id;
  }
  std::string path;
  bool v2 = false;
};

TEST(ClientResolver, FindsARealCgroupByItsId) {
  const OwnCgroup cgroup;
  ASSERT_FALSE(cgroup.path.empty()) << "no cgroup hierarchy to make a cgroup in: this test needs root";
  ClientResolver resolver;
  const v1::Client client = resolver.Resolve(cgroup.Id(), cgroup.v2 ? 0 : 1);
  EXPECT_EQ(client.type(), "systemd_unit");
  EXPECT_EQ(client.name(), std::filesystem::path(cgroup.path).filename());
}

TEST(ClientResolver, ACgroupThatIsGoneIsSaidToBe) {
  ClientResolver resolver;
  const v1::Client client = resolver.Resolve(0x7fffffff12345, 0);
  EXPECT_EQ(client.type(), "cgroup");
  EXPECT_EQ(client.name(), "cgroup 2251799812711237 (gone)");
  EXPECT_EQ(resolver.Resolve(0, 0).type(), "");
}

}  // namespace
}  // namespace ffdc
