// SPDX-License-Identifier: Apache-2.0
// Who tries to join and fails, again and again, is not listened to for a while. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace ffdc {

class JoinLimit {
 public:
  static constexpr uint32_t kTries = 10;                 // that fail, of one address
  static constexpr uint32_t kTriesOfAll = 100;           // so that many addresses do not help
  static constexpr uint64_t kWindowNs = 60'000'000'000;  // in so long

  // from: as gRPC has it, "ipv4:10.0.0.1:41234".
  [[nodiscard]] bool Allows(const std::string& from, uint64_t now_ns);
  void Refused(const std::string& from, uint64_t now_ns);
  static std::string Words();

 private:
  void Renew(uint64_t now_ns);

  std::mutex mutex_;
  uint64_t begun_ns_ = 0;
  uint32_t all_ = 0;
  std::map<std::string, uint32_t> tries_;  // by address without its port, at most kTriesOfAll
};

}  // namespace ffdc
