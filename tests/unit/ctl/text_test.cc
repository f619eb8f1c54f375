// SPDX-License-Identifier: Apache-2.0
#include "ctl/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ffdc::ctl {
namespace {

using testing::ElementsAre;

TEST(DisplayWidth, CountsColumnsNotBytes) {
  EXPECT_EQ(DisplayWidth(""), 0u);
  EXPECT_EQ(DisplayWidth("sda"), 3u);
  EXPECT_EQ(DisplayWidth("µs"), 2u);
  EXPECT_EQ(DisplayWidth("日本"), 4u);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1u) << "a combining accent";
  EXPECT_EQ(DisplayWidth("\xff\xfe"), 2u) << "no UTF-8";
  EXPECT_EQ(DisplayWidth("\xe6\x97"), 2u) << "cut off";
}

TEST(Printable, LetsNoEscapeSequenceThrough) {
  EXPECT_EQ(Printable("plain µ 日本"), "plain µ 日本");
  EXPECT_EQ(Printable("\033[31mred\007\n"), "?[31mred??");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "31m"),
            "?31m")
      << "the one-byte form of ESC [";
  EXPECT_EQ(Printable("a\xff"
                      "b"),
            "a?b");
  EXPECT_EQ(Printable("\xed\xa0\x80"), "???") << "a surrogate";
  EXPECT_EQ(Printable("\xc0\xaf"), "??") << "an overlong slash";
  EXPECT_EQ(Printable("\u202Edesrever"), "?desrever");
}

TEST(ShortenMiddle, KeepsBothEnds) {
  EXPECT_EQ(ShortenMiddle("short", 5), "short");
  EXPECT_EQ(ShortenMiddle("abcdefghij", 5), "ab…ij");
  EXPECT_EQ(ShortenMiddle("abcdefghij", 6), "abc…ij");
  EXPECT_EQ(ShortenMiddle("abcdef", 1), "…");
  EXPECT_EQ(ShortenMiddle("abcdef", 0), "");
  EXPECT_EQ(DisplayWidth(ShortenMiddle("日本語日本語日本語", 8)), 7u) << "a wide character is not cut in two";
}

TEST(Wrap, BreaksAtBlanksWhereThereAreAny) {
  EXPECT_THAT(Wrap("", 10), ElementsAre(""));
  EXPECT_THAT(Wrap("one two three", 20), ElementsAre("one two three"));
  EXPECT_THAT(Wrap("one two three", 7), ElementsAre("one two", "three"));
  EXPECT_THAT(Wrap("abcdefghij", 4), ElementsAre("abcd", "efgh", "ij"));
  EXPECT_THAT(Wrap(" abcdef", 4), ElementsAre(" abc", "def"));
  EXPECT_THAT(Wrap("日本", 1), ElementsAre("日本")) << "ends, though nothing fits";
}

}  // namespace
}  // namespace ffdc::ctl
