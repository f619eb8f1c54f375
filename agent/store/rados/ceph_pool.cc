// SPDX-License-Identifier: Apache-2.0
// store/ceph_pool.h on librados. Every wait has an end: librados waits for ever without the three
// timeouts set below.
#include "store/ceph_pool.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <rados/librados.hpp>
#include <utility>

namespace ffdc {
namespace {

constexpr uint64_t kEntriesPerRead = 1000;

std::string Why(int code) {
  const char* text = strerrordesc_np(code);
  return text != nullptr ? text : "error " + std::to_string(code);
}

// code: as librados has it, negative.
Unexpected Failed(const std::string& what, int code) {
  return Fail("cannot " + what + ": " + Why(-code), -code);
}

struct Release {
  void operator()(librados::AioCompletion* completion) const { completion->release(); }
};

class Buffer final : public CephBuffer {
 public:
  explicit Buffer(size_t size) : memory_(ceph::buffer::create_page_aligned(static_cast<unsigned>(size))) {}
  [[nodiscard]] char* data() override { return memory_.c_str(); }
  [[nodiscard]] std::string_view bytes() const override { return {memory_.c_str(), memory_.length()}; }
  [[nodiscard]] uint32_t Crc32c() const override { return list().crc32c(UINT32_MAX); }
  bool Reuse(size_t size) override {
    if (memory_.raw_nref() > 1 || memory_.raw_length() < size) return false;
    list().invalidate_crc();
    memory_.set_length(static_cast<unsigned>(size));
    return true;
  }
  // Of the same memory.
  [[nodiscard]] librados::bufferlist list() const {
    librados::bufferlist list;
    list.append(memory_);
    return list;
  }

 private:
  ceph::buffer::ptr memory_;
};

class Op final : public CephOp {
 public:
  explicit Op(std::string what)
      : what_(std::move(what)), completion_(librados::Rados::aio_create_completion()) {}
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
  ~Op() override {
    // librados writes into the members below until then.
    if (submitted_ == 0) completion_->wait_for_complete();
  }

  librados::AioCompletion* completion() { return completion_.get(); }
  void Submitted(int code) { submitted_ = code; }

  Result<CephAnswer> Wait() override {
    int code = submitted_;
    if (code == 0) {
      completion_->wait_for_complete();
      code = completion_->get_return_value();
    }
    if (code >= 0 && wants_checksum) code = ReadChecksum();
    if (code < 0) return Failed(what_, code);
    CephAnswer answer;
    answer.data = data.to_str();
    answer.crc32c = crc32c_;
    return answer;
  }

  librados::bufferlist data;
  librados::bufferlist checksum;
  int checksum_code = 0;
  bool wants_checksum = false;

 private:
  // The number of values, which is 1, and the value, both little-endian.
  int ReadChecksum() {
    if (checksum_code < 0) return checksum_code;
    const std::string text = checksum.to_str();
    if (text.size() != 2 * sizeof(uint32_t)) return -EBADMSG;
    for (size_t i = 0; i < sizeof(uint32_t); ++i)
      crc32c_ |= static_cast<uint32_t>(static_cast<unsigned char>(text[sizeof(uint32_t) + i])) << (8 * i);
    return 0;
  }

  std::string what_;
  std::unique_ptr<librados::AioCompletion, Release> completion_;
  int submitted_ = -EINVAL;
  uint32_t crc32c_ = 0;
};

class RadosPool final : public CephPool {
 public:
  ~RadosPool() override {
    io_.close();
    rados_.shutdown();
  }

  Result<> Connect(const RadosUrl& url) {
    const std::string user = "client." + url.id;
    if (const int code = rados_.init2(user.c_str(), "ceph", 0); code < 0)
      return Failed("set up librados", code);
    if (const int code = rados_.conf_read_file(url.conf.c_str()); code < 0)
      return Fail("cannot read " + url.conf + ": " + Why(-code) + ": install it there, or name it with conf=",
                  -code);
    const std::string connect = std::to_string(kCephConnectTimeoutS);
    const std::string op = std::to_string(kCephOpTimeoutS);
    const std::pair<const char*, const char*> options[] = {
        {"client_mount_timeout", connect.c_str()},
        {"rados_mon_op_timeout", connect.c_str()},
        {"rados_osd_op_timeout", op.c_str()},
        // What is worth telling comes back as an error; the agent's log is not librados's.
        {"log_to_stderr", "false"},
        {"err_to_stderr", "false"},
        {"log_file", ""},
        {"admin_socket", ""},
    };
    for (const auto& [name, value] : options) {
      if (const int code = rados_.conf_set(name, value); code < 0)
        return Failed(std::string("set ") + name + " of librados", code);
    }
    if (const int code = rados_.connect(); code < 0) return Refused(url, user, code);
    if (const int code = rados_.ioctx_create(url.pool.c_str(), io_); code < 0) return NoPool(url, user, code);
    pool_ = url.pool;
    io_.set_namespace(url.name_space);
    // Else a full pool holds writes back until it is not, instead of refusing them.
    io_.set_pool_full_try();
    return {};
  }

  CephOpPtr Write(const std::string& object, uint64_t offset, const CephBuffer& data) override {
    auto pending = std::make_unique<Op>("write " + object);
    librados::ObjectWriteOperation operation;
    operation.write(offset, static_cast<const Buffer&>(data).list());
    // Not read again soon: it must not drive what others read from the cache, and the checksum reads the
    // disk.
    operation.set_op_flags2(LIBRADOS_OP_FLAG_FADVISE_DONTNEED);
    pending->Submitted(io_.aio_operate(object, pending->completion(), &operation));
    return pending;
  }

  CephOpPtr Read(const std::string& object, uint64_t offset, uint64_t size) override {
    auto pending = std::make_unique<Op>("read " + object);
    pending->Submitted(io_.aio_read(object, pending->completion(), &pending->data, size, offset));
    return pending;
  }

  CephOpPtr Checksum(const std::string& object, uint64_t offset, uint64_t size) override {
    auto pending = std::make_unique<Op>("check " + object);
    pending->wants_checksum = true;
    librados::bufferlist seed;
    const uint32_t all_ones = UINT32_MAX;
    seed.append(reinterpret_cast<const char*>(&all_ones), sizeof all_ones);
    librados::ObjectReadOperation operation;
    operation.checksum(LIBRADOS_CHECKSUM_TYPE_CRC32C, seed, offset, size, 0, &pending->checksum,
                       &pending->checksum_code);
    operation.set_op_flags2(LIBRADOS_OP_FLAG_FADVISE_DONTNEED);  // nor does it fill the cache
    pending->Submitted(io_.aio_operate(object, pending->completion(), &operation, nullptr));
    return pending;
  }

  CephBufferPtr Allocate(size_t size) const override { return std::make_unique<Buffer>(size); }

  Result<uint64_t> Size(const std::string& object) override {
    uint64_t size = 0;
    if (const int code = io_.stat2(object, &size, nullptr); code < 0)
      return Failed("look at " + object, code);
    return size;
  }

  Result<> Replace(const std::string& object, std::string_view data) override {
    librados::bufferlist bytes;
    bytes.append(data.data(), static_cast<unsigned>(data.size()));
    return Check("write " + object, io_.write_full(object, bytes));
  }

  Result<> Create(const std::string& object, std::string_view data) override {
    librados::bufferlist bytes;
    bytes.append(data.data(), static_cast<unsigned>(data.size()));
    librados::ObjectWriteOperation operation;
    operation.create(true);
    operation.write_full(bytes);
    return Check("create " + object, io_.operate(object, &operation));
  }

  Result<> Remove(const std::string& object) override {
    return Check("remove " + object, io_.remove(object));
  }

  Result<> SetEntry(const std::string& index, const std::string& key, const std::string& value) override {
    librados::ObjectWriteOperation operation;
    operation.omap_set({{key, Bytes(value)}});
    return Check("write " + key + " in " + index, io_.operate(index, &operation));
  }

  Result<> ReplaceEntry(const std::string& index, const std::string& key, const std::string& expected,
                        const std::string& value) override {
    librados::ObjectWriteOperation operation;
    operation.omap_cmp({{key, {Bytes(expected), LIBRADOS_CMPXATTR_OP_EQ}}}, nullptr);
    operation.omap_set({{key, Bytes(value)}});
    return Check("replace " + key + " in " + index, io_.operate(index, &operation));
  }

  Result<> RemoveEntry(const std::string& index, const std::string& key) override {
    librados::ObjectWriteOperation operation;
    operation.omap_rm_keys({key});
    return Check("remove " + key + " from " + index, io_.operate(index, &operation));
  }

  Result<std::map<std::string, std::string>> Entries(const std::string& index,
                                                     const std::string& prefix) override {
    std::map<std::string, std::string> entries;
    std::string after;
    for (bool more = true; more;) {
      std::map<std::string, librados::bufferlist> values;
      const int code = io_.omap_get_vals2(index, after, prefix, kEntriesPerRead, &values, &more);
      if (code == -ENOENT) return entries;
      if (code < 0) return Failed("read the index " + index, code);
      if (values.empty()) break;
      after = values.rbegin()->first;
      for (const auto& [key, value] : values) entries[key] = value.to_str();
    }
    return entries;
  }

  Result<> CheckPool() override {
    const int64_t id = rados_.pool_lookup(pool_.c_str());
    if (id == -ENOENT) return Fail("there is no pool " + pool_ + " any more", ESTALE);
    if (id < 0) return Failed("look for pool " + pool_, static_cast<int>(id));
    if (id != io_.get_id()) return Fail("pool " + pool_ + " was made anew", ESTALE);
    return {};
  }

  Result<std::string> AskMonitor(const std::string& command) override {
    librados::bufferlist nothing;
    librados::bufferlist answer;
    std::string error;
    if (const int code = rados_.mon_command(command, nothing, &answer, &error); code < 0)
      return Fail(
          "a Ceph monitor refused " + command + ": " + Why(-code) + (error.empty() ? "" : ": " + error),
          -code);
    return answer.to_str();
  }

  std::string fsid() const override {
    std::string id;
    return const_cast<librados::Rados&>(rados_).cluster_fsid(&id) < 0 ? std::string() : id;
  }

 private:
  static librados::bufferlist Bytes(const std::string& text) {
    librados::bufferlist bytes;
    bytes.append(text);
    return bytes;
  }

  static Result<> Check(const std::string& what, int code) {
    if (code < 0) return Failed(what, code);
    return {};
  }

  // The files in which librados looks for a key, if it has none otherwise.
  std::string Keyrings() {
    std::string value;
    for (const char* other : {"key", "keyfile"}) {
      if (rados_.conf_get(other, value) == 0 && !value.empty()) return {};
    }
    return rados_.conf_get("keyring", value) == 0 ? value : std::string();
  }

  static bool OneExists(std::string_view keyrings) {
    while (!keyrings.empty()) {
      const size_t end = keyrings.find_first_of(", ;");
      if (end != 0 && access(std::string(keyrings.substr(0, end)).c_str(), R_OK) == 0) return true;
      keyrings.remove_prefix(end == std::string_view::npos ? keyrings.size() : end + 1);
    }
    return false;
  }

  Unexpected Refused(const RadosUrl& url, const std::string& user, int code) {
    // Without a key librados tries without one, and is refused as with a wrong one.
    const std::string keyrings = Keyrings();
    if (code != -ETIMEDOUT && !keyrings.empty() && !OneExists(keyrings)) code = -ENOENT;
    switch (-code) {
      case EACCES:
      case EPERM:
      case ENOKEY:
        return Fail("the cluster refuses " + user + ": its key is not the cluster's: see 'ceph auth get " +
                        user + "' and the keyring that " + url.conf + " names",
                    -code);
      case ENOENT:
        return Fail("there is no key for " + user + ": put it into " +
                        (keyrings.empty() ? "the keyring that " + url.conf + " names" : keyrings),
                    -code);
      case ETIMEDOUT:
        return Fail("no monitor of " + url.conf + " answers within " + std::to_string(kCephConnectTimeoutS) +
                        " s: check the monitors and the network",
                    -code);
      default:
        return Failed("connect to the cluster of " + url.conf + " as " + user, code);
    }
  }

  static Unexpected NoPool(const RadosUrl& url, const std::string& user, int code) {
    if (code == -ENOENT)
      return Fail("the cluster has no pool " + url.pool + ": make it ('ceph osd pool create " + url.pool +
                      "') or change store.url",
                  -code);
    return Failed("open pool " + url.pool + " as " + user, code);
  }

  librados::Rados rados_;
  librados::IoCtx io_;
  std::string pool_;
};

Result<std::unique_ptr<CephPool>> Connect(const RadosUrl& url) {
  auto pool = std::make_unique<RadosPool>();
  FFDC_TRY(pool->Connect(url));
  return std::unique_ptr<CephPool>(std::move(pool));
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const CephModule ffdc_ceph_module;
extern "C" const CephModule ffdc_ceph_module{kCephModuleVersion, Connect};

}  // namespace ffdc
