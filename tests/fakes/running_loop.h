// SPDX-License-Identifier: Apache-2.0
// A loop that runs in a thread of its own, as the agent's does.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "base/event_loop.h"

namespace ffdc {

class RunningLoop {
 public:
  RunningLoop() : loop_(std::move(*EventLoop::Create())), thread_([this] { EXPECT_TRUE(loop_->Run()); }) {}
  ~RunningLoop() {
    loop_->Stop();
    thread_.join();
  }
  EventLoop& operator*() { return *loop_; }
  // On the loop's thread, to its end.
  void Do(const std::function<void()>& work) {
    std::promise<void> done;
    loop_->Post([&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }

 private:
  std::unique_ptr<EventLoop> loop_;
  std::thread thread_;
};

}  // namespace ffdc
