// SPDX-License-Identifier: Apache-2.0
#include "base/proto_json.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "ffdc/v1/manifest.pb.h"

namespace ffdc {
namespace {

using ::testing::HasSubstr;

v1::Manifest Example() {
  v1::Manifest manifest;
  manifest.set_format(1);
  manifest.set_incident_id("0193a5b0-0000-7000-8000-000000000001");
  manifest.set_archive_bytes(1ull << 60);
  manifest.mutable_sealed_at()->set_seconds(1);
  manifest.add_files()->set_name("kernel-log.txt");
  return manifest;
}

TEST(ProtoJson, NamesAreSnakeCaseAndDefaultsAreLeftOut) {
  const auto text = ToJson(Example());
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, HasSubstr("\"incident_id\": \"0193"));
  EXPECT_THAT(*text, HasSubstr("\"archive_bytes\": \"1152921504606846976\""));
  EXPECT_THAT(*text, Not(HasSubstr("truncated")));
  EXPECT_EQ(text->back(), '\n');
}

TEST(ProtoJson, CompactIsOneLine) {
  const auto text = ToJson(Example(), JsonStyle::kCompact);
  ASSERT_TRUE(text);
  EXPECT_EQ(text->find('\n'), std::string::npos);
}

TEST(ProtoJson, DefaultsArePrintedWhereAsked) {
  const auto text = ToJson(Example(), JsonStyle::kPretty, JsonDefaults::kPrinted);
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, HasSubstr("\"truncated\": false"));
  EXPECT_THAT(*text, HasSubstr("\"losses\": []"));
}

TEST(ProtoJson, ReadsWhatItWrote) {
  v1::Manifest again;
  ASSERT_TRUE(FromJson(ToJson(Example()).value(), &again));
  EXPECT_EQ(again.SerializeAsString(), Example().SerializeAsString());
}

TEST(ProtoJson, FieldsOfANewerVersionAreIgnored) {
  v1::Manifest manifest;
  EXPECT_TRUE(FromJson(R"({"format":1,"from_the_future":{"a":[1,2]}})", &manifest));
  EXPECT_EQ(manifest.format(), 1u);
}

TEST(ProtoJson, WhatIsNoJsonIsAnErrorThatNamesTheMessage) {
  v1::Manifest manifest;
  for (const char* text : {"", "{", "[]", R"({"format":"x"})", "{\"format\":1", "\xff"}) {
    const auto parsed = FromJson(text, &manifest);
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().message, HasSubstr("ffdc.v1.Manifest"));
  }
  const auto zeros = FromJson(std::string(500, '\0'), &manifest);
  ASSERT_FALSE(zeros);
  EXPECT_TRUE(std::all_of(zeros.error().message.begin(), zeros.error().message.end(), [](char c) {
    return c >= ' ';
  })) << zeros.error().message;
}

TEST(ScrubUtf8, KeepsTextAndReplacesOtherBytes) {
  const std::pair<const char*, const char*> cases[] = {
      {"plain", "plain"},
      {"\u00e4 \u20ac \U0001f600", "\u00e4 \u20ac \U0001f600"},
      {"\xff", "?"},
      {"a\x80z", "a?z"},
      {"\xc3", "?"},                 // cut off
      {"\xc0\xaf", "??"},            // overlong '/'
      {"\xe0\x80\xaf", "???"},       // overlong
      {"\xed\xa0\x80", "???"},       // surrogate
      {"\xf4\x90\x80\x80", "????"},  // beyond U+10FFFF
      {"\xf0\x9f\x98", "???"},       // cut off
      {"\xe2\x82\xe2\x82\xac", "??\u20ac"},
  };
  for (const auto& [bytes, expected] : cases) {
    v1::Manifest manifest;
    manifest.set_node(bytes);
    manifest.mutable_trigger()->add_clients()->set_name(bytes);
    manifest.mutable_trigger()->mutable_subject()->add_used_by(bytes);
    ScrubUtf8(&manifest);
    EXPECT_EQ(manifest.node(), expected);
    EXPECT_EQ(manifest.trigger().clients(0).name(), expected);
    EXPECT_EQ(manifest.trigger().subject().used_by(0), expected);
    v1::Manifest again;
    EXPECT_TRUE(again.ParseFromString(manifest.SerializeAsString()));
  }
}

}  // namespace
}  // namespace ffdc
