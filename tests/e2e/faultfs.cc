// SPDX-License-Identifier: Apache-2.0
// faultfs FOLDER BYTES: a filesystem of one file, "disk", held in memory, for a
// loop device that fails on command. faultfs FOLDER /BELOW: one that shows what lies
// in the folder /BELOW, for a store or a spool that fails on command. Commands are
// lines on the standard input:
//
//   ok            reads and writes work (at first, and again)
//   eio           they fail
//   eio FROM TO   those of bytes from FROM to before TO do
//   short         a read returns half of what was asked for
//   enospc        a write finds no space
//   erofs         whatever writes finds it read-only
//   estale        everything finds what it had open gone
//   delay MS      they take so long
//   hang          they wait until the next command
//
// Each is answered with "done". The process ends when the folder is unmounted.
#define FUSE_USE_VERSION 31
#include <dirent.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>

namespace {

constexpr const char* kFile = "/disk";

enum class Mode { kOk, kEio, kShort, kNoSpace, kReadOnly, kStale, kDelay, kHang };

struct Fault {
  Mode mode = Mode::kOk;
  off_t from = 0;
  off_t to = 0;  // 0: to the end
  std::chrono::milliseconds delay{0};
};

struct Disk {
  char* bytes = nullptr;
  std::string below;  // the folder shown; empty: there is only the file
  off_t size = 0;
  std::mutex mutex;
  std::condition_variable changed;
  Fault fault;
};

Disk& TheDisk() {
  static Disk disk;
  return disk;
}

// What happens to I/O of these bytes: 0, or a negative errno. Takes as long as it is told to.
int Suffer(off_t offset, size_t size, bool write, bool* is_short) {
  Disk& disk = TheDisk();
  std::unique_lock lock(disk.mutex);
  if (disk.fault.mode == Mode::kDelay) {
    const auto delay = disk.fault.delay;
    lock.unlock();
    std::this_thread::sleep_for(delay);
    return 0;
  }
  disk.changed.wait(lock, [&] { return disk.fault.mode != Mode::kHang; });
  const Fault& fault = disk.fault;
  const bool hit = fault.to == 0 || (offset < fault.to && offset + static_cast<off_t>(size) > fault.from);
  if (fault.mode == Mode::kEio && hit) return -EIO;
  if (fault.mode == Mode::kNoSpace && write) return -ENOSPC;
  if (fault.mode == Mode::kReadOnly && write) return -EROFS;
  if (fault.mode == Mode::kStale) return -ESTALE;
  *is_short = fault.mode == Mode::kShort && !write;
  return 0;
}

int GetAttributes(const char* path, struct stat* attributes, fuse_file_info*) {
  *attributes = {};
  const bool is_file = strcmp(path, kFile) == 0;
  if (!is_file && strcmp(path, "/") != 0) return -ENOENT;
  attributes->st_mode = is_file ? S_IFREG | 0600 : S_IFDIR | 0700;
  attributes->st_nlink = 1;
  attributes->st_size = is_file ? TheDisk().size : 0;
  return 0;
}

int Open(const char* path, fuse_file_info* file) {
  if (strcmp(path, kFile) != 0) return -ENOENT;
  file->direct_io = 1;  // a page cache would hide what fails
  return 0;
}

int Read(const char*, char* buffer, size_t size, off_t offset, fuse_file_info*) {
  const Disk& disk = TheDisk();
  bool is_short = false;
  if (const int error = Suffer(offset, size, false, &is_short); error != 0) return error;
  if (offset >= disk.size) return 0;
  size = std::min(is_short ? size / 2 : size, static_cast<size_t>(disk.size - offset));
  memcpy(buffer, disk.bytes + offset, size);
  return static_cast<int>(size);
}

int Write(const char*, const char* buffer, size_t size, off_t offset, fuse_file_info*) {
  const Disk& disk = TheDisk();
  bool is_short = false;
  if (const int error = Suffer(offset, size, true, &is_short); error != 0) return error;
  if (offset >= disk.size) return -ENOSPC;
  size = std::min(size, static_cast<size_t>(disk.size - offset));
  memcpy(disk.bytes + offset, buffer, size);
  return static_cast<int>(size);
}

int Sync(const char*, int, fuse_file_info*) {
  bool is_short = false;
  const int error = Suffer(0, 0, false, &is_short);
  return error;
}

// --- a folder ---------------------------------------------------------------

// What one call to the folder below gives, after what it has to suffer.
template <class Call>
int Pass(bool write, Call call) {
  bool is_short = false;
  if (const int error = Suffer(0, 0, write, &is_short); error != 0) return error;
  const auto result = call();
  return result < 0 ? -errno : static_cast<int>(result);
}

std::string Below(const char* path) { return TheDisk().below + path; }

fuse_operations FolderOperations() {
  fuse_operations operations{};
  operations.getattr = [](const char* path, struct stat* attributes, fuse_file_info*) {
    return Pass(false, [&] { return lstat(Below(path).c_str(), attributes); });
  };
  operations.statfs = [](const char* path, struct statvfs* info) {
    return Pass(false, [&] { return statvfs(Below(path).c_str(), info); });
  };
  operations.readdir = [](const char* path, void* buffer, fuse_fill_dir_t fill, off_t, fuse_file_info*,
                          fuse_readdir_flags) {
    return Pass(false, [&] {
      DIR* folder = opendir(Below(path).c_str());
      if (folder == nullptr) return -1;
      while (const dirent* entry = readdir(folder))
        fill(buffer, entry->d_name, nullptr, 0, fuse_fill_dir_flags{});
      return closedir(folder);
    });
  };
  operations.mkdir = [](const char* path, mode_t mode) {
    return Pass(true, [&] { return mkdir(Below(path).c_str(), mode); });
  };
  operations.unlink = [](const char* path) {
    return Pass(true, [&] { return unlink(Below(path).c_str()); });
  };
  operations.rmdir = [](const char* path) { return Pass(true, [&] { return rmdir(Below(path).c_str()); }); };
  operations.rename = [](const char* from, const char* to, unsigned) {
    return Pass(true, [&] { return rename(Below(from).c_str(), Below(to).c_str()); });
  };
  operations.link = [](const char* from, const char* to) {
    return Pass(true, [&] { return link(Below(from).c_str(), Below(to).c_str()); });
  };
  operations.truncate = [](const char* path, off_t size, fuse_file_info*) {
    return Pass(true, [&] { return truncate(Below(path).c_str(), size); });
  };
  operations.open = [](const char* path, fuse_file_info* file) {
    file->direct_io = 1;
    const bool write = (file->flags & O_ACCMODE) != O_RDONLY;
    return Pass(write, [&] {
      const int fd = open(Below(path).c_str(), file->flags | O_CLOEXEC);
      file->fh = static_cast<uint64_t>(fd);
      return std::min(fd, 0);
    });
  };
  operations.create = [](const char* path, mode_t mode, fuse_file_info* file) {
    file->direct_io = 1;
    return Pass(true, [&] {
      const int fd = open(Below(path).c_str(), file->flags | O_CREAT | O_CLOEXEC, mode);
      file->fh = static_cast<uint64_t>(fd);
      return std::min(fd, 0);
    });
  };
  operations.read = [](const char*, char* buffer, size_t size, off_t offset, fuse_file_info* file) {
    return Pass(false, [&] { return pread(static_cast<int>(file->fh), buffer, size, offset); });
  };
  operations.write = [](const char*, const char* buffer, size_t size, off_t offset, fuse_file_info* file) {
    return Pass(true, [&] { return pwrite(static_cast<int>(file->fh), buffer, size, offset); });
  };
  operations.fsync = [](const char*, int, fuse_file_info* file) {
    return Pass(true, [&] { return fsync(static_cast<int>(file->fh)); });
  };
  operations.release = [](const char*, fuse_file_info* file) { return close(static_cast<int>(file->fh)); };
  return operations;
}

fuse_operations FileOperations() {
  fuse_operations operations{};
  operations.getattr = GetAttributes;
  operations.open = Open;
  operations.read = Read;
  operations.write = Write;
  operations.fsync = Sync;
  return operations;
}

void* Ready(fuse_conn_info*, fuse_config*) {
  std::cout << "ready" << std::endl;
  return nullptr;
}

bool Parse(const std::string& line, Fault& fault) {
  std::istringstream words(line);
  std::string name;
  int64_t number = 0;
  words >> name;
  fault = {};
  if (name == "eio") {
    fault.mode = Mode::kEio;
    if (words >> fault.from) words >> fault.to;
  } else if (name == "delay" && words >> number) {
    fault.mode = Mode::kDelay;
    fault.delay = std::chrono::milliseconds(number);
  } else if (name == "short") {
    fault.mode = Mode::kShort;
  } else if (name == "enospc") {
    fault.mode = Mode::kNoSpace;
  } else if (name == "erofs") {
    fault.mode = Mode::kReadOnly;
  } else if (name == "estale") {
    fault.mode = Mode::kStale;
  } else if (name == "hang") {
    fault.mode = Mode::kHang;
  } else if (name != "ok") {
    return false;
  }
  return true;
}

void Set(const Fault& fault) {
  Disk& disk = TheDisk();
  const std::lock_guard lock(disk.mutex);
  disk.fault = fault;
  disk.changed.notify_all();
}

void Obey() {
  std::string line;
  Fault fault;
  while (std::getline(std::cin, line)) {
    const bool understood = Parse(line, fault);
    if (understood) Set(fault);
    std::cout << (understood ? "done" : "no such command: " + line) << std::endl;
  }
  Set({});  // nobody could let go of what hangs
}

bool MakeDisk(Disk& disk) {
  void* memory = mmap(nullptr, static_cast<size_t>(disk.size), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return false;
  disk.bytes = static_cast<char*>(memory);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Disk& disk = TheDisk();
  if (argc == 3 && argv[2][0] == '/') {
    disk.below = argv[2];
  } else {
    disk.size = argc == 3 ? strtoll(argv[2], nullptr, 10) : 0;
  }
  if (disk.below.empty() && disk.size <= 0) {
    fprintf(stderr, "usage: faultfs FOLDER BYTES|/BELOW\n");
    return 2;
  }
  if (disk.below.empty() && !MakeDisk(disk)) {
    perror("faultfs: no memory");
    return 1;
  }
  fuse_operations operations = disk.below.empty() ? FileOperations() : FolderOperations();
  operations.init = Ready;
  std::thread(Obey).detach();
  char foreground[] = "-f";
  char* arguments[] = {argv[0], foreground, argv[1], nullptr};
  return fuse_main(3, arguments, &operations, nullptr);
}
