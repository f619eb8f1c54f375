// SPDX-License-Identifier: Apache-2.0
// The two ends of OpenLink as gRPC has them. Each goes by itself once it has ended.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <utility>

#include "ffdc/v1/peer.pb.h"
#include "peer/link.h"

namespace ffdc {

// Reactor: grpc::ServerBidiReactor or grpc::ClientBidiReactor, whose members are called the same.
template <class Reactor>
class LinkReactor : public Reactor, public LinkStream {
 public:
  void Write(const v1::LinkMessage& message) override { this->StartWrite(&message); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      // Nothing is written from here on: after the end of reading the reactor may go at any time.
      link_->OnClosed("its connection has ended");
      return OnEnd();
    }
    link_->OnMessage(message_);
    v1::LinkMessage().Swap(&message_);  // does not keep the memory of a large one
    this->StartRead(&message_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) link_->OnWritten();  // or else the end of reading follows
  }

 protected:
  void Read(std::shared_ptr<PeerLink> link) {
    link_ = std::move(link);
    this->StartRead(&message_);
  }
  virtual void OnEnd() {}

 private:
  std::shared_ptr<PeerLink> link_;
  v1::LinkMessage message_;
};

using LinkMessages = grpc::ServerBidiReactor<v1::LinkMessage, v1::LinkMessage>;

class AcceptedLink final : public LinkReactor<LinkMessages> {
 public:
  explicit AcceptedLink(grpc::CallbackServerContext* context) : context_(context) {}
  void Begin(std::shared_ptr<PeerLink> link) {
    StartSendInitialMetadata();  // by which the other end knows that it was let in
    Read(std::move(link));
  }
  void Cancel() override { context_->TryCancel(); }
  void OnDone() override { delete this; }  // NOLINT(cppcoreguidelines-owning-memory): gRPC's way

 private:
  void OnEnd() override { Finish(grpc::Status::OK); }

  grpc::CallbackServerContext* context_;
};

class RefusedLink final : public LinkMessages {
 public:
  explicit RefusedLink(const grpc::Status& why) { Finish(why); }
  void OnDone() override { delete this; }  // NOLINT(cppcoreguidelines-owning-memory): gRPC's way
};

class OpenedLink final : public LinkReactor<grpc::ClientBidiReactor<v1::LinkMessage, v1::LinkMessage>> {
 public:
  // admitted: the other end took it; ended: the last thing that it does. Both on gRPC's threads.
  OpenedLink(std::shared_ptr<grpc::ClientContext> context, std::function<void()> admitted,
             std::function<void()> ended)
      : context_(std::move(context)), admitted_(std::move(admitted)), ended_(std::move(ended)) {}
  void Begin(std::shared_ptr<PeerLink> link) {
    Read(std::move(link));
    StartCall();
  }
  void Cancel() override { context_->TryCancel(); }
  void OnReadInitialMetadataDone(bool ok) override {
    if (ok) admitted_();
  }
  void OnDone(const grpc::Status& /*status*/) override {
    const auto ended = std::move(ended_);
    delete this;  // NOLINT(cppcoreguidelines-owning-memory): gRPC's way
    ended();
  }

 private:
  const std::shared_ptr<grpc::ClientContext> context_;
  const std::function<void()> admitted_;
  std::function<void()> ended_;
};

}  // namespace ffdc
