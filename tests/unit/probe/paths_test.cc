// SPDX-License-Identifier: Apache-2.0
#include "probe/paths.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "fakes/fake_clock.h"
#include "fakes/sysfs_tree.h"
#include "fakes/temp_dir.h"
#include "fakes/units.h"
#include "ffdc/abi/rpc.h"

namespace ffdc {
namespace {

namespace fs = std::filesystem;
using State = PathState::State;

class PathsTest : public ::testing::Test {
 protected:
  PathsTest() : tree_(dir_.path()) {}

  // After the tree is made.
  void Start() {
    auto devices = DeviceInventory::Open(tree_.sysfs(), {}, [](const DeviceInventory::Change&) {});
    ASSERT_TRUE(devices) << devices.error().message;
    devices_ = std::move(*devices);
    PathWorld world;
    world.roots = DeviceRoots(tree_.sysfs());
    world.clock = &clock_;
    world.devices = [this] { return devices_.get(); };
    world.submit = [this](const WorkerRequest& request, std::function<void(WorkerReport)> done) {
      requests_.push_back(request);
      done({WorkerOutcome::kOk, worker_reply_, "", 0});
    };
    probe_ = PathProbe::Start(std::move(world), [this](const PathState& state) { seen_.push_back(state); });
    Poll();
  }
  void Poll(int times = 1) {
    for (; times > 0; --times) {
      clock_.now_ns += kSecond / 2;
      probe_->Poll();
    }
  }
  void Send(const std::string& action, const std::string& subsystem, const std::string& devtype,
            const std::string& devpath, std::map<std::string, std::string, std::less<>> properties = {}) {
    const Uevent event{action, subsystem, devtype, devpath, std::move(properties)};
    devices_->OnUevent(event);
    probe_->OnUevent(event);
  }
  void Say(const std::string& text) {
    KernelMessage message;
    message.text = text;
    message.time_ns = clock_.now_ns;
    probe_->OnKernelMessage(message);
  }
  // "dm-0 sdb [1:0:0:0] lost 1/2", one a line; forgets them.
  std::string Told() {
    std::string told;
    for (const PathState& state : seen_) {
      told += state.subject_name + ": " + state.path + " " +
              (state.state == State::kLive   ? "live"
               : state.state == State::kLost ? "lost"
                                             : "troubled") +
              " " + std::to_string(state.paths_left) + "/" + std::to_string(state.paths_total) + "\n";
    }
    seen_.clear();
    return told;
  }
  void Link(const fs::path& link, const fs::path& target) {
    fs::create_directories((tree_.sysfs() / link).parent_path());
    fs::create_directory_symlink(tree_.sysfs() / target, tree_.sysfs() / link);
  }
  // A SCSI disk whose device folder lies at `place` below sys/devices.
  void AddScsi(const std::string& name, const std::string& dev, const fs::path& place,
               const std::string& wwid) {
    const fs::path device = fs::path("devices") / place;
    tree_.AddDisk(name, dev, {{"stat", "0 0 0 0 0 0 0 0"}});
    fs::create_directories(tree_.disk(name) / "holders");
    tree_.Write("sys" / device / "state", "running\n");
    tree_.Write("sys" / device / "type", "0\n");
    tree_.Write("sys" / device / "wwid", wwid + "\n");
    Link("block/" + name + "/device", device);
    fs::create_directory_symlink(tree_.sysfs() / "bus/scsi", tree_.sysfs() / device / "subsystem");
  }
  void SetState(const std::string& disk, const std::string& state) {
    std::ofstream(tree_.disk(disk) / "device/state") << state << "\n";
  }
  void Multipath() {
    AddScsi("sda", "8:0", "host0/target0:0:0/0:0:0:0", "naa.5");
    AddScsi("sdb", "8:16", "host1/target1:0:0/1:0:0:0", "naa.5");
    tree_.AddDisk("dm-0", "253:0", {{"dm/uuid", "mpath-a"}, {"dm/name", "mpatha"}});
    for (const std::string disk : {"sda", "sdb"}) {
      Link("block/dm-0/slaves/" + disk, "block/" + disk);
      tree_.AddHolder(disk, "dm-0");
    }
  }
  void MapEvent(const std::string& action, const std::string& path, const std::string& valid) {
    Send("change", "block", "disk", "/devices/virtual/block/dm-0",
         {{"DM_TARGET", "multipath"},
          {"DM_ACTION", action},
          {"DM_PATH", path},
          {"DM_NR_VALID_PATHS", valid},
          {"DM_NAME", "mpatha"},
          {"DM_UUID", "mpath-a"}});
  }
  void AddController(const std::string& name, const std::string& port, const std::string& state,
                     const std::string& disk) {
    const std::string below = "sys/class/nvme/" + name;
    tree_.Write(below + "/subsysnqn", "nqn.test\n");
    tree_.Write(below + "/state", state + "\n");
    tree_.Write(below + "/uevent", "NVME_TRTYPE=tcp\nNVME_TRADDR=10.0.0.1\nNVME_TRSVCID=" + port + "\n");
    if (!disk.empty()) tree_.Write(below + "/" + disk + "/ana_state", "optimized\n");
  }
  void SetController(const std::string& name, const std::string& state) {
    tree_.Write("sys/class/nvme/" + name + "/state", state + "\n");
  }
  void RemoveController(const std::string& name) { fs::remove_all(tree_.sysfs() / "class/nvme" / name); }

  TempDir dir_;
  fakes::SysfsTree tree_;
  FakeClock clock_;
  std::unique_ptr<DeviceInventory> devices_;
  std::unique_ptr<PathProbe> probe_;
  std::vector<PathState> seen_;
  std::vector<WorkerRequest> requests_;
  std::string worker_reply_;
};

TEST_F(PathsTest, MultipathTellsOfEachPathOnce) {
  Multipath();
  Start();
  EXPECT_EQ(Told(), "");
  MapEvent("PATH_FAILED", "8:16", "1");
  ASSERT_EQ(seen_.size(), 1u);
  EXPECT_EQ(seen_[0].subject_id, "dm:mpath-a");
  EXPECT_EQ(seen_[0].related_ids, std::vector<std::string>{"wwid:naa.5"});
  EXPECT_EQ(Told(), "dm-0 (mpatha): sdb [1:0:0:0] lost 1/2\n");
  MapEvent("PATH_FAILED", "8:16", "1");
  EXPECT_EQ(Told(), "");
  MapEvent("PATH_FAILED", "8:0", "0");
  EXPECT_EQ(Told(), "dm-0 (mpatha): sda [0:0:0:0] lost 0/2\n");
  MapEvent("PATH_REINSTATED", "8:0", "1");
  EXPECT_EQ(Told(), "dm-0 (mpatha): sda [0:0:0:0] live 1/2\n");
  MapEvent("PATH_REINSTATED", "8:16", "2");
  EXPECT_EQ(Told(), "dm-0 (mpatha): sdb [1:0:0:0] live 2/2\n");
}

TEST_F(PathsTest, AFailedPathThatIsTakenOutOfTheTableIsStillMissed) {
  Multipath();
  Start();
  MapEvent("PATH_FAILED", "8:16", "1");
  Told();
  fs::remove(tree_.disk("dm-0") / "slaves/sdb");
  Send("change", "block", "disk", "/devices/virtual/block/dm-0");
  EXPECT_EQ(Told(), "");
  AddScsi("sdc", "8:32", "host2/target2:0:0/2:0:0:0", "naa.5");
  Link("block/dm-0/slaves/sdc", "block/sdc");
  Send("change", "block", "disk", "/devices/virtual/block/dm-0");
  EXPECT_EQ(Told(), "dm-0 (mpatha): sda [0:0:0:0] live 2/2\n");
}

TEST_F(PathsTest, APathThatFailedBeforeTheAgentStartedIsCounted) {
  Multipath();
  Start();
  MapEvent("PATH_FAILED", "8:16", "0");
  EXPECT_EQ(Told(),
            "dm-0 (mpatha): sdb [1:0:0:0] lost 0/2\n"
            "dm-0 (mpatha): (not known) lost 0/2\n");
  MapEvent("PATH_REINSTATED", "8:16", "1");
  EXPECT_EQ(seen_.back().paths_left, 1u);
  Told();
  MapEvent("PATH_REINSTATED", "8:0", "2");
  EXPECT_EQ(seen_.back().paths_left, 2u);
}

TEST_F(PathsTest, NvmeControllerThatReconnectsIsLostUntilItIsLive) {
  AddController("nvme0", "4420", "live", "nvme0c0n1");
  AddController("nvme1", "4421", "live", "nvme0c1n1");
  tree_.AddBioDisk("nvme0n1", "259:0", {{"wwid", "uuid.1"}});
  tree_.AddBioDisk("nvme0c1n1", "259:2", {{"wwid", "uuid.1"}});  // has its head's identity
  Start();
  Poll(3);
  EXPECT_EQ(Told(), "");
  SetController("nvme1", "connecting");
  Poll();
  EXPECT_EQ(Told(), "");  // it may be a reset that somebody asked for
  Poll();
  ASSERT_EQ(seen_.size(), 1u);
  EXPECT_EQ(seen_[0].transport, "nvme-tcp");
  EXPECT_EQ(seen_[0].subject_id, "wwid:uuid.1");
  EXPECT_EQ(seen_[0].time_ns, clock_.now_ns - kSecond / 2);
  EXPECT_NE(std::find(seen_[0].related_ids.begin(), seen_[0].related_ids.end(), "endpoint:10.0.0.1:4421"),
            seen_[0].related_ids.end());
  EXPECT_EQ(std::count(seen_[0].related_ids.begin(), seen_[0].related_ids.end(), seen_[0].subject_id), 0);
  EXPECT_EQ(Told(), "nvme0n1: nvme1 tcp 10.0.0.1:4421 lost 1/2\n");
  SetController("nvme1", "live");
  Poll();
  EXPECT_EQ(Told(), "nvme0n1: nvme1 tcp 10.0.0.1:4421 live 2/2\n");
}

TEST_F(PathsTest, NvmeControllerThatIsGivenUpStaysLostAndItsReturnUnderAnotherNumberIsHeard) {
  AddController("nvme0", "4420", "live", "nvme0c0n1");
  AddController("nvme1", "4421", "live", "nvme0c1n1");
  tree_.AddBioDisk("nvme0n1", "259:0", {{"wwid", "uuid.1"}});
  Start();
  SetController("nvme1", "connecting");
  Poll(2);
  Told();
  RemoveController("nvme1");
  Poll(4);
  EXPECT_EQ(seen_.back().paths_left, 1u);
  EXPECT_EQ(seen_.back().paths_total, 2u);
  Told();
  AddController("nvme2", "4421", "live", "nvme0c2n1");
  Send("add", "nvme", "", "/devices/virtual/nvme-fabrics/ctl/nvme2");
  Poll();
  ASSERT_FALSE(seen_.empty());
  EXPECT_EQ(seen_.back().state, State::kLive);
  EXPECT_EQ(seen_.back().paths_left, 2u);
}

TEST_F(PathsTest, NvmeControllerThatFailedBeforeTheAgentLookedIsLost) {
  Start();  // it comes later
  AddController("nvme0", "4420", "connecting", "nvme0c0n1");
  tree_.AddBioDisk("nvme0n1", "259:0", {{"wwid", "uuid.1"}});
  Send("add", "nvme", "", "/devices/virtual/nvme-fabrics/ctl/nvme0");
  Poll(2);
  EXPECT_EQ(Told(), "nvme0n1: nvme0 tcp 10.0.0.1:4420 lost 0/1\n");
  SetController("nvme0", "live");
  Poll();
  EXPECT_EQ(Told(), "nvme0n1: nvme0 tcp 10.0.0.1:4420 live 1/1\n");
}

TEST_F(PathsTest, NvmeDisconnectAndAConnectInVainAreNoFailure) {
  AddController("nvme0", "4420", "live", "nvme0n1");
  tree_.AddBioDisk("nvme0n1", "259:0", {{"wwid", "uuid.1"}});
  Start();
  AddController("nvme1", "4421", "connecting", "");
  Send("add", "nvme", "", "/devices/virtual/nvme-fabrics/ctl/nvme1");
  Poll(3);
  RemoveController("nvme1");
  SetController("nvme0", "deleting");
  Poll(2);
  SetController("nvme0", "deleting (no IO)");
  Poll(2);
  tree_.RemoveDisk("nvme0n1", "259:0");
  Send("remove", "block", "disk", "/devices/virtual/nvme-fabrics/ctl/nvme0/nvme0n1");
  RemoveController("nvme0");
  Poll(4);
  EXPECT_EQ(Told(), "");
}

TEST_F(PathsTest, NvmeSoleControllerGivenUpIsGone) {
  AddController("nvme0", "4420", "live", "nvme0c0n1");
  tree_.AddBioDisk("nvme0n1", "259:0", {{"wwid", "uuid.1"}});
  Start();
  SetController("nvme0", "connecting");
  Poll(2);
  EXPECT_EQ(Told(), "nvme0n1: nvme0 tcp 10.0.0.1:4420 lost 0/1\n");
  tree_.RemoveDisk("nvme0n1", "259:0");
  Send("remove", "block", "disk", "/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1");
  RemoveController("nvme0");
  Poll(2);
  EXPECT_EQ(Told(), "nvme0n1: nvme0 tcp 10.0.0.1:4420 lost 0/0\n");
}

TEST_F(PathsTest, AnaTakeoverIsNotAFailedPath) {
  AddController("nvme0", "4420", "live", "nvme0c0n1");
  AddController("nvme1", "4421", "live", "nvme0c1n1");
  tree_.AddBioDisk("nvme0n1", "259:0", {{"wwid", "uuid.1"}});
  Start();
  Poll();
  tree_.Write("sys/class/nvme/nvme1/nvme0c1n1/ana_state", "inaccessible\n");
  Poll(2);
  EXPECT_EQ(Told(), "nvme0n1: nvme1 tcp 10.0.0.1:4421 troubled 1/1\n");
}

TEST_F(PathsTest, ScsiDiskOfflineAndBack) {
  AddScsi("sda", "8:0", "host0/target0:0:0/0:0:0:0", "naa.5");
  Start();
  SetState("sda", "transport-offline");
  Poll();
  EXPECT_EQ(Told(), "sda: sda [0:0:0:0] lost 0/1\n");
  Poll(3);
  EXPECT_EQ(Told(), "");
  SetState("sda", "running");
  Poll();
  EXPECT_EQ(Told(), "sda: sda [0:0:0:0] live 1/1\n");
}

TEST_F(PathsTest, WhatLiesOfflineUnusedWhenTheAgentStartsIsNoNews) {
  AddScsi("sda", "8:0", "host0/target0:0:0/0:0:0:0", "naa.5");
  SetState("sda", "offline");
  Start();
  Poll(5);
  EXPECT_EQ(Told(), "");
}

TEST_F(PathsTest, FailedIscsiSessionIsALossOfTheDisksBehindIt) {
  AddScsi("sda", "8:0", "platform/host2/session1/target2:0:0/2:0:0:0", "naa.6");
  tree_.Write("sys/class/iscsi_session/session1/state", "LOGGED_IN\n");
  tree_.Write("sys/class/iscsi_session/session1/targetname", "iqn.t\n");
  tree_.Write("sys/class/iscsi_connection/connection1:0/persistent_address", "10.0.0.9\n");
  tree_.Write("sys/class/iscsi_connection/connection1:0/persistent_port", "3260\n");
  Start();
  tree_.Write("sys/class/iscsi_session/session1/state", "FAILED\n");
  SetState("sda", "blocked");
  Poll();
  ASSERT_EQ(seen_.size(), 1u);
  EXPECT_EQ(seen_[0].transport, "iscsi");
  EXPECT_EQ(seen_[0].related_ids, std::vector<std::string>{"endpoint:10.0.0.9:3260"});
  EXPECT_EQ(Told(), "sda: sda [2:0:0:0] iqn.t 10.0.0.9:3260 lost 0/1\n");
}

TEST_F(PathsTest, LogoutOfAnIscsiSessionIsNoFailure) {
  AddScsi("sda", "8:0", "platform/host2/session1/target2:0:0/2:0:0:0", "naa.6");
  tree_.Write("sys/class/iscsi_session/session1/state", "LOGGED_IN\n");
  Start();
  SetState("sda", "deleted");
  Poll();
  tree_.RemoveDisk("sda", "8:0");
  Send("remove", "block", "disk", "/devices/platform/host2/session1/target2:0:0/2:0:0:0/block/sda");
  tree_.Write("sys/class/iscsi_session/session1/state", "FREE\n");
  Poll(3);
  EXPECT_EQ(Told(), "");
}

TEST_F(PathsTest, ABlockedFcPortCountsForTheMultipathDevice) {
  Multipath();
  AddScsi("sdc", "8:32", "host3/rport-3:0-1/target3:0:0/3:0:0:0", "naa.5");
  Link("block/dm-0/slaves/sdc", "block/sdc");
  tree_.AddHolder("sdc", "dm-0");
  tree_.Write("sys/class/fc_remote_ports/rport-3:0-1/port_state", "Online\n");
  Start();
  Poll(2);
  tree_.Write("sys/class/fc_remote_ports/rport-3:0-1/port_state", "Blocked\n");
  Poll();
  EXPECT_EQ(Told(), "dm-0 (mpatha): sdc [3:0:0:0] rport-3:0-1 lost 2/3\n");
}

TEST_F(PathsTest, RemovalIsALossOnlyOfWhatIsInUse) {
  AddScsi("sda", "8:0", "host0/target0:0:0/0:0:0:0", "naa.5");
  AddScsi("sdb", "8:16", "host0/target0:0:1/0:0:1:0", "naa.6");
  AddScsi("sdc", "8:32", "host0/target0:0:2/0:0:2:0", "naa.7");
  Start();
  tree_.Write("proc/self/mountinfo", "30 1 8:33 / /srv rw - ext4 /dev/sdc1 rw\n");
  AddScsi("sdd", "8:48", "host0/target0:0:3/0:0:3:0", "naa.8");
  for (int reads = 1; reads <= 8; ++reads) {
    const std::string stat = std::to_string(reads) + " 0 8 0 0 0 0 0";
    std::ofstream(tree_.disk("sdb") / "stat") << stat;
    if (reads > 4) std::ofstream(tree_.disk("sdd") / "stat") << stat;  // somebody looked at it
    Poll();
  }
  for (const auto& [disk, dev] : {std::pair("sda", "8:0"), std::pair("sdb", "8:16"), std::pair("sdc", "8:32"),
                                  std::pair("sdd", "8:48")}) {
    tree_.RemoveDisk(disk, dev);
    Send("remove", "block", "disk", std::string("/devices/host0/block/") + disk);
  }
  EXPECT_EQ(Told(),
            "sdb: sdb [0:0:1:0] lost 0/1\nsdb: sdb [0:0:1:0] lost 0/0\n"
            "sdc: sdc [0:0:2:0] lost 0/1\nsdc: sdc [0:0:2:0] lost 0/0\n");
}

TEST_F(PathsTest, NbdServerKilled) {
  tree_.AddDisk("nbd0", "43:0", {{"pid", "77"}});
  Start();
  Say("block nbd0: Receive control failed (result -32)");
  EXPECT_EQ(Told(), "nbd0: nbd0 connection lost 0/1\n");
  fs::remove(tree_.disk("nbd0") / "pid");
  Poll();
  EXPECT_EQ(Told(), "nbd0: nbd0 connection lost 0/0\n");
}

TEST_F(PathsTest, NbdDisconnectIsNoFailure) {
  tree_.AddDisk("nbd0", "43:0", {{"pid", "77"}});
  Start();
  Say("block nbd0: NBD_DISCONNECT");
  Say("block nbd0: Disconnected due to user request.");
  Say("block nbd0: Send control failed (result -32)");
  fs::remove(tree_.disk("nbd0") / "pid");
  Poll(3);
  EXPECT_EQ(Told(), "");
}

class NfsPathsTest : public PathsTest {
 protected:
  void Mount(uint64_t replies = 10) {
    tree_.Write("proc/self/mountinfo",
                "40 1 0:45 / /mnt/nfs rw - nfs4 10.0.0.1:/export rw,vers=4.2,hard,addr=10.0.0.1\n");
    Replies(replies);
  }
  void Replies(uint64_t count) {
    tree_.Write("proc/self/mountstats",
                "device 10.0.0.1:/export mounted on /mnt/nfs with fstype nfs4 statvers=1.1\n"
                "\txprt:\ttcp 0 0 2 0 5 120 " +
                    std::to_string(count) + " 0 240 0 2 1 3\n");
  }
  void Fail(uint32_t failure, uint32_t status, uint8_t last_octet = 1) {
    ffdc_rpc_fault fault{};
    fault.header = {FFDC_FAULT_RPC, sizeof fault, clock_.now_ns};
    fault.failure = failure;
    fault.status = status;
    fault.program = 100003;
    const uint8_t address[] = {2, 0, 0x08, 0x01, 10, 0, 0, last_octet};
    std::memcpy(fault.address, address, sizeof address);
    probe_->OnRecord(fault.header);
  }
};

TEST_F(NfsPathsTest, TimeoutIsALossUntilRepliesCome) {
  Start();
  Mount();
  Fail(FFDC_RPC_TIMEOUT, 110);
  ASSERT_EQ(seen_.size(), 1u);
  EXPECT_EQ(seen_[0].mount_devs, std::vector<uint32_t>{45});
  EXPECT_EQ(seen_[0].subject_id, "nfs:10.0.0.1:/export");
  EXPECT_EQ(seen_[0].related_ids, (std::vector<std::string>{"endpoint:10.0.0.1:2049", "mount:/mnt/nfs"}));
  Poll(2);
  EXPECT_EQ(Told(),
            "10.0.0.1:/export: 10.0.0.1:2049 troubled 0/0\n10.0.0.1:/export: 10.0.0.1:2049 lost 0/1\n");
  Poll(3);
  EXPECT_EQ(Told(), "");
  Replies(11);
  Poll();
  EXPECT_EQ(Told(), "10.0.0.1:/export: 10.0.0.1:2049 live 1/1\n");
}

TEST_F(NfsPathsTest, OneSlowCallAmongAnsweredOnesIsNoLoss) {
  Start();
  Mount();
  Fail(FFDC_RPC_TIMEOUT, 110);
  Poll();
  Replies(50);
  Poll();
  EXPECT_EQ(Told(),
            "10.0.0.1:/export: 10.0.0.1:2049 troubled 0/0\n10.0.0.1:/export: 10.0.0.1:2049 live 1/1\n");
}

TEST_F(NfsPathsTest, ARefusedConnectionIsTroubleAndTheKernelLogIsTheLastWitness) {
  Start();
  Mount();
  Fail(FFDC_RPC_CONNECT, 111);
  EXPECT_EQ(seen_.back().detail, "Connection refused");
  Say("nfs: server 10.0.0.1 not responding, still trying");
  Poll(2);
  EXPECT_EQ(seen_.back().state, State::kLost);
  Say("nfs: server 10.0.0.1 OK");
  EXPECT_EQ(seen_.back().state, State::kLive);
}

TEST_F(NfsPathsTest, ServersThatNobodyMountedAndUnmountedOnesAreNoNews) {
  Start();
  Fail(FFDC_RPC_CONNECT, 111);
  Mount();
  Fail(FFDC_RPC_CONNECT, 111, 2);
  EXPECT_EQ(Told(), "");
  Fail(FFDC_RPC_CONNECT, 111);
  Told();
  tree_.Write("proc/self/mountinfo", "");
  Poll();
  EXPECT_EQ(Told(), "10.0.0.1:/export: 10.0.0.1:2049 lost 0/0\n");
}

TEST_F(PathsTest, CephOsdDownIsOnePathAndRequestsWithoutAnOsdAreALoss) {
  fs::create_directories(tree_.sysfs() / "kernel/debug/ceph/5d3f3c31.client42");
  Start();
  Say("libceph: osd3 down");
  ASSERT_EQ(seen_.size(), 1u);
  EXPECT_EQ(seen_[0].subject_id, "ceph:5d3f3c31");
  EXPECT_EQ(seen_[0].paths_left, 1u);
  worker_reply_ = "REQUESTS 4 homeless 4\n";
  Poll(4);
  ASSERT_EQ(requests_.size(), 1u);
  EXPECT_EQ(seen_.back().paths_left, 0u);
  worker_reply_ = "REQUESTS 0 homeless 0\n";
  Poll(4);
  EXPECT_EQ(seen_.back().paths_left, 1u);
  Say("libceph: osd3 up");
  EXPECT_EQ(seen_.back().state, State::kLive);
  const size_t asked = requests_.size();
  Poll(8);
  EXPECT_EQ(requests_.size(), asked);  // nothing is wrong: nobody is asked
}

}  // namespace
}  // namespace ffdc
