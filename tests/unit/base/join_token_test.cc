// SPDX-License-Identifier: Apache-2.0
#include "base/join_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ffdc {
namespace {

const std::string kCa(64, 'a');

TEST(JoinTokenTest, TextAndBack) {
  const JoinToken token = MakeJoinToken(kCa).value();
  EXPECT_EQ(token.Text(), "ffdc1." + kCa + "." + token.secret);
  const auto parsed = ParseJoinToken(token.Text());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->ca_sha256, kCa);
  EXPECT_EQ(parsed->secret, token.secret);
  EXPECT_TRUE(IsJoinSecret(token.secret));
  EXPECT_NE(token.secret, MakeJoinToken(kCa)->secret);
}

TEST(JoinTokenTest, WhatIsKeptIsNotTheSecret) {
  const JoinToken token = MakeJoinToken(kCa).value();
  EXPECT_EQ(JoinSecretHash(token.secret).size(), 64u);
  EXPECT_EQ(JoinSecretHash(token.secret).find(token.secret), std::string::npos);
  EXPECT_EQ(JoinSecretHash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(JoinTokenTest, AnythingElseIsNoToken) {
  const std::string good = MakeJoinToken(kCa)->Text();
  for (const std::string& text :
       {std::string(), std::string("ffdc1."), std::string("ffdc1.."), good.substr(1),
        good.substr(0, good.size() - 1), good + "0", "ffdc2" + good.substr(5),
        "ffdc1." + std::string(64, 'G') + good.substr(70), good.substr(0, good.size() - 1) + "\n", good + ".",
        good.substr(0, good.rfind('.'))}) {
    const auto parsed = ParseJoinToken(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().message, testing::HasSubstr("ffdcctl cluster token"));
    if (text.size() > 50) {
      EXPECT_THAT(parsed.error().message, testing::Not(testing::HasSubstr(text.substr(10, 40))));
    }
  }
}

}  // namespace
}  // namespace ffdc
