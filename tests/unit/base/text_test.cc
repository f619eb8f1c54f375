// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace ffdc {
namespace {

TEST(NextWord, CutsAtAnyBlank) {
  std::string_view text = "  one\ttwo \r\n";
  EXPECT_EQ(NextWord(text), "one");
  EXPECT_EQ(text, "\ttwo \r\n");
  EXPECT_EQ(NextWord(text), "two");
  EXPECT_EQ(NextWord(text), "");
  EXPECT_EQ(text, "");
}

TEST(NextLine, TheLastNeedsNoNewline) {
  std::string_view text = "a\n\nb";
  EXPECT_EQ(NextLine(text), "a");
  EXPECT_EQ(NextLine(text), "");
  EXPECT_EQ(NextLine(text), "b");
  EXPECT_EQ(text, "");
}

TEST(Trim, LeavesBlanksInside) {
  EXPECT_EQ(Trim("\t a b\r\n"), "a b");
  EXPECT_EQ(Trim(" \n"), "");
}

TEST(ParseNumber, TakesTheWholeTextOrNothing) {
  EXPECT_EQ(ParseNumber<uint32_t>("12"), 12u);
  EXPECT_EQ(ParseNumber<uint8_t>("fF", 16), 255);
  for (const char* text : {"", "-1", "+1", " 1", "1x", "4294967296"})
    EXPECT_FALSE(ParseNumber<uint32_t>(text)) << text;
}

TEST(UndoHexEscapes, LeavesWhatIsNone) {
  EXPECT_EQ(UndoHexEscapes("a\\x2db\\x5C"), "a-b\\");
  EXPECT_EQ(UndoHexEscapes("\\x2"), "\\x2");
  EXPECT_EQ(UndoHexEscapes("\\xg0\\n\\X41"), "\\xg0\\n\\X41");
}

}  // namespace
}  // namespace ffdc
