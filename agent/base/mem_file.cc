// SPDX-License-Identifier: Apache-2.0
#include "base/mem_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"

namespace ffdc {

Result<Fd> MemFile() {
  Fd fd(memfd_create("ffdc", MFD_CLOEXEC));
  if (!fd.valid()) return FailErrno("cannot make a file in memory");
  return fd;
}

Result<Fd> MemFile(const google::protobuf::MessageLite& message) {
  FFDC_ASSIGN(Fd fd, MemFile());
  FFDC_TRY(WriteMessage(fd.get(), message));
  return fd;
}

Result<> WriteMessage(int fd, const google::protobuf::MessageLite& message) {
  std::string data;
  if (!message.SerializeToString(&data)) return Fail("cannot serialize " + message.GetTypeName());
  if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0)
    return FailErrno("cannot rewind a file in memory");
  return WriteAll(fd, data, "a file in memory");
}

Result<> ReadMessage(int fd, google::protobuf::MessageLite* message) {
  // Both ends share the descriptor's offset.
  if (lseek(fd, 0, SEEK_SET) != 0) return FailErrno("cannot rewind a file in memory");
  if (!message->ParseFromFileDescriptor(fd))
    return Fail("malformed " + message->GetTypeName() + " in memory");
  return {};
}

}  // namespace ffdc
