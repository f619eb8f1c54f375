// SPDX-License-Identifier: Apache-2.0
// Calls to one etcd server through gRPC's callback interface: started on the
// loop's thread, answered there. Nothing blocks.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/event_loop.h"
#include "base/outstanding.h"
#include "etcd/rpc.grpc.pb.h"

namespace ffdc {

// A stream in both directions. Replies come one at a time: the next is read once `heard` has returned.
template <class Request, class Reply>
class EtcdStream final : public grpc::ClientBidiReactor<Request, Reply>,
                         public std::enable_shared_from_this<EtcdStream<Request, Reply>> {
 public:
  using Heard = std::function<void(const Reply&)>;
  using Ended = std::function<void(const grpc::Status&)>;

  EtcdStream(EventLoop& loop, std::shared_ptr<Outstanding> outstanding, Heard heard, Ended ended)
      : loop_(loop),
        outstanding_(std::move(outstanding)),
        heard_(std::move(heard)),
        ended_(std::move(ended)) {}

  grpc::ClientContext& context() { return context_; }
  // After the stub's call with this reactor.
  void Begin(const Request& first) {
    self_ = this->shared_from_this();  // until OnDone
    outstanding_->Begin();
    this->AddHold();
    request_ = first;
    writing_ = true;
    this->StartRead(&reply_);
    this->StartWrite(&request_);
    this->StartCall();
  }
  // Left out while the one before is still on its way.
  void Write(const Request& request) {
    const std::lock_guard lock(mutex_);
    if (closed_ || writing_) return;
    writing_ = true;
    request_ = request;
    this->StartWrite(&request_);
  }
  // Neither heard nor ended is called any more.
  void Cancel() {
    heard_ = nullptr;
    ended_ = nullptr;
    context_.TryCancel();
    Close();
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Close();
    const std::lock_guard lock(mutex_);
    writing_ = false;
  }
  void OnReadDone(bool ok) override {
    if (!ok) return Close();
    loop_.Post([self = this->shared_from_this()] {
      if (self->heard_) Heard(self->heard_)(self->reply_);
      self->ReadNext();
    });
  }
  void OnDone(const grpc::Status& status) override {
    const auto self = std::move(self_);
    loop_.Post([self, status] {
      if (self->ended_) Ended(self->ended_)(status);
    });
    self->outstanding_->End();
  }

 private:
  void ReadNext() {
    const std::lock_guard lock(mutex_);
    if (!closed_) this->StartRead(&reply_);
  }
  void Close() {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      closed_ = true;
    }
    this->RemoveHold();
  }

  EventLoop& loop_;
  std::shared_ptr<Outstanding> outstanding_;
  Heard heard_;  // these two on the loop's thread alone
  Ended ended_;
  grpc::ClientContext context_;
  Request request_;
  Reply reply_;
  std::shared_ptr<EtcdStream> self_;
  std::mutex mutex_;
  bool closed_ = false;
  bool writing_ = false;
};

// One call: method(context, request, reply, callback) starts it; done runs on the loop's thread, unless
// `alive` has gone by then.
template <class Request, class Reply, class Method>
void EtcdCall(EventLoop& loop, const std::shared_ptr<Outstanding>& outstanding, std::weak_ptr<void> alive,
              std::chrono::milliseconds deadline, const Request& request, const Method& method,
              std::function<void(const grpc::Status&, const Reply&)> done) {
  struct Call {
    grpc::ClientContext context;
    Request request;
    Reply reply;
  };
  auto call = std::make_shared<Call>();
  call->request = request;
  call->context.set_deadline(std::chrono::system_clock::now() + deadline);
  call->context.AddMetadata("hasleader", "true");
  outstanding->Begin();
  method(&call->context, &call->request, &call->reply,
         [&loop, outstanding, alive = std::move(alive), call, done = std::move(done)](grpc::Status status) {
           loop.Post([alive, call, done, status] {
             if (!alive.expired()) done(status, call->reply);
           });
           outstanding->End();
         });
}

}  // namespace ffdc
