// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "probe/devices.h"

namespace ffdc {
namespace {

struct FilterCase {
  std::string label;
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  std::string name;
  std::string type;
  std::string id;
  bool watched;
  std::string reason;
};

class DeviceFilterTest : public ::testing::TestWithParam<FilterCase> {};

TEST_P(DeviceFilterTest, DecidesAndSaysWhy) {
  const FilterCase& expected = GetParam();
  BlockDevice device;
  device.name = expected.name;
  device.type = expected.type;
  device.subject.set_id(expected.id);
  device.watched = !expected.watched;
  device.reason = "from before";
  ApplyFilter({expected.include, expected.exclude}, device);
  EXPECT_EQ(device.watched, expected.watched);
  EXPECT_EQ(device.reason, expected.reason);
}

const char kNaa[] = "wwid:naa.5000c500a1b2c3d4";
const char kLoop[] = "loop:/srv/disk.img";
const char kNotNamed[] = "not named by devices.include";

INSTANTIATE_TEST_SUITE_P(
    Table, DeviceFilterTest,
    ::testing::Values(
        FilterCase{"Default", {}, {}, "sda", "scsi", kNaa, true, ""},
        FilterCase{"LoopByDefault",
                   {},
                   {},
                   "loop0",
                   "loop",
                   kLoop,
                   false,
                   "loop devices are watched only when devices.include names them"},
        FilterCase{"RamByDefault",
                   {},
                   {},
                   "ram0",
                   "ram",
                   "ram:ram0",
                   false,
                   "ram devices are watched only when devices.include names them"},
        FilterCase{"ZramThoughOthersIncluded",
                   {"sd*"},
                   {},
                   "zram0",
                   "zram",
                   "zram:zram0",
                   false,
                   "zram devices are watched only when devices.include names them"},
        FilterCase{"LoopByType", {"loop"}, {}, "loop0", "loop", kLoop, true, ""},
        FilterCase{"LoopByExplicitType", {"type:loop"}, {}, "loop0", "loop", kLoop, true, ""},
        FilterCase{"LoopByGlob", {"loop*"}, {}, "loop0", "loop", kLoop, true, ""},
        FilterCase{"LoopByName", {"loop1"}, {}, "loop1", "loop", kLoop, true, ""},
        FilterCase{"LoopById", {kLoop}, {}, "loop1", "loop", kLoop, true, ""},
        FilterCase{"LoopByPath", {"/srv/disk.img"}, {}, "loop1", "loop", kLoop, true, ""},
        FilterCase{"LoopByIdGlob", {"loop:/srv/*"}, {}, "loop1", "loop", kLoop, true, ""},
        FilterCase{"TypeIsNotAPrefix",
                   {"type:lo"},
                   {},
                   "loop1",
                   "loop",
                   kLoop,
                   false,
                   "loop devices are watched only when devices.include names them"},
        FilterCase{"DevPath", {"/dev/sda"}, {}, "sda", "scsi", kNaa, true, ""},
        FilterCase{"IncludeOther", {"nvme*"}, {}, "sda", "scsi", kNaa, false, kNotNamed},
        FilterCase{"IncludeWwid", {kNaa}, {}, "sda", "scsi", kNaa, true, ""},
        FilterCase{"IncludeBareWwid", {"naa.5000c500a1b2c3d4"}, {}, "sda", "scsi", kNaa, true, ""},
        FilterCase{"IncludeOtherWwid", {"wwid:naa.6"}, {}, "sda", "scsi", kNaa, false, kNotNamed},
        FilterCase{"Excluded", {}, {"sd*"}, "sda", "scsi", kNaa, false, "excluded by devices.exclude 'sd*'"},
        FilterCase{"ExcludedByType",
                   {},
                   {"vdb", "cdrom"},
                   "sr0",
                   "cdrom",
                   "dev:11:0",
                   false,
                   "excluded by devices.exclude 'cdrom'"},
        FilterCase{"ExcludeBeatsInclude",
                   {"sda"},
                   {kNaa},
                   "sda",
                   "scsi",
                   kNaa,
                   false,
                   std::string("excluded by devices.exclude '") + kNaa + "'"},
        FilterCase{"NotExcluded", {}, {"sd?"}, "sdaa", "scsi", kNaa, true, ""},
        FilterCase{"BareGlobIsNoSerial", {}, {"sd*"}, "vda", "virtio", "serial:sd123", true, ""},
        FilterCase{"GlobWithPrefix",
                   {},
                   {"serial:sd*"},
                   "vda",
                   "virtio",
                   "serial:sd123",
                   false,
                   "excluded by devices.exclude 'serial:sd*'"},
        FilterCase{"EmptyPatternMatchesNothing", {}, {""}, "sda", "scsi", kNaa, true, ""},
        FilterCase{"BrokenGlobMatchesItself", {}, {"sd["}, "sda", "scsi", kNaa, true, ""}),
    [](const auto& test) { return test.param.label; });

}  // namespace
}  // namespace ffdc
