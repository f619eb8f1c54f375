// SPDX-License-Identifier: Apache-2.0
// Work on all of the store that a person asked for. Each tells its progress through a pipe
// (store/progress_pipe.h), and ends when nobody reads it. Blocks; runs in workers.
#pragma once

#include <functional>

#include "base/result.h"
#include "ffdc/v1/capture.pb.h"

namespace ffdc {

Result<> ListStore(const v1::StoreArgs& args, int fd);
// Every file of every capture; each bad one is named.
Result<> VerifyStore(const v1::StoreArgs& args, int fd);
// The limits, now. save: called after each removal.
Result<> CleanStore(const v1::StoreArgs& args, int fd, v1::StoreReply* reply,
                    const std::function<Result<>()>& save);

}  // namespace ffdc
