// SPDX-License-Identifier: Apache-2.0
#include "probe/endpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fakes/sysfs_tree.h"
#include "fakes/temp_dir.h"

namespace ffdc {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Mount Network(const std::string& type, const std::string& source, const std::string& options) {
  Mount mount;
  mount.type = type;
  mount.source = source;
  mount.super_options = options;
  mount.point = "/srv";
  return mount;
}

std::vector<std::string> Names(const std::vector<Endpoint>& endpoints) {
  std::vector<std::string> names;
  for (const Endpoint& endpoint : endpoints) names.push_back(endpoint.Name());
  return names;
}

TEST(EndpointText, IsReadAndWrittenTheSame) {
  for (const std::string text : {"10.0.0.1:4420", "[fd00::1]:3260"}) {
    const auto endpoint = ParseEndpoint(text);
    ASSERT_TRUE(endpoint) << text;
    EXPECT_EQ(endpoint->Name(), text);
    EXPECT_EQ(endpoint->Id(), "endpoint:" + text);
  }
  EXPECT_EQ(ParseEndpoint("[::ffff:10.0.0.1]:80")->Name(), "10.0.0.1:80");
  EXPECT_EQ(ParseEndpoint("[fe80::1%eth0]:80")->Name(), "[fe80::1]:80");
}

TEST(EndpointText, NothingElseIsOne) {
  for (const std::string text : {"", ":", "10.0.0.1", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "host:1",
                                 "fd00::1:80", "[fd00::1]", "10.0.0.1:80 "})
    EXPECT_FALSE(ParseEndpoint(text)) << text;
}

TEST(EndpointsOfMountTest, Nfs) {
  const auto v4 = EndpointsOfMount(Network("nfs4", "server:/export", "rw,vers=4.2,proto=tcp,addr=10.0.0.1"));
  ASSERT_THAT(Names(v4), ElementsAre("10.0.0.1:2049"));
  EXPECT_EQ(v4[0].source, "nfs4 mount /srv");
  EXPECT_THAT(v4[0].related_ids, ElementsAre("nfs:server:/export", "mount:/srv"));
  const auto v3 = EndpointsOfMount(Network(
      "nfs", "a:/b", "rw,mountaddr=10.0.0.9,mountport=20048,port=2050,clientaddr=10.0.0.8,addr=fd00::1"));
  EXPECT_THAT(Names(v3), ElementsAre("[fd00::1]:2050"));
  EXPECT_THAT(Names(EndpointsOfMount(Network("nfs4", "a:/b", "proto=rdma,port=0,addr=10.0.0.1"))),
              ElementsAre("10.0.0.1:20049"));
  EXPECT_THAT(EndpointsOfMount(Network("nfs4", "a:/b", "rw")), IsEmpty());
}

TEST(EndpointsOfMountTest, Ceph) {
  EXPECT_THAT(Names(EndpointsOfMount(Network("ceph", "10.0.0.1:6789,10.0.0.2:/dir", "rw,name=admin"))),
              ElementsAre("10.0.0.1:6789", "10.0.0.2:6789"));
  EXPECT_THAT(Names(EndpointsOfMount(
                  Network("ceph", "u@1b2c.fs=/", "rw,ms_mode=prefer-crc,mon_addr=10.0.0.1/[fd00::2]:3300"))),
              ElementsAre("10.0.0.1:3300", "[fd00::2]:3300"));
}

TEST(EndpointsOfMountTest, LocalFilesystemsHaveNone) {
  EXPECT_THAT(EndpointsOfMount(Network("ext4", "/dev/sda", "rw,addr=10.0.0.1")), IsEmpty());
}

class ReadEndpointsTest : public ::testing::Test {
 protected:
  ReadEndpointsTest() : tree_(dir_.path()) {
    options_.sysfs = tree_.sysfs();
    options_.procfs = dir_.path() / "proc";
    options_.identities = [](const std::string& disk) { return std::vector<std::string>{"id:" + disk}; };
    tree_.Write("proc/self/mountinfo", "");
  }
  std::vector<Endpoint> Read() { return ReadEndpoints(options_).endpoints; }

  TempDir dir_;
  fakes::SysfsTree tree_;
  EndpointOptions options_;
};

TEST_F(ReadEndpointsTest, NothingIsThere) { EXPECT_THAT(Read(), IsEmpty()); }

TEST_F(ReadEndpointsTest, NvmeOverFabricsAndTheDisksOfItsSubsystem) {
  tree_.Write("sys/class/nvme/nvme0/uevent",
              "MAJOR=241\nNVME_TRTYPE=tcp\nNVME_TRADDR=10.0.0.1\nNVME_TRSVCID=4420\nNVME_HOST_TRADDR=none\n");
  tree_.Write("sys/class/nvme/nvme0/subsysnqn", "nqn.a\n");
  tree_.Write("sys/class/nvme/nvme0/nvme0c0n1/size", "");
  tree_.Write("sys/class/nvme-subsystem/nvme-subsys0/nvme0/state", "");
  tree_.Write("sys/class/nvme-subsystem/nvme-subsys0/nvme0n1/size", "");
  tree_.Write("sys/class/nvme-subsystem/nvme-subsys1/nvme7n1/size", "");
  tree_.Write("sys/class/nvme/nvme1/uevent", "NVME_TRTYPE=pcie\n");
  tree_.Write("sys/class/nvme/nvme2/uevent", "NVME_TRADDR=10.0.0.1\nNVME_TRSVCID=8009\n");
  tree_.Write("sys/class/nvme/nvme2/subsysnqn", "nqn.2014-08.org.nvmexpress.discovery\n");
  const auto found = Read();
  ASSERT_THAT(Names(found), ElementsAre("10.0.0.1:4420"));
  EXPECT_EQ(found[0].source, "nvme controller nvme0");
  EXPECT_THAT(found[0].related_ids, ElementsAre("id:nvme0n1", "nvme:nqn.a"));
}

TEST_F(ReadEndpointsTest, Iscsi) {
  tree_.Write("sys/class/iscsi_connection/connection3:0/persistent_address", "10.0.0.5\n");
  tree_.Write("sys/class/iscsi_connection/connection3:0/persistent_port", "3260\n");
  tree_.Write("sys/class/iscsi_session/session3/device/target2:0:0/2:0:0:1/block/sdb/size", "");
  const auto found = Read();
  ASSERT_THAT(Names(found), ElementsAre("10.0.0.5:3260"));
  EXPECT_EQ(found[0].source, "iscsi session3");
  EXPECT_THAT(found[0].related_ids, ElementsAre("id:sdb"));
}

TEST_F(ReadEndpointsTest, RbdWithoutItsSecret) {
  tree_.Write("sys/bus/rbd/devices/0/config_info",
              "10.0.0.1:6789,10.0.0.2 name=admin,secret=10.9.9.9 pool image -\n");
  const auto found = Read();
  EXPECT_THAT(Names(found), ElementsAre("10.0.0.1:6789", "10.0.0.2:6789"));
  EXPECT_THAT(found[0].related_ids, ElementsAre("id:rbd0"));
}

NbdConnection Nbd(uint32_t device, uint32_t connection, const std::string& remote) {
  const Endpoint endpoint = *ParseEndpoint(remote);
  return {device, connection, endpoint.address, endpoint.port};
}

TEST_F(ReadEndpointsTest, NbdWhereItsConnectionsLead) {
  options_.nbd_connections = [] {
    return std::vector<NbdConnection>{Nbd(0, 0, "10.0.0.1:10809"), Nbd(0, 1, "10.0.0.1:10809"),
                                      Nbd(0, 2, "10.0.0.2:10809"), Nbd(12, 0, "[fd00::1]:10809"),
                                      Nbd(13, 0, "10.0.0.1:10809")};
  };
  for (const std::string disk : {"nbd0", "nbd12", "nbd13"}) tree_.Write("sys/block/" + disk + "/pid", "77\n");
  const auto found = Read();
  ASSERT_THAT(Names(found), ElementsAre("10.0.0.1:10809", "10.0.0.2:10809", "[fd00::1]:10809"));
  EXPECT_EQ(found[0].source, "nbd0");
  EXPECT_EQ(found[0].role, EndpointRole::kStorage);
  EXPECT_THAT(found[0].related_ids, ElementsAre("id:nbd0", "id:nbd13")) << "one server of two disks";
  EXPECT_THAT(found[1].related_ids, ElementsAre("id:nbd0"));
  EXPECT_EQ(found[2].source, "nbd12");
  EXPECT_THAT(found[2].related_ids, ElementsAre("id:nbd12"));
}

TEST_F(ReadEndpointsTest, NbdThatIsGivenBackIsForgotten) {
  std::vector<uint32_t> forgotten;
  options_.nbd_connections = [] {
    return std::vector<NbdConnection>{Nbd(0, 0, "10.0.0.1:10809"), Nbd(1, 0, "10.0.0.2:10809"),
                                      Nbd(2, 0, "10.0.0.3:10809")};
  };
  options_.forget_nbd = [&](const NbdConnection& connection) { forgotten.push_back(connection.device); };
  tree_.Write("sys/block/nbd0/size", "0\n");  // the disk stays, without a server
  tree_.Write("sys/block/nbd1/pid", "77\n");
  EXPECT_THAT(Names(Read()), ElementsAre("10.0.0.2:10809"));
  EXPECT_THAT(forgotten, ElementsAre(0, 2));
}

TEST_F(ReadEndpointsTest, OneEndpointOfManyIsOneAndTheFirstNamesIt) {
  options_.configured = {"10.0.0.1:2049", "[fd00::1]:2379"};
  tree_.Write("proc/self/mountinfo",
              "30 1 0:40 / /srv/a rw - nfs4 s:/a rw,addr=10.0.0.1\n"
              "31 1 0:41 / /srv/b\\040b rw - nfs4 s:/b rw,addr=10.0.0.1\n"
              "32 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
  const auto found = Read();
  ASSERT_THAT(Names(found), ElementsAre("10.0.0.1:2049", "[fd00::1]:2379"));
  EXPECT_EQ(found[0].source, "configuration");
  EXPECT_THAT(found[0].related_ids, ElementsAre("nfs:s:/a", "mount:/srv/a", "nfs:s:/b", "mount:/srv/b b"));
}

Endpoint Member(const std::string& address, EndpointRole role, const std::string& id) {
  Endpoint endpoint = *ParseEndpoint(address);
  endpoint.source = "cluster";
  endpoint.related_ids = {id};
  endpoint.role = role;
  return endpoint;
}

TEST_F(ReadEndpointsTest, TheClusterComesLastAndSaysWhatIsConfigured) {
  options_.configured = {"10.0.0.9:2379", "10.0.0.8:3260"};
  options_.cluster = [] {
    return std::vector<Endpoint>{Member("10.0.0.9:2379", EndpointRole::kDb, "cluster_db:c"),
                                 Member("10.0.0.1:2049", EndpointRole::kPeer, "node:a"),
                                 Member("10.0.0.2:7420", EndpointRole::kPeer, "node:b")};
  };
  tree_.Write("proc/self/mountinfo", "30 1 0:40 / /srv/a rw - nfs4 s:/a rw,addr=10.0.0.1\n");
  const auto found = Read();
  ASSERT_THAT(Names(found), ElementsAre("10.0.0.9:2379", "10.0.0.8:3260", "10.0.0.1:2049", "10.0.0.2:7420"));
  EXPECT_EQ(found[0].role, EndpointRole::kDb);
  EXPECT_THAT(found[0].related_ids, ElementsAre("cluster_db:c"));
  EXPECT_EQ(found[1].role, EndpointRole::kStorage);
  EXPECT_EQ(found[2].role, EndpointRole::kStorage) << "a peer's address, but a mount's port";
  EXPECT_EQ(found[3].role, EndpointRole::kPeer);
  EXPECT_EQ(found[3].source, "cluster");
}

TEST_F(ReadEndpointsTest, TheStoresServersComeBeforeTheClusters) {
  options_.store_url = "rados://dump";
  options_.store_servers = [] { return std::vector<std::string>{"10.0.0.3:3300", "mon.example:3300"}; };
  options_.cluster = [] {
    return std::vector<Endpoint>{Member("10.0.0.2:7420", EndpointRole::kPeer, "node:b")};
  };
  const auto found = Read();
  ASSERT_THAT(Names(found), ElementsAre("10.0.0.3:3300", "10.0.0.2:7420"));
  EXPECT_EQ(found[0].role, EndpointRole::kStorage);
  EXPECT_EQ(found[0].source, "store rados://dump");
  EXPECT_THAT(found[0].related_ids, ElementsAre("rados://dump"));
}

TEST_F(ReadEndpointsTest, TheMountBelowTheStoreCarriesIt) {
  options_.store_url = "dir:/srv/b/captures";
  options_.store_folder = "/srv/b/captures";
  tree_.Write("proc/self/mountinfo",
              "30 1 0:40 / /srv/a rw - nfs4 s:/a rw,addr=10.0.0.1\n"
              "31 1 0:41 / /srv/b rw - nfs4 t:/b rw,addr=10.0.0.2\n");
  const auto found = Read();
  ASSERT_THAT(Names(found), ElementsAre("10.0.0.1:2049", "10.0.0.2:2049"));
  EXPECT_THAT(found[0].related_ids, ElementsAre("nfs:s:/a", "mount:/srv/a"));
  EXPECT_THAT(found[1].related_ids, ElementsAre("nfs:t:/b", "mount:/srv/b", "dir:/srv/b/captures"));
}

TEST_F(ReadEndpointsTest, ThePeersThatDoNotFitAreCountedAndStorageStays) {
  options_.cluster = [] {
    std::vector<Endpoint> peers;
    for (size_t i = 1; i <= kMaxEndpoints; ++i)
      peers.push_back(Member("10.1.0.1:" + std::to_string(i), EndpointRole::kPeer, "node:n"));
    return peers;
  };
  tree_.Write("proc/self/mountinfo", "30 1 0:40 / /srv rw - nfs4 s:/a rw,addr=10.0.0.1\n");
  const auto list = ReadEndpoints(options_);
  EXPECT_EQ(list.endpoints.size(), kMaxEndpoints);
  EXPECT_EQ(list.endpoints[0].Name(), "10.0.0.1:2049");
  EXPECT_EQ(list.left_out, 1u);
}

TEST_F(ReadEndpointsTest, StatusTellsTheRoles) {
  const auto source = EndpointSource::Start(options_, [] {});
  EXPECT_EQ(source->Status()[0].attached_to(), "0 addresses: 0 storage");
  options_.configured = {"10.0.0.8:3260"};
  options_.cluster = [] {
    return std::vector<Endpoint>{Member("10.0.0.9:2379", EndpointRole::kDb, "cluster_db:c"),
                                 Member("10.0.0.2:7420", EndpointRole::kPeer, "node:b")};
  };
  const auto clustered = EndpointSource::Start(options_, [] {});
  clustered->Rescan();
  EXPECT_EQ(clustered->Status()[0].attached_to(), "3 addresses: 1 storage, 1 db, 1 peer");
}

TEST_F(ReadEndpointsTest, ThereIsALimitAndItIsCounted) {
  std::string mounts;
  for (size_t i = 0; i < kMaxEndpoints + 5; ++i)
    mounts += "30 1 0:40 / /m rw - nfs4 s:/a rw,addr=10.1." + std::to_string(i / 250) + "." +
              std::to_string(i % 250) + "\n";
  tree_.Write("proc/self/mountinfo", mounts);
  const auto list = ReadEndpoints(options_);
  EXPECT_EQ(list.endpoints.size(), kMaxEndpoints);
  EXPECT_EQ(list.left_out, 5u);
}

TEST_F(ReadEndpointsTest, AChangeIsToldOnce) {
  int changes = 0;
  const auto source = EndpointSource::Start(options_, [&] { ++changes; });
  source->Rescan();
  EXPECT_EQ(changes, 0);
  tree_.Write("proc/self/mountinfo", "30 1 0:40 / /srv rw - nfs4 s:/a rw,addr=10.0.0.1\n");
  source->Outdated();
  source->Poll();
  source->Rescan();
  EXPECT_EQ(changes, 1);
  EXPECT_NE(source->Find(*ParseIpAddress("10.0.0.1"), 2049), nullptr);
  EXPECT_EQ(source->Find(*ParseIpAddress("10.0.0.1"), 2050), nullptr);
}

}  // namespace
}  // namespace ffdc
