// SPDX-License-Identifier: Apache-2.0
#include "capture/redact_rules.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include "base/toml_parser.h"
#include "base/toml_screen.h"

namespace ffdc {
namespace {

constexpr size_t kMaxPatterns = 64;
constexpr size_t kMaxRegexBytes = 1024;
constexpr int64_t kMaxRegexMemory = 1 << 20;
constexpr size_t kMaxNames = 1024;
constexpr size_t kMaxHostNameBytes = 253;
constexpr size_t kMinSecretBytes = 16;

constexpr char kPrivateKeys[] = "private_keys";

// In text as in JSON strings, where quotes and backslashes have a backslash before them: a value never ends
// in the middle of such a pair, so that what was JSON stays JSON. Where the name of a value is quoted, so is
// the value.
#define FFDC_QUOTED R"re(\\*["']((?:[^"'\\]|\\[^"'])+))re"
#define FFDC_VALUE "(?:" FFDC_QUOTED R"re(|((?:[^\s"'\\]|\\[^\s"'])+)))re"
#define FFDC_IS R"re([\w.-]*(?:\\*["']\s*:\s*)re" FFDC_QUOTED R"re(|\s*[:=]\s*)re" FFDC_VALUE ")"
#define FFDC_SECRET_WORD R"re((?:password|passwd|passphrase|passwort|pwd|secret))re"
#define FFDC_TOKEN_WORD \
  R"re((?:api[_-]?key|access[_-]?key|private[_-]?key|token|authorization|credentials?))re"

struct Builtin {
  std::string_view name;
  const char* regex;
};
constexpr std::array kBuiltins{
    Builtin{"passwords", "(?i)" FFDC_SECRET_WORD FFDC_IS},
    Builtin{"passwords", "(?i)--?[\\w-]*" FFDC_SECRET_WORD R"re([\w-]*\s+)re" FFDC_VALUE},
    Builtin{"tokens", R"re((?i)\b(?:bearer|basic)\s+([\w.~+/=-]{6,}))re"},
    Builtin{"tokens", "(?i)" FFDC_TOKEN_WORD FFDC_IS},
    Builtin{"tokens", "(?i)--?[\\w-]*" FFDC_TOKEN_WORD R"re([\w-]*\s+)re" FFDC_VALUE},
    // Those that are known by their looks: AWS, GitHub, JSON Web Tokens, keys of Ceph.
    Builtin{"tokens", R"re(\b((?:AKIA|ASIA)[0-9A-Z]{16}|gh[a-z]_\w{20,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*))re"},
    Builtin{"tokens", R"re(\b(AQ[\w+/]{36,}={0,2}))re"},
    Builtin{"urls", R"re((?i)\b[a-z][a-z0-9+.-]{0,30}://([^\s/"']+:[^\s/"']*)@)re"},
};

Result<std::shared_ptr<const RE2>> Compile(const std::string& regex) {
  RE2::Options options;
  options.set_encoding(RE2::Options::EncodingLatin1);  // a log holds any bytes
  options.set_log_errors(false);
  options.set_max_mem(kMaxRegexMemory);
  auto compiled = std::make_shared<const RE2>(regex, options);
  if (!compiled->ok()) return Fail("cannot be used: " + compiled->error());
  if (RE2::PartialMatch("", *compiled))
    return Fail("matches where there is nothing: make it match something");
  return compiled;
}

bool IsRuleName(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

// The name of a host or domain, in lower case; empty: it is none.
std::string HostName(std::string_view text) {
  std::string name(text);
  for (char& c : name) c = (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
  const bool good = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
  if (!good || name.empty() || name.size() > kMaxHostNameBytes || name.front() == '.' || name.back() == '.')
    return {};
  return name;
}

class RulesReader {
 public:
  explicit RulesReader(const std::string& origin) : origin_(origin) {}

  Result<RedactRules> Read(std::string_view text) {
    if (const auto unreadable = FindUnreadable(text)) return Bad(unreadable->line, unreadable->why);
    toml::table root;
    try {
      root = toml::parse(text, std::string_view(origin_));
    } catch (const toml::parse_error& error) {
      return Bad(error.source().begin.line, std::string(error.description()));
    }
    for (const auto& [key, node] : root) {
      if (key.str() == "builtin") {
        FFDC_TRY(ReadBuiltins(node));
      } else if (key.str() == "alias") {
        FFDC_TRY(ReadAlias(key, node));
      } else if (key.str() == "pattern") {
        FFDC_TRY(ReadPatterns(key, node));
      } else {
        return Unknown(key, "builtin, alias, pattern");
      }
    }
    if (rules_.names.empty()) return Bad(1, "there are no rules in it: add some, or empty capture.redact");
    return std::move(rules_);
  }

 private:
  [[nodiscard]] Unexpected Bad(unsigned line, const std::string& why) const {
    return Fail(origin_ + ":" + std::to_string(line) + ": " + why, EINVAL);
  }
  [[nodiscard]] Unexpected Bad(const toml::node& node, const std::string& why) const {
    return Bad(node.source().begin.line, why);
  }
  [[nodiscard]] Unexpected Unknown(const toml::key& key, const std::string& known) const {
    return Bad(key.source().begin.line, "a key that is not known: known here: " + known);
  }

  Result<std::vector<std::string>> ReadList(const toml::node& node, const std::string& what) const {
    const toml::array* array = node.as_array();
    if (array == nullptr) return Bad(node, what + " must be a list of strings");
    if (array->size() > kMaxNames) return Bad(node, what + " has more than 1024 entries");
    std::vector<std::string> list;
    for (const toml::node& entry : *array) {
      const auto* text = entry.as_string();
      if (text == nullptr) return Bad(entry, what + " must be a list of strings");
      list.push_back(text->get());
    }
    return list;
  }

  Result<> ReadBuiltins(const toml::node& node) {
    FFDC_ASSIGN(const auto names, ReadList(node, "builtin"));
    for (const std::string& name : names) {
      if (std::find(rules_.names.begin(), rules_.names.end(), name) != rules_.names.end())
        return Bad(node, "builtin names a rule twice");
      bool known = name == kPrivateKeys;
      if (known) rules_.private_keys = true;
      for (const Builtin& builtin : kBuiltins) {
        if (builtin.name != name) continue;
        known = true;
        FFDC_ASSIGN(auto compiled, Compile(builtin.regex));
        rules_.patterns.push_back({name, builtin.regex, std::move(compiled)});
      }
      if (!known)
        return Bad(node,
                   "builtin names a rule that is not known: known are passwords, tokens, private_keys, urls");
      rules_.names.push_back(name);
    }
    return {};
  }

  Result<> ReadNames(const toml::node& node, const std::string& what,
                     std::set<std::string, std::less<>>* names) const {
    FFDC_ASSIGN(const auto list, ReadList(node, what));
    for (const std::string& entry : list) {
      const std::string name = HostName(entry);
      if (name.empty()) return Bad(node, what + " must hold names of letters, digits, '.', '_' and '-'");
      names->insert(name);
    }
    return {};
  }

  Result<> ReadAlias(const toml::key& section, const toml::node& node) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return Bad(node, "alias must be a section: [alias]");
    AliasRules& alias = rules_.alias;
    for (const auto& [key, value] : *table) {
      if (key.str() == "secret") {
        const auto* text = value.as_string();
        if (text == nullptr || text->get().size() < kMinSecretBytes)
          return Bad(value, "alias.secret must be a string of 16 characters or more, the same on every node");
        alias.secret = text->get();
      } else if (key.str() == "addresses") {
        const auto* flag = value.as_boolean();
        if (flag == nullptr) return Bad(value, "alias.addresses must be true or false");
        alias.addresses = flag->get();
      } else if (key.str() == "hosts") {
        FFDC_TRY(ReadNames(value, "alias.hosts", &alias.hosts));
      } else if (key.str() == "domains") {
        FFDC_TRY(ReadNames(value, "alias.domains", &alias.domains));
      } else {
        return Unknown(key, "secret, addresses, hosts, domains");
      }
    }
    if (alias.secret.empty())
      return Bad(section.source().begin.line,
                 "alias.secret is missing: without it anybody could tell an address from its alias");
    if (alias.addresses) rules_.names.emplace_back("alias.addresses");
    if (!alias.hosts.empty() || !alias.domains.empty()) rules_.names.emplace_back("alias.hosts");
    return {};
  }

  Result<> ReadPatterns(const toml::key& section, const toml::node& node) {
    const toml::array* array = node.as_array();
    if (array == nullptr || array->size() > kMaxPatterns)
      return Bad(section.source().begin.line, "pattern must be sections, 64 at most: [[pattern]]");
    for (const toml::node& entry : *array) {
      const toml::table* table = entry.as_table();
      if (table == nullptr) return Bad(entry, "pattern must be sections: [[pattern]]");
      FFDC_TRY(ReadPattern(*table));
    }
    return {};
  }

  Result<> ReadPattern(const toml::table& table) {
    RedactPattern pattern;
    for (const auto& [key, value] : table) {
      const auto* text = value.as_string();
      if (key.str() != "name" && key.str() != "regex") return Unknown(key, "name, regex");
      if (text == nullptr) return Bad(value, "a pattern's name and regex must be strings");
      (key.str() == "name" ? pattern.name : pattern.regex) = text->get();
    }
    if (!IsRuleName(pattern.name))
      return Bad(table, "a pattern's name must be 1 to 64 of a-z, 0-9, '_' and '-'");
    if (std::find(rules_.names.begin(), rules_.names.end(), pattern.name) != rules_.names.end())
      return Bad(table, "two rules are named '" + pattern.name + "'");
    if (pattern.regex.empty() || pattern.regex.size() > kMaxRegexBytes)
      return Bad(table, "the regex of '" + pattern.name + "' must have 1 to 1024 characters");
    auto compiled = Compile(pattern.regex);
    if (!compiled) return Bad(table, "the regex of '" + pattern.name + "' " + compiled.error().message);
    pattern.compiled = std::move(*compiled);
    rules_.names.push_back(pattern.name);
    rules_.patterns.push_back(std::move(pattern));
    return {};
  }

  const std::string& origin_;
  RedactRules rules_;
};

}  // namespace

Result<RedactRules> ParseRedactRules(std::string_view toml_text, const std::string& origin) {
  return RulesReader(origin).Read(toml_text);
}

}  // namespace ffdc
