// SPDX-License-Identifier: Apache-2.0
#include "ctl/table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace ffdc::ctl {
namespace {

const Painter kPlain(false);

TEST(Table, AlignsColumns) {
  Table table({{"NAME"}, {"COUNT", Align::kRight}, {"NOTE"}});
  table.Add({"sda", "1", "first"});
  table.Add({"nvme0n1", "1,000", ""});
  EXPECT_EQ(table.Render(kPlain, 2),
            "  NAME     COUNT  NOTE\n"
            "  sda          1  first\n"
            "  nvme0n1  1,000\n");
}

TEST(Table, ShortensTheWidestColumnThatMayShrink) {
  Table table({{"ID"}, {"PATH", Align::kLeft, 8}, {"NOTE", Align::kLeft, 8}});
  table.Add({"0123456789", "/a/very/long/path/to/something/important.txt", "a note of some length"});
  const std::string text = table.Render(kPlain, 0, 50);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(DisplayWidth(line), 50u) << line;
  EXPECT_NE(text.find("0123456789"), std::string::npos) << "not this one";
  EXPECT_NE(text.find("…"), std::string::npos);
}

TEST(Table, CellsCannotBreakTheTable) {
  Table table({{"A"}, {"B"}});
  table.Add({"x\ny", "\033[2J"});
  EXPECT_EQ(table.Render(kPlain), "A    B\nx?y  ?[2J\n");
}

TEST(Table, ColourTakesNoColumns) {
  Table table({{"A", Align::kRight}, {"B"}});
  table.Add({Cell("1", Style::kRed), "x"});
  table.Add({"222", "y"});
  EXPECT_EQ(table.Render(Painter(true)),
            "  \033[1mA\033[0m  \033[1mB\033[0m\n"
            "  \033[1;31m1\033[0m  x\n"
            "222  y\n");
}

TEST(Table, NoHeadersNoHeaderLine) {
  Table table({{""}, {""}});
  table.Add({"a", "b"});
  EXPECT_EQ(table.Render(kPlain), "a  b\n");
  EXPECT_TRUE(Table({{""}}).empty());
}

}  // namespace
}  // namespace ffdc::ctl
