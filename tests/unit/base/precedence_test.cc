// SPDX-License-Identifier: Apache-2.0
#include "base/precedence.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <thread>

namespace ffdc {
namespace {

// Of the calling thread: on Linux each has its own.
int OwnNice() { return getpriority(PRIO_PROCESS, 0); }

TEST(Precedence, IsTheThreadsAndThoseItStarts) {
  const int before = OwnNice();
  Result<> taken;
  int own = 0;
  int of_another = 0;
  std::thread([&] {
    taken = TakePrecedence();
    own = OwnNice();
    std::thread([&] { of_another = OwnNice(); }).join();
  }).join();
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_LT(own, 0);
  EXPECT_EQ(of_another, own);
  EXPECT_EQ(OwnNice(), before);
}

}  // namespace
}  // namespace ffdc
