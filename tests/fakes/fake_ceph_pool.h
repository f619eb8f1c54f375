// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "store/ceph_pool.h"

namespace ffdc {

// A pool in memory that does as one of Ceph does, and can be told to lie, or to fail: for what a real one
// cannot be made to do at a given moment. The real one is in tests/e2e.
class FakeCephPool final : public CephPool {
 public:
  struct Buffer final : CephBuffer {
    explicit Buffer(size_t size) : memory(size, '\0') {}
    char* data() override { return memory.data(); }
    [[nodiscard]] std::string_view bytes() const override { return memory; }
    [[nodiscard]] uint32_t Crc32c() const override { return Crc32cOf(memory); }
    bool Reuse(size_t size) override {
      if (size > memory.size()) return false;
      memory.assign(size, 'r');
      return true;
    }
    std::string memory;
  };
  // Any function of the bytes will do here.
  static uint32_t Crc32cOf(std::string_view data) {
    return static_cast<uint32_t>(std::hash<std::string_view>()(data));
  }

  CephOpPtr Write(const std::string& object, uint64_t offset, const CephBuffer& buffer) override {
    ++writes;
    const std::string_view data = buffer.bytes();
    if (write_error != 0) return Ended(Fail("cannot write " + object, write_error));
    std::string& bytes = objects[object];
    bytes.resize(std::max(bytes.size(), offset + data.size()));
    bytes.replace(offset, data.size(), data);
    if (on_write) on_write(object);
    return Ended(CephAnswer());
  }
  CephOpPtr Read(const std::string& object, uint64_t offset, uint64_t size) override {
    const auto found = objects.find(object);
    if (found == objects.end()) return Ended(Fail("no " + object, ENOENT));
    CephAnswer answer;
    if (offset < found->second.size()) answer.data = found->second.substr(offset, size);
    return Ended(std::move(answer));
  }
  CephOpPtr Checksum(const std::string& object, uint64_t offset, uint64_t size) override {
    const auto found = objects.find(object);
    if (found == objects.end()) return Ended(Fail("no " + object, ENOENT));
    CephAnswer answer;
    answer.crc32c = Crc32cOf(std::string_view(found->second).substr(offset, size));
    return Ended(std::move(answer));
  }
  [[nodiscard]] CephBufferPtr Allocate(size_t size) const override { return std::make_unique<Buffer>(size); }

  Result<uint64_t> Size(const std::string& object) override {
    const auto found = objects.find(object);
    if (found == objects.end()) return Fail("no " + object, ENOENT);
    return found->second.size();
  }
  Result<> Replace(const std::string& object, std::string_view data) override {
    if (write_error != 0 && !objects.contains(object)) return Fail("cannot write " + object, write_error);
    objects[object] = data;
    return {};
  }
  Result<> Create(const std::string& object, std::string_view data) override {
    if (objects.contains(object)) return Fail("there is " + object, EEXIST);
    if (write_error != 0) return Fail("cannot create " + object, write_error);
    objects[object] = data;
    return {};
  }
  Result<> Remove(const std::string& object) override {
    if (objects.erase(object) == 0) return Fail("no " + object, ENOENT);
    return {};
  }

  Result<> SetEntry(const std::string& index, const std::string& key, const std::string& value) override {
    indexes[index][key] = value;
    return {};
  }
  Result<> ReplaceEntry(const std::string& index, const std::string& key, const std::string& expected,
                        const std::string& value) override {
    const auto found = indexes.find(index);
    if (found == indexes.end()) return Fail("no " + index, ENOENT);
    const auto entry = found->second.find(key);
    if ((entry == found->second.end() ? std::string() : entry->second) != expected)
      return Fail("another value", ECANCELED);
    found->second[key] = value;
    return {};
  }
  Result<> RemoveEntry(const std::string& index, const std::string& key) override {
    indexes[index].erase(key);
    return {};
  }
  Result<std::map<std::string, std::string>> Entries(const std::string& index,
                                                     const std::string& prefix) override {
    std::map<std::string, std::string> found;
    const auto there = indexes.find(index);
    if (there == indexes.end()) return found;
    for (const auto& [key, value] : there->second)
      if (key.starts_with(prefix)) found[key] = value;
    return found;
  }

  Result<> CheckPool() override {
    if (is_gone) return Fail("there is no pool any more", ESTALE);
    return {};
  }
  Result<std::string> AskMonitor(const std::string& /*command*/) override { return monitor_answer; }
  [[nodiscard]] std::string fsid() const override { return "f51d"; }

  std::map<std::string, std::string> objects;
  std::map<std::string, std::map<std::string, std::string>> indexes;
  std::string monitor_answer;
  std::function<void(const std::string& object)> on_write;
  int write_error = 0;  // of what needs room: new objects and archives
  bool is_gone = false;
  size_t writes = 0;

 private:
  struct Op final : CephOp {
    explicit Op(Result<CephAnswer> answer) : answer_(std::move(answer)) {}
    Result<CephAnswer> Wait() override { return std::move(answer_); }
    Result<CephAnswer> answer_;
  };
  static CephOpPtr Ended(Result<CephAnswer> answer) { return std::make_unique<Op>(std::move(answer)); }
};

}  // namespace ffdc
