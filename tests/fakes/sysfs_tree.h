// SPDX-License-Identifier: Apache-2.0
// A sysfs of the test's own: <root>/sys, with proc and run/udev beside it.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

namespace ffdc::fakes {

class SysfsTree {
 public:
  explicit SysfsTree(std::filesystem::path root) : root_(std::move(root)) {
    std::filesystem::create_directories(sysfs() / "block");
    std::filesystem::create_directories(sysfs() / "dev/block");
  }

  [[nodiscard]] std::filesystem::path sysfs() const { return root_ / "sys"; }
  [[nodiscard]] std::filesystem::path disk(const std::string& name) const { return sysfs() / "block" / name; }

  // path is relative to the root: "sys/block/sda/dev", "proc/self/mountinfo".
  void Write(const std::filesystem::path& path, std::string_view content) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary) << content;
  }

  // attributes: path below the disk -> content. With a `mq` folder, as disks with a request queue have.
  void AddDisk(const std::string& name, const std::string& dev,
               const std::map<std::string, std::string>& attributes = {}) const {
    AddBioDisk(name, dev, attributes);
    std::filesystem::create_directories(disk(name) / "mq");
  }
  void AddBioDisk(const std::string& name, const std::string& dev,
                  const std::map<std::string, std::string>& attributes = {}) const {
    const std::filesystem::path below = std::filesystem::path("sys/block") / name;
    Write(below / "dev", dev + "\n");
    for (const auto& [path, content] : attributes) Write(below / path, content + "\n");
    Link("dev/block/" + dev, disk(name));
  }
  void AddPartition(const std::string& disk_name, const std::string& name, const std::string& dev) const {
    const std::filesystem::path below = std::filesystem::path("sys/block") / disk_name / name;
    Write(below / "dev", dev + "\n");
    Write(below / "partition", "1\n");
    Link("dev/block/" + dev, disk(disk_name) / name);
  }
  // `holder` lies on `below` ("sda" or "sda/sda1").
  void AddHolder(const std::string& below, const std::string& holder) const {
    Link("block/" + below + "/holders/" + holder, disk(holder));
  }
  // The other end of it.
  void AddSlave(const std::string& holder, const std::string& below) const {
    Link("block/" + holder + "/slaves/" + std::filesystem::path(below).filename().string(), disk(below));
  }
  void SetSubsystem(const std::string& name, const std::string& subsystem) const {
    Link("block/" + name + "/device/subsystem", sysfs() / "bus" / subsystem);
  }
  void RemoveDisk(const std::string& name, const std::string& dev) const {
    std::filesystem::remove_all(disk(name));
    std::filesystem::remove(sysfs() / "dev/block" / dev);
  }

 private:
  // where: below sysfs.
  void Link(const std::string& where, const std::filesystem::path& target) const {
    std::filesystem::create_directories((sysfs() / where).parent_path());
    std::filesystem::create_directory_symlink(target, sysfs() / where);
  }

  std::filesystem::path root_;
};

}  // namespace ffdc::fakes
