// SPDX-License-Identifier: Apache-2.0
#include "ctl/socket_path.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/paths.h"
#include "fakes/temp_dir.h"

namespace ffdc::ctl {
namespace {

TEST(SocketOf, ReadsTheOneKeyAndFallsBackOnAnythingElse) {
  const TempDir dir;
  const std::string path = dir / "ffdc.toml";
  EXPECT_EQ(SocketOf(path), kDefaultSocketPath) << "no file";
  std::ofstream(path) << "[control]\nsocket = '/run/other.sock'\n";
  EXPECT_EQ(SocketOf(path), "/run/other.sock");
  std::ofstream(path) << "[node]\nname = 'n'\n";
  EXPECT_EQ(SocketOf(path), kDefaultSocketPath);
  std::ofstream(path) << "[control]\nsocket = 5\n";
  EXPECT_EQ(SocketOf(path), kDefaultSocketPath);
  std::ofstream(path) << "control = 5\n";
  EXPECT_EQ(SocketOf(path), kDefaultSocketPath);
  std::ofstream(path) << "[control]\nsocket = '/run/other.sock'\n[node]\nname = '\xc3\xb6'\n";
  EXPECT_EQ(SocketOf(path), kDefaultSocketPath) << "the agent refuses it, and the library may not survive it";
  std::ofstream(path) << "[control]\nsocket = '/run/other.sock'  # \xc3\xb6\n";
  EXPECT_EQ(SocketOf(path), "/run/other.sock");
  std::ofstream(path) << "[=] not TOML";
  EXPECT_EQ(SocketOf(path), kDefaultSocketPath);
}

}  // namespace
}  // namespace ffdc::ctl
