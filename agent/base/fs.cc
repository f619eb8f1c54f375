// SPDX-License-Identifier: Apache-2.0
#include "base/fs.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

namespace ffdc {
namespace fs = std::filesystem;

namespace {

Result<Fd> OpenFile(const fs::path& path, int flags, mode_t mode = 0) {
  Fd fd(open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd.valid()) return FailErrno("cannot open " + path.string());
  return fd;
}

std::string HexText(const unsigned char* bytes, size_t size) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < size; ++i) {
    text += kHex[bytes[i] >> 4];
    text += kHex[bytes[i] & 15];
  }
  return text;
}

XXH3_state_t* State(void* state) { return static_cast<XXH3_state_t*>(state); }

EVP_MD_CTX* Context(void* context) { return static_cast<EVP_MD_CTX*>(context); }

}  // namespace

Result<size_t> ReadSome(int fd, char* buffer, size_t size, std::string_view name) {
  for (;;) {
    const ssize_t got = read(fd, buffer, size);
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR) return FailErrno("cannot read " + std::string(name));
  }
}

Result<std::string> ReadFile(const fs::path& path, size_t max_bytes) {
  FFDC_ASSIGN(const Fd fd, OpenFile(path, O_RDONLY));
  std::string data;
  std::array<char, 16384> chunk;
  while (data.size() < max_bytes) {
    const size_t wanted = std::min(chunk.size(), max_bytes - data.size());
    FFDC_ASSIGN(const size_t got, ReadSome(fd.get(), chunk.data(), wanted, path.native()));
    if (got == 0) break;
    data.append(chunk.data(), got);
  }
  return data;
}

std::string ReadLine(const fs::path& path) {
  auto data = ReadFile(path, 65536);
  if (!data) return {};
  while (!data->empty() && static_cast<unsigned char>(data->back()) <= ' ') data->pop_back();
  return *data;
}

bool Exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::string LinkName(const fs::path& link) {
  std::error_code ignored;
  return fs::read_symlink(link, ignored).filename().string();
}

Result<> ForEachLine(const fs::path& path, const std::function<bool(std::string_view)>& sink,
                     size_t max_line_bytes) {
  FFDC_ASSIGN(const Fd fd, OpenFile(path, O_RDONLY | O_NOCTTY));
  return ForEachLine(fd.get(), path.string(), sink, max_line_bytes);
}

Result<> ForEachLine(int fd, std::string_view name, const std::function<bool(std::string_view)>& sink,
                     size_t max_line_bytes) {
  std::string pending;
  std::array<char, 64u << 10> chunk;
  for (;;) {
    FFDC_ASSIGN(const size_t got, ReadSome(fd, chunk.data(), chunk.size(), name));
    if (got == 0) break;
    pending.append(chunk.data(), got);
    size_t start = 0;
    for (size_t end; (end = pending.find('\n', start)) != std::string::npos; start = end + 1) {
      if (!sink(std::string_view(pending).substr(start, end - start))) return {};
    }
    pending.erase(0, start);
    if (pending.size() >= max_line_bytes) {
      if (!sink(pending)) return {};
      pending.clear();
    }
  }
  if (!pending.empty()) sink(pending);
  return {};
}

Result<> WriteAll(int fd, std::string_view data, std::string_view name) {
  while (!data.empty()) {
    const ssize_t put = write(fd, data.data(), data.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return FailErrno("cannot write " + std::string(name));
    data.remove_prefix(static_cast<size_t>(put));
  }
  return {};
}

Result<> WriteFile(const fs::path& path, std::string_view data) {
  FFDC_ASSIGN(const Fd fd, OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC, 0640));
  return WriteAll(fd.get(), data, path.string());
}

Result<> FsyncPath(const fs::path& path) {
  FFDC_ASSIGN(const Fd fd, OpenFile(path, O_RDONLY));
  if (fsync(fd.get()) != 0) return FailErrno("cannot fsync " + path.string());
  return {};
}

Result<> WriteFileSynced(const fs::path& path, std::string_view data) {
  FFDC_TRY(WriteFile(path, data));
  return FsyncPath(path);
}

Result<> MakeDirs(const fs::path& path, mode_t mode) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return {};
    return FailErrno("cannot make folder " + path.string(), ENOTDIR);
  }
  const fs::path parent = path.parent_path();
  if (!parent.empty() && parent != path) FFDC_TRY(MakeDirs(parent, mode));
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
    return FailErrno("cannot make folder " + path.string());
  return FsyncPath(parent.empty() ? fs::path(".") : parent);
}

Result<> RenameDurable(const fs::path& from, const fs::path& to) {
  if (rename(from.c_str(), to.c_str()) != 0)
    return FailErrno("cannot rename " + from.string() + " to " + to.string());
  FFDC_TRY(FsyncPath(to.parent_path()));
  if (from.parent_path() != to.parent_path()) FFDC_TRY(FsyncPath(from.parent_path()));
  return {};
}

Result<std::vector<std::string>> ListFolder(const fs::path& path) {
  std::vector<std::string> names;
  std::error_code code;
  for (fs::directory_iterator entry(path, code), end; !code && entry != end; entry.increment(code))
    names.push_back(entry->path().filename().string());
  if (code && code != std::errc::no_such_file_or_directory)
    return FailErrno("cannot list " + path.string(), code.value());
  std::sort(names.begin(), names.end());
  return names;
}

uint64_t FolderBytes(const fs::path& path) {
  uint64_t bytes = 0;
  std::error_code code;
  for (fs::recursive_directory_iterator entry(path, code), end; !code && entry != end;
       entry.increment(code)) {
    std::error_code ignored;
    if (!entry->is_regular_file(ignored)) continue;
    const uint64_t size = entry->file_size(ignored);
    if (!ignored) bytes += size;
  }
  return bytes;
}

Result<> RemoveAll(const fs::path& path) {
  std::error_code code;
  fs::remove_all(path, code);
  if (code) return FailErrno("cannot remove " + path.string(), code.value());
  return {};
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(Context(context_), EVP_sha256(), nullptr); }

Sha256::~Sha256() { EVP_MD_CTX_free(Context(context_)); }

void Sha256::Update(const void* data, size_t size) { EVP_DigestUpdate(Context(context_), data, size); }

std::string Sha256::HexDigest() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  EVP_DigestFinal_ex(Context(context_), bytes.data(), &size);
  return HexText(bytes.data(), size);
}

Xxh3::Xxh3() : state_(XXH3_createState()) { XXH3_128bits_reset(State(state_)); }

Xxh3::~Xxh3() { XXH3_freeState(State(state_)); }

void Xxh3::Update(const void* data, size_t size) { XXH3_128bits_update(State(state_), data, size); }

std::string Xxh3::HexDigest() const {
  XXH128_canonical_t canonical{};
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(State(state_)));
  return HexText(canonical.digest, sizeof canonical.digest);
}

std::string HmacSha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), bytes.data(), &size);
  return HexText(bytes.data(), size);
}

Result<std::string> Sha256File(const fs::path& path, uint64_t* size_bytes) {
  FFDC_ASSIGN(const Fd fd, OpenFile(path, O_RDONLY));
  Sha256 digest;
  std::vector<char> chunk(256u << 10);
  uint64_t total = 0;
  for (;;) {
    FFDC_ASSIGN(const size_t got, ReadSome(fd.get(), chunk.data(), chunk.size(), path.native()));
    if (got == 0) break;
    digest.Update(chunk.data(), got);
    total += got;
  }
  if (size_bytes != nullptr) *size_bytes = total;
  return digest.HexDigest();
}

}  // namespace ffdc
