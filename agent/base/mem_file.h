// SPDX-License-Identifier: Apache-2.0
// Messages in anonymous memory, handed over by descriptor: what the agent and a
// worker tell each other when it may be too long for a launcher's packet.
#pragma once

#include <google/protobuf/message_lite.h>

#include "base/fd.h"
#include "base/result.h"

namespace ffdc {

Result<Fd> MemFile();
Result<Fd> MemFile(const google::protobuf::MessageLite& message);
// Replaces the content.
Result<> WriteMessage(int fd, const google::protobuf::MessageLite& message);
Result<> ReadMessage(int fd, google::protobuf::MessageLite* message);

}  // namespace ffdc
