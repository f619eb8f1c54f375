// SPDX-License-Identifier: Apache-2.0
// Addresses and names of hosts, each replaced by an alias that is the same wherever the secret is the same:
// "ip-3f9a1c02d4", "host-81b6…". Who has no secret cannot find out which address it was by trying all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "capture/redact_rules.h"

namespace ffdc {

class Aliaser {
 public:
  explicit Aliaser(const AliasRules& rules) : rules_(rules) {}

  // The line with aliases in place; counts them. Loopback and "any" addresses stay.
  std::string Replace(std::string_view line, uint64_t* replaced) const;

 private:
  // Both: how many bytes at the begin of text are it; 0: none.
  size_t Address(std::string_view text, std::string* alias) const;
  size_t Host(std::string_view text, std::string* alias) const;
  [[nodiscard]] bool IsHost(std::string_view name) const;
  [[nodiscard]] std::string AliasOf(std::string_view kind, std::string_view name) const;

  const AliasRules& rules_;
};

}  // namespace ffdc
