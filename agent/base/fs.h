// SPDX-License-Identifier: Apache-2.0
// Files: whole reads, durable writes, hashes. These calls block; on a path that
// can hang they belong in a worker (base/launcher.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace ffdc {

// read(2), again after EINTR; 0 at the end. `name` is for the error's text.
Result<size_t> ReadSome(int fd, char* buffer, size_t size, std::string_view name);
// The whole file, at most max_bytes of it. Works for /proc and /sys (size 0).
Result<std::string> ReadFile(const std::filesystem::path& path, size_t max_bytes = 16u << 20);
// As ReadFile, trailing white space cut off; empty on any error. For optional sysfs attributes.
std::string ReadLine(const std::filesystem::path& path);

// Calls sink per line, without its newline, until the end or until sink returns
// false. Reads as it goes; a line longer than max_line_bytes comes in pieces.
Result<> ForEachLine(const std::filesystem::path& path, const std::function<bool(std::string_view)>& sink,
                     size_t max_line_bytes = 1u << 20);
// As above, from where fd stands. `name` is for the error's text.
Result<> ForEachLine(int fd, std::string_view name, const std::function<bool(std::string_view)>& sink,
                     size_t max_line_bytes = 1u << 20);

bool Exists(const std::filesystem::path& path);  // false also where it cannot be told
// The last component of what a link points to; empty on any error. For sysfs.
std::string LinkName(const std::filesystem::path& link);

// All of data; retries short writes and EINTR. `name` is for the error's text.
Result<> WriteAll(int fd, std::string_view data, std::string_view name);
// Writes without fsync (tmpfs staging).
Result<> WriteFile(const std::filesystem::path& path, std::string_view data);
// WriteFile, then fsync of the file: what it holds is durable, its name once its folder is.
Result<> WriteFileSynced(const std::filesystem::path& path, std::string_view data);
Result<> FsyncPath(const std::filesystem::path& path);  // file or directory
// mkdir -p; each folder made is fsynced into its parent.
Result<> MakeDirs(const std::filesystem::path& path, mode_t mode = 0750);
// rename(2) then fsync of both folders.
Result<> RenameDurable(const std::filesystem::path& from, const std::filesystem::path& to);
// The names in a folder, sorted; a missing folder has none.
Result<std::vector<std::string>> ListFolder(const std::filesystem::path& path);
// Bytes of all files below, as far as they can be seen.
uint64_t FolderBytes(const std::filesystem::path& path);
// rm -r; a missing path is no error.
Result<> RemoveAll(const std::filesystem::path& path);

// What a file's, or a stream's, bytes come to.
struct Digest {
  uint64_t size_bytes = 0;
  std::string sha256;    // lower-case hex
  std::string xxh3_128;  // the same; empty: not computed
};

// Lower-case hex SHA-256 of a file; size_bytes gets its length.
Result<std::string> Sha256File(const std::filesystem::path& path, uint64_t* size_bytes = nullptr);

// Incremental SHA-256 (OpenSSL EVP).
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void Update(const void* data, size_t size);
  std::string HexDigest();  // ends the computation

 private:
  void* context_;
};

// Incremental XXH3-128 (xxHash), in the form that xxh128sum(1) prints. As fast as memory: against
// damage, not against a forger.
class Xxh3 {
 public:
  Xxh3();
  ~Xxh3();
  Xxh3(const Xxh3&) = delete;
  Xxh3& operator=(const Xxh3&) = delete;
  void Update(const void* data, size_t size);
  [[nodiscard]] std::string HexDigest() const;  // of all so far

 private:
  void* state_;
};

// Lower-case hex HMAC-SHA256 (RFC 2104).
std::string HmacSha256(std::string_view key, std::string_view text);

}  // namespace ffdc
