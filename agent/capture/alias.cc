// SPDX-License-Identifier: Apache-2.0
#include "capture/alias.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/fs.h"

namespace ffdc {
namespace {

constexpr size_t kAliasBytes = 5;  // 40 bits: among 10,000 names two are alike once in 20,000 clusters
// What is longer is neither: so much is looked at from each word on, whatever the line is like.
constexpr size_t kMaxAddressBytes = 64;
constexpr size_t kMaxHostBytes = 254;
constexpr int kMaxLabels = 10;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool IsWord(char c) { return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

size_t Run(std::string_view text, const auto& belongs) {
  return static_cast<size_t>(std::find_if_not(text.begin(), text.end(), belongs) - text.begin());
}

// A newline, a letter by its number, ... in JSON: the letter is no part of the word behind it.
size_t Escape(std::string_view text) {
  if (text.size() < 2 || text[0] != '\\') return 0;
  const size_t size = text[1] == 'u' ? 6 : 2;
  return std::min(size, text.size());
}

// "50:06:01:60:3b:a0:11:22", a World Wide Name, could be read as an address.
bool IsWwn(std::string_view text) {
  if (text.size() != 23) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((i % 3 == 2) != (text[i] == ':')) return false;
  }
  return true;
}

using Address4 = std::array<unsigned char, 4>;
using Address16 = std::array<unsigned char, 16>;

template <class T>
bool ParseAddress(int family, std::string_view text, T* address) {
  std::array<char, INET6_ADDRSTRLEN + 1> copy{};
  if (text.size() >= copy.size()) return false;
  std::copy(text.begin(), text.end(), copy.begin());
  return inet_pton(family, copy.data(), address->data()) == 1;
}

std::string_view Bytes(const auto& address) {
  return {reinterpret_cast<const char*>(address.data()), address.size()};
}

// "::ffff:10.0.0.1" is 10.0.0.1.
bool IsMapped(const Address16& address) {
  static constexpr std::array<unsigned char, 12> kPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::equal(kPrefix.begin(), kPrefix.end(), address.begin());
}

bool Stays(const Address4& address) { return address[0] == 127 || address == Address4{}; }
bool Stays(const Address16& address) {
  Address16 loopback{};
  loopback.back() = 1;
  return address == Address16{} || address == loopback;
}

}  // namespace

std::string Aliaser::AliasOf(std::string_view kind, std::string_view name) const {
  const std::string mac = HmacSha256(rules_.secret, std::string(kind) + ":" + std::string(name));
  return std::string(kind) + "-" + mac.substr(0, 2 * kAliasBytes);
}

size_t Aliaser::Address(std::string_view text, std::string* alias) const {
  const std::string_view seen = text.substr(0, kMaxAddressBytes);
  std::string_view run = seen.substr(0, Run(seen, [](char c) { return IsHex(c) || c == ':' || c == '.'; }));
  const bool word_goes_on = run.size() < text.size() && IsWord(text[run.size()]);
  while (!run.empty() && (run.back() == '.' || (run.back() == ':' && !run.ends_with("::"))))
    run.remove_suffix(1);
  Address16 v6{};
  if (!word_goes_on && run.find(':') != run.npos && !IsWwn(run) && ParseAddress(AF_INET6, run, &v6)) {
    Address4 v4{};
    std::copy(v6.begin() + 12, v6.end(), v4.begin());
    if (IsMapped(v6) ? Stays(v4) : Stays(v6)) {
      alias->assign(run);
    } else {
      *alias = AliasOf("ip", IsMapped(v6) ? Bytes(v4) : Bytes(v6));
    }
    return run.size();
  }
  // With a port, a letter or a prefix length behind it, too.
  std::string_view dotted = run.substr(0, Run(run, [](char c) { return IsDigit(c) || c == '.'; }));
  while (dotted.ends_with('.')) dotted.remove_suffix(1);
  Address4 v4{};
  if (!ParseAddress(AF_INET, dotted, &v4)) return 0;
  if (Stays(v4)) {
    alias->assign(dotted);
  } else {
    *alias = AliasOf("ip", Bytes(v4));
  }
  return dotted.size();
}

bool Aliaser::IsHost(std::string_view name) const {
  if (rules_.hosts.contains(name)) return true;
  while (!name.empty()) {
    if (rules_.domains.contains(name)) return true;
    const size_t dot = name.find('.');
    name.remove_prefix(dot == name.npos ? name.size() : dot + 1);
  }
  return false;
}

// The longest beginning, cut at its dots, that is a host's name.
size_t Aliaser::Host(std::string_view text, std::string* alias) const {
  int labels = 1;
  text = text.substr(0, kMaxHostBytes);
  std::string name(text.substr(
      0, Run(text, [&](char c) { return IsWord(c) || c == '-' || (c == '.' && ++labels <= kMaxLabels); })));
  for (char& c : name) c = (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
  while (!name.empty()) {
    if (IsHost(name)) {
      *alias = AliasOf("host", name);
      return name.size();
    }
    const size_t dot = name.rfind('.');
    name.resize(dot == name.npos ? 0 : dot);
  }
  return 0;
}

std::string Aliaser::Replace(std::string_view line, uint64_t* replaced) const {
  const bool hosts = !rules_.hosts.empty() || !rules_.domains.empty();
  if (!rules_.addresses && !hosts) return std::string(line);
  std::string out;
  out.reserve(line.size());
  std::string alias;
  bool after_word = false;  // "std::dead" holds no address
  while (!line.empty()) {
    size_t size = Escape(line);
    if (size == 0 && rules_.addresses && !(after_word && line[0] == ':')) size = Address(line, &alias);
    if (size == 0 && hosts) size = Host(line, &alias);
    if (!alias.empty()) {
      if (alias != line.substr(0, size)) ++*replaced;
      out += alias;
      alias.clear();
      after_word = false;
    } else {
      // Neither: on behind the word, in whose middle nothing begins.
      after_word = size == 0 && IsWord(line[0]);
      if (size == 0) size = std::max<size_t>(1, Run(line, IsWord));
      out.append(line.substr(0, size));
    }
    line.remove_prefix(size);
  }
  return out;
}

}  // namespace ffdc
