// SPDX-License-Identifier: Apache-2.0
// Work on all of the store: passes on what its worker tells through a pipe.
#include <google/protobuf/io/coded_stream.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>

#include "control/service.h"

namespace ffdc::control {
namespace {

using std::chrono::steady_clock;

constexpr size_t kLsChunkBytes = 64u << 10;
constexpr uint32_t kMaxProgressBytes = 4u << 20;
constexpr size_t kMaxUrlBytes = 4096;

// Takes a whole message from the beginning of `bytes`; nothing: more must come.
Result<std::optional<v1::StoreProgress>> TakeMessage(std::string& bytes) {
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  uint32_t size = 0;
  if (!stream.ReadVarint32(&size)) {
    constexpr size_t kMaxVarintBytes = 5;
    if (bytes.size() >= kMaxVarintBytes) return Fail("the store's worker speaks in tongues");
    return std::optional<v1::StoreProgress>();
  }
  if (size > kMaxProgressBytes) return Fail("the store's worker told too much at once");
  const auto begin = static_cast<size_t>(stream.CurrentPosition());
  if (bytes.size() - begin < size) return std::optional<v1::StoreProgress>();
  v1::StoreProgress progress;
  if (!progress.ParseFromArray(bytes.data() + begin, static_cast<int>(size)))
    return Fail("the store's worker speaks in tongues");
  bytes.erase(0, begin + size);
  return std::optional(std::move(progress));
}

}  // namespace

grpc::Status ControlService::RunStoreWork(const grpc::ServerContext& context, StoreWork work,
                                          const std::string& from_url, const std::string& to_url,
                                          grpc::ServerWriter<v1::StoreProgress>& writer) {
  const StreamSlot slot(streams_);
  if (!slot.granted()) return StreamSlot::Refusal();
  auto running = backend_.RunStoreWork(work, from_url, to_url);
  if (!running) return ToStatus(running.error());
  std::string bytes;
  std::string chunk(kLsChunkBytes, '\0');
  auto last_data_at = steady_clock::now();
  for (;;) {
    if (Ended(context)) return grpc::Status::CANCELLED;  // the pipe's reader goes, and the work with it
    const Ready ready = WaitReadable(running->pipe.get());
    if (ready == Ready::kNothingYet) {
      if (steady_clock::now() - last_data_at < kIdleLimit) continue;
      return {grpc::StatusCode::DEADLINE_EXCEEDED, "the store does not answer: see `ffdcctl status`"};
    }
    const ssize_t got = ready == Ready::kData ? read(running->pipe.get(), chunk.data(), chunk.size()) : -1;
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return ToStatus(FailErrno("cannot hear from the store's worker").value());
    if (got == 0) break;
    last_data_at = steady_clock::now();
    bytes.append(chunk, 0, static_cast<size_t>(got));
    for (;;) {
      const auto message = TakeMessage(bytes);
      if (!message) return ToStatus(message.error());
      if (!*message) break;
      if (!writer.Write(**message)) return grpc::Status::CANCELLED;
    }
  }
  const Result<> finished = running->finish();
  return finished ? grpc::Status::OK : ToStatus(finished.error());
}

grpc::Status ControlService::InitStore(grpc::ServerContext*, const v1::InitStoreRequest*,
                                       v1::StoreStatus* reply) {
  return Answer(backend_.InitStore(), reply);
}

grpc::Status ControlService::ListStore(grpc::ServerContext* context, const v1::ListStoreRequest*,
                                       grpc::ServerWriter<v1::StoreProgress>* writer) {
  return RunStoreWork(*context, StoreWork::kList, {}, {}, *writer);
}

grpc::Status ControlService::VerifyStore(grpc::ServerContext* context, const v1::VerifyStoreRequest*,
                                         grpc::ServerWriter<v1::StoreProgress>* writer) {
  return RunStoreWork(*context, StoreWork::kVerify, {}, {}, *writer);
}

grpc::Status ControlService::CleanStore(grpc::ServerContext* context, const v1::CleanStoreRequest*,
                                        grpc::ServerWriter<v1::StoreProgress>* writer) {
  return RunStoreWork(*context, StoreWork::kClean, {}, {}, *writer);
}

grpc::Status ControlService::MigrateStore(grpc::ServerContext* context,
                                          const v1::MigrateStoreRequest* request,
                                          grpc::ServerWriter<v1::StoreProgress>* writer) {
  for (const std::string& url : {request->from_url(), request->to_url()}) {
    if (url.empty() || url.size() > kMaxUrlBytes)
      return {grpc::StatusCode::INVALID_ARGUMENT,
              "a migration needs two urls such as dir:/srv/ffdc, of at most 4096 bytes"};
  }
  if (request->from_url() == request->to_url())
    return {grpc::StatusCode::INVALID_ARGUMENT, "the two urls name the same store: nothing to migrate"};
  return RunStoreWork(*context, StoreWork::kMigrate, request->from_url(), request->to_url(), *writer);
}

}  // namespace ffdc::control
