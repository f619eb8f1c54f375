// SPDX-License-Identifier: Apache-2.0
#include "cluster/join_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "base/join_token.h"
#include "cluster/embedded_db.h"

namespace ffdc {
namespace {

using testing::HasSubstr;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kNow = 1'800'000'000 * kSecondNs;
constexpr int64_t kWeek = 7 * 24 * 3600 * kSecondNs;
const std::string kSecret(40, 'a');
const std::string kOther(40, 'b');

// One node's view of a DB.
class JoinTokensTest : public testing::Test {
 protected:
  JoinTokensTest() {
    DbCallbacks callbacks;
    callbacks.snapshot = [](const DbContent&) {};
    callbacks.changed = [this](const std::string& key, const std::optional<std::string>& value) {
      content_[key] = value;
      if (told_) tokens_.OnEntry(key, value);
    };
    db_ = MakeEmbeddedDb(std::move(callbacks));
    db_->Start();
  }
  std::string Add(const std::string& secret, int64_t expires = kNow + 60 * kSecondNs) {
    std::string why = "not done";
    tokens_.Add(*db_, secret, "a", kNow, expires,
                [&](const Result<>& done) { why = done ? "" : done.error().message; });
    return why;
  }
  std::string Take(const std::string& secret, const std::string& node, int64_t now = kNow) {
    std::string why = "not done";
    tokens_.Take(*db_, secret, node, now,
                 [&](const Result<>& done) { why = done ? "" : done.error().message; });
    return why;
  }

  std::map<std::string, std::optional<std::string>> content_;
  bool told_ = true;
  JoinTokens tokens_;
  std::unique_ptr<ClusterDb> db_;
};

TEST_F(JoinTokensTest, IsTakenOnce) {
  EXPECT_EQ(Add(kSecret), "");
  EXPECT_TRUE(tokens_.Check(kSecret, kNow));
  EXPECT_EQ(Take(kSecret, "b"), "");
  EXPECT_THAT(Take(kSecret, "c"), HasSubstr("was used before, by node 'b'"));
  EXPECT_EQ(tokens_.Check(kSecret, kNow).error().code, EACCES);
  EXPECT_EQ(Add(kOther), "");
  EXPECT_EQ(Take(kOther, "c"), "");
}

TEST_F(JoinTokensTest, OnlyTheHashIsKept) {
  Add(kSecret);
  ASSERT_EQ(content_.size(), 1u);
  EXPECT_EQ(content_.begin()->first, "tokens/" + JoinSecretHash(kSecret));
  EXPECT_EQ(content_.begin()->second->find(kSecret), std::string::npos);
}

TEST_F(JoinTokensTest, AnUnknownOneIsNotTaken) {
  Add(kSecret);
  EXPECT_THAT(Take(kOther, "b"), HasSubstr("is not one of this cluster"));
  EXPECT_EQ(Take(kSecret, "b"), "");
}

TEST_F(JoinTokensTest, AnExpiredOneIsNotTaken) {
  Add(kSecret, kNow + 5 * kSecondNs);
  EXPECT_THAT(Take(kSecret, "b", kNow + 5 * kSecondNs), HasSubstr("expired at 2027-"));
  EXPECT_EQ(Take(kSecret, "b", kNow + 4 * kSecondNs), "");
}

// Two nodes keep the CA, and this one has not heard yet that the other one gave the token away.
TEST_F(JoinTokensTest, WhatAnotherNodeTookMeanwhileIsNotTakenAgain) {
  Add(kSecret);
  told_ = false;
  const std::string key = "tokens/" + JoinSecretHash(kSecret);
  v1::JoinTokenRecord record;
  ASSERT_TRUE(record.ParseFromString(*content_[key]));
  record.set_used_by("z");
  db_->Put(key, record.SerializeAsString());
  EXPECT_TRUE(tokens_.Check(kSecret, kNow));
  EXPECT_THAT(Take(kSecret, "b"), HasSubstr("was used before"));
}

TEST_F(JoinTokensTest, NonsenseInTheDbLetsNobodyJoin) {
  Add(kSecret);
  db_->Put("tokens/" + JoinSecretHash(kSecret), "\xff\xff nonsense");
  EXPECT_THAT(Take(kSecret, "b"), HasSubstr("is not one of this cluster"));
  v1::JoinTokenRecord record;
  for (const int64_t expiry_s : {int64_t{0}, int64_t{-1}, INT64_MAX, INT64_MIN}) {
    record.mutable_expires_at()->set_seconds(expiry_s);
    db_->Put("tokens/" + JoinSecretHash(kSecret), record.SerializeAsString());
    EXPECT_THAT(Take(kSecret, "b"), HasSubstr("is not one of this cluster")) << expiry_s;
  }
}

TEST_F(JoinTokensTest, OldOnesGoAndTheirNumberIsLimited) {
  Add(kSecret, kNow);
  tokens_.Trim(*db_, kNow + kWeek);
  EXPECT_TRUE(content_.begin()->second);
  tokens_.Trim(*db_, kNow + kWeek + 1);
  EXPECT_FALSE(content_.begin()->second);
  std::string secret(40, '0');
  for (size_t i = 0; i < kMaxJoinTokens; ++i) {
    for (size_t digit = 0, rest = i; digit < 4; ++digit, rest /= 10)
      secret[digit] = static_cast<char>('0' + rest % 10);
    ASSERT_EQ(Add(secret), "");
  }
  EXPECT_THAT(Add(kOther), HasSubstr("1000 tokens already"));
}

}  // namespace
}  // namespace ffdc
