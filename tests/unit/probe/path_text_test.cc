// SPDX-License-Identifier: Apache-2.0
#include "probe/path_text.h"

#include <gtest/gtest.h>

namespace ffdc {
namespace {

TEST(PathTextTest, NvmeUevent) {
  const NvmeAddress tcp = ParseNvmeUevent(
      "MAJOR=242\nMINOR=0\nDEVNAME=nvme0\nNVME_TRTYPE=tcp\nNVME_TRADDR=10.0.0.1\nNVME_TRSVCID=4420\n"
      "NVME_HOST_TRADDR=none\nNVME_HOST_IFACE=none\n");
  EXPECT_EQ(tcp.transport, "tcp");
  EXPECT_EQ(tcp.address, "10.0.0.1:4420");
  EXPECT_EQ(ParseNvmeUevent("NVME_TRTYPE=rdma\nNVME_TRADDR=fe80::1\nNVME_TRSVCID=4420\n").address,
            "[fe80::1]:4420");
  EXPECT_EQ(ParseNvmeUevent("NVME_TRTYPE=fc\nNVME_TRADDR=nn-0x1:pn-0x2\nNVME_TRSVCID=none\n").address,
            "nn-0x1:pn-0x2");
  const NvmeAddress local = ParseNvmeUevent("MAJOR=242\nMINOR=0\nDEVNAME=nvme0\n");
  EXPECT_EQ(local.transport, "pcie");
  EXPECT_EQ(local.address, "");
}

TEST(PathTextTest, SocketAddress) {
  const uint8_t v4[28] = {2, 0, 0x08, 0x01, 10, 0, 0, 1};
  const auto address = ParseSocketAddress(v4);
  ASSERT_TRUE(address);
  EXPECT_EQ(address->host, "10.0.0.1");
  EXPECT_EQ(address->port, "2049");
  uint8_t v6[28] = {10, 0, 0x08, 0x01};
  v6[23] = 1;
  EXPECT_EQ(ParseSocketAddress(v6)->host, "::1");
  const uint8_t local[28] = {1, 0, '/'};
  EXPECT_FALSE(ParseSocketAddress(local));
}

TEST(PathTextTest, MountStatsCountTheRepliesOfAllConnections) {
  const auto mounts = ParseMountStats(
      "device proc mounted on /proc with fstype proc\n"
      "device 10.0.0.1:/export mounted on /mnt/a b with fstype nfs4 statvers=1.1\n"
      "\topts:\trw,vers=4.2\n"
      "\txprt:\ttcp 0 0 2 0 5 120 118 0 240 0 2 1 3\n"
      "\txprt:\ttcp 0 0 2 0 5 20 12 0 240 0 2 1 3\n"
      "\tper-op statistics\n\t        NULL: 1 1 0 44 24 0 0 0 0\n"
      "device srv:/v3 mounted on /v3 with fstype nfs statvers=1.1\n"
      "\txprt:\tudp 700 1 9 7 0 9 0\n");
  ASSERT_EQ(mounts.size(), 2u);
  EXPECT_EQ(mounts[0].point, "/mnt/a b");
  EXPECT_EQ(mounts[0].received, 130u);
  EXPECT_EQ(mounts[1].received, 7u);
}

TEST(PathTextTest, MountOptions) {
  EXPECT_EQ(MountOption("rw,vers=4.2,mountaddr=1.1.1.1,addr=10.0.0.1", "addr"), "10.0.0.1");
  EXPECT_EQ(MountOption("rw,hard", "addr"), "");
}

TEST(PathTextTest, NbdMessages) {
  using What = NbdMessage::What;
  EXPECT_EQ(ParseNbdMessage("block nbd0: Receive control failed (result -32)")->what, What::kLost);
  EXPECT_EQ(ParseNbdMessage("block nbd12: Connection timed out")->device, "nbd12");
  const auto half = ParseNbdMessage("block nbd0: Connection timed out, retrying (1/2 alive)");
  EXPECT_EQ(half->alive, 1u);
  EXPECT_EQ(half->total, 2u);
  EXPECT_EQ(ParseNbdMessage("block nbd0: NBD_DISCONNECT")->what, What::kDisconnected);
  EXPECT_EQ(ParseNbdMessage("block nbd0: Disconnected due to user request.")->what, What::kDisconnected);
  EXPECT_EQ(ParseNbdMessage("block nbd0: reconnected socket")->what, What::kReconnected);
  // It follows a disconnect that was asked for, too.
  EXPECT_FALSE(ParseNbdMessage("block nbd0: shutting down sockets"));
  EXPECT_FALSE(ParseNbdMessage("block nbdx: Connection timed out"));
  EXPECT_FALSE(ParseNbdMessage("nbd0: detected capacity change from 0 to 131072"));
}

TEST(PathTextTest, NfsMessages) {
  EXPECT_FALSE(ParseNfsMessage("nfs: server 10.0.0.1 not responding, still trying")->ok);
  EXPECT_FALSE(ParseNfsMessage("nfs: server filer not responding, timed out")->ok);
  EXPECT_EQ(ParseNfsMessage("nfs: server filer OK")->server, "filer");
  EXPECT_TRUE(ParseNfsMessage("nfs: server filer OK")->ok);
  EXPECT_FALSE(ParseNfsMessage("nfs: server"));
  EXPECT_FALSE(ParseNfsMessage("lockd: server 10.0.0.1 not responding, still trying"));
}

TEST(PathTextTest, ScsiAddresses) {
  EXPECT_EQ(ScsiAddressIn("sd 1:0:0:0: [sdb] Synchronizing SCSI cache"), "1:0:0:0");
  EXPECT_EQ(ScsiAddressIn("sd 1:0:0:0: rejecting I/O to offline device"), "1:0:0:0");
  EXPECT_EQ(ScsiAddressIn("sd x: y"), "");
  EXPECT_EQ(ScsiAddressIn("scsi host1: iSCSI Initiator over TCP/IP"), "");
}

TEST(PathTextTest, CephMessages) {
  const auto mon = ParseCephMessage("libceph: mon0 (1)10.0.0.1:6789 session lost, hunting for new mon");
  ASSERT_TRUE(mon);
  EXPECT_EQ(mon->peer, "mon");
  EXPECT_EQ(mon->address, "10.0.0.1:6789");
  EXPECT_FALSE(mon->live);
  EXPECT_TRUE(ParseCephMessage("libceph: mon1 (1)10.0.0.2:6789 session established")->live);
  EXPECT_EQ(ParseCephMessage("libceph: osd3 down")->peer, "osd3");
  EXPECT_FALSE(ParseCephMessage("libceph: osd3 down")->live);
  EXPECT_TRUE(ParseCephMessage("libceph: osd3 up")->live);
  const auto mds = ParseCephMessage("ceph: [5d3f3c31-2d35-4a4c-a2ae-2d1e8f0b2a11 4242]: mds0 hung");
  ASSERT_TRUE(mds);
  EXPECT_EQ(mds->fsid, "5d3f3c31-2d35-4a4c-a2ae-2d1e8f0b2a11");
  EXPECT_EQ(mds->peer, "mds0");
  EXPECT_TRUE(ParseCephMessage("ceph: mds0 caps renewed")->live);
  // Idle connections are closed as well.
  EXPECT_FALSE(ParseCephMessage("libceph: osd3 (1)10.0.0.1:6801 socket closed (con state OPEN)"));
  EXPECT_FALSE(ParseCephMessage("libceph: client4242 fsid 5d3f3c31-2d35-4a4c-a2ae-2d1e8f0b2a11"));
}

TEST(PathTextTest, CephRequests) {
  const CephRequests requests = ParseCephRequests(
      "REQUESTS 3 homeless 1\n71\tosd3\t2.1f\t2.1f\t[3,1]/3\t[3,1]/3\te20\trbd_data.1\t0x400024\t1\twrite\n"
      "LINGER REQUESTS\nBACKOFFS\n");
  EXPECT_EQ(requests.requests, 3u);
  EXPECT_EQ(requests.homeless, 1u);
  EXPECT_EQ(ParseCephRequests("").requests, 0u);
}

}  // namespace
}  // namespace ffdc
