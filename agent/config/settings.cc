// SPDX-License-Identifier: Apache-2.0
#include "config/settings.h"

#include <unistd.h>

#include <algorithm>
#include <tuple>

#include "base/drop_ins.h"
#include "base/fs.h"
#include "base/name.h"
#include "base/toml_parser.h"
#include "base/toml_screen.h"
#include "config/checks.h"
#include "config/nearest.h"
#include "config/schema.h"

namespace ffdc {
namespace {

using config::Key;
using config::RawValue;

std::string_view KindOf(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a section";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a floating-point number";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time";
    case toml::node_type::none:
      break;
  }
  return "nothing";
}

RawValue ToRaw(const toml::node& node) {
  if (const auto* text = node.as_string()) return {text->get(), KindOf(node)};
  if (const auto* number = node.as_integer()) return {number->get(), KindOf(node)};
  if (const auto* flag = node.as_boolean()) return {flag->get(), KindOf(node)};
  if (const auto* array = node.as_array()) {
    std::vector<std::string> list;
    for (const toml::node& entry : *array) {
      if (const auto* text = entry.as_string()) {
        list.push_back(text->get());
      } else {
        return {{}, "a list with other things in it"};
      }
    }
    return {std::move(list), KindOf(node)};
  }
  return {{}, KindOf(node)};
}

std::vector<std::string_view> SectionNames() {
  std::vector<std::string_view> names;
  for (const Key& key : config::Schema()) {
    if (names.empty() || names.back() != key.section) names.push_back(key.section);
  }
  return names;
}

std::vector<std::string_view> KeyNames(std::string_view section) {
  std::vector<std::string_view> names;
  for (const Key& key : config::Schema()) {
    if (key.section == section) names.push_back(key.name);
  }
  return names;
}

const Key* FindKey(std::string_view section, std::string_view name) {
  for (const Key& key : config::Schema()) {
    if (key.section == section && key.name == name) return &key;
  }
  return nullptr;
}

// A key's place when it stands in the wrong section, or in none.
const Key* FindElsewhere(std::string_view name) {
  for (const Key& key : config::Schema()) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

std::string Hint(std::string_view name, const std::vector<std::string_view>& valid) {
  if (const std::string_view nearest = Nearest(name, valid); !nearest.empty()) {
    return "did you mean '" + std::string(nearest) + "'?";
  }
  std::string list;
  for (const std::string_view other : valid) list += (list.empty() ? "" : ", ") + std::string(other);
  return "known here: " + list;
}

// The keys' names are the file's own: kept to what fits a line of text.
std::string Printable(std::string_view name) {
  std::string shown;
  for (const char c : name.substr(0, 64)) shown += (c >= 0x20 && c < 0x7f) ? c : '?';
  return shown + (name.size() > 64 ? "..." : "");
}

class Reader {
 public:
  // One of the files that make up a configuration; later ones come over those before. origin: for messages.
  void Add(std::string_view text, std::string_view origin) {
    settings_.files.emplace_back(origin);
    toml::table root;
    if (const auto unreadable = FindUnreadable(text)) {
      readable_ = false;
      Tell(unreadable->line, unreadable->why);
    } else {
      try {
        root = toml::parse(text, origin);
      } catch (const toml::parse_error& error) {
        readable_ = false;
        Tell(error.source().begin.line, std::string(error.description()));
      }
    }
    for (const auto& [name, node] : root) ReadSection(name, node);
    roots_.push_back(std::move(root));
  }

  Result<Settings> Finish() {
    if (readable_) {
      CheckDeviceLists();
      CheckPercents();
      CheckCluster();
    }
    if (!errors_.empty()) return AllErrors();
    return settings_;
  }

 private:
  struct LineError {
    size_t file;
    unsigned line;
    std::string text;
  };

  // Of the file that is being read.
  void Tell(unsigned line, std::string text) { errors_.push_back({roots_.size(), line, std::move(text)}); }
  // At the key, where it was set last; false: it is in no file.
  bool TellAt(std::string_view section, std::string_view name, std::string text) {
    for (size_t file = roots_.size(); file-- > 0;) {
      const toml::node* node = roots_[file][section][name].node();
      if (node == nullptr) continue;
      errors_.push_back({file, node->source().begin.line, std::move(text)});
      return true;
    }
    return false;
  }

  void ReadSection(const toml::key& section, const toml::node& node) {
    const unsigned line = section.source().begin.line;
    const std::vector<std::string_view> sections = SectionNames();
    const std::string shown = Printable(section.str());
    if (std::find(sections.begin(), sections.end(), section.str()) == sections.end()) {
      const Key* elsewhere = FindElsewhere(section.str());
      if (!node.is_table() && elsewhere != nullptr) {
        return Tell(line, "unknown key '" + shown + "': did you mean '" + FullName(*elsewhere) + "'?");
      }
      return Tell(line, std::string(node.is_table() ? "unknown section '" : "unknown key '") + shown +
                            "': " + Hint(section.str(), sections));
    }
    const toml::table* table = node.as_table();
    if (table == nullptr) {
      return Tell(line, shown + " must be a section: [" + shown + "], not " + std::string(KindOf(node)));
    }
    for (const auto& [name, value] : *table) ReadKey(section.str(), name, value);
  }

  void ReadKey(std::string_view section, const toml::key& name, const toml::node& node) {
    const Key* key = FindKey(section, name.str());
    const unsigned line = name.source().begin.line;
    if (key == nullptr) {
      const Key* elsewhere = FindElsewhere(name.str());
      return Tell(line, "unknown key '" + std::string(section) + "." + Printable(name.str()) + "': " +
                            (elsewhere != nullptr ? "did you mean '" + FullName(*elsewhere) + "'?"
                                                  : Hint(name.str(), KeyNames(section))));
    }
    if (const Result<> set = SetValue(*key, ToRaw(node), settings_); !set) {
      const std::string& why = set.error().message;
      Tell(line, FullName(*key) + (why.starts_with("must ") ? " " : ": ") + why);
    }
  }

  void CheckDeviceLists() {
    const auto& include = settings_.devices.include;
    for (const std::string& entry : settings_.devices.exclude) {
      if (std::find(include.begin(), include.end(), entry) == include.end()) continue;
      TellAt("devices", "exclude",
             "devices.include and devices.exclude both name '" + entry + "': take it out of one of them");
    }
  }

  // Told at the line of a key that is there: the others have their defaults.
  void CheckPercents() {
    const auto& percents = settings_.resource;
    const auto check = [&](bool good, std::string_view name, uint32_t value, std::string_view must,
                           std::string_view other, uint32_t other_value) {
      if (good) return;
      const std::string text = "resource." + std::string(name) + " (" + std::to_string(value) + ") must be " +
                               std::string(must) + " resource." + std::string(other) + " (" +
                               std::to_string(other_value) + ")";
      if (!TellAt("resource", name, text)) TellAt("resource", other, text);
    };
    check(percents.clear_percent < percents.raise_percent, "clear_percent", percents.clear_percent, "below",
          "raise_percent", percents.raise_percent);
    check(percents.raise_percent <= percents.critical_percent, "raise_percent", percents.raise_percent,
          "at most", "critical_percent", percents.critical_percent);
  }

  // A cluster needs all of: its DB, an address for peers, certificates.
  void CheckCluster() {
    const bool clustered = settings_.cluster.db != "embedded";
    if (!clustered && !settings_.peer.listen.empty()) {
      TellAt("peer", "listen",
             "peer.listen needs a cluster DB that all nodes share: set cluster.db to etcd://...");
      return;
    }
    if (!clustered) return;
    if (settings_.peer.listen.empty())
      TellAt("cluster", "db", "cluster.db needs an address for the other nodes: set peer.listen");
    for (const auto& [name, value] :
         {std::pair{"ca", &settings_.tls.ca}, std::pair{"cert", &settings_.tls.cert},
          std::pair{"key", &settings_.tls.key}}) {
      if (value->empty())
        TellAt("cluster", "db",
               "cluster.db needs certificates, as nodes prove to each other who they are: set tls." +
                   std::string(name));
    }
    const bool advertised = !settings_.peer.advertise.empty();
    const std::string& reached_at = advertised ? settings_.peer.advertise : settings_.peer.listen;
    if (reached_at.starts_with("0.0.0.0:") || reached_at.starts_with("[::]:"))
      TellAt(
          "peer", advertised ? "advertise" : "listen",
          "the other nodes cannot reach " + reached_at + ": set peer.advertise to an address of this node");
  }

  Unexpected AllErrors() {
    std::stable_sort(errors_.begin(), errors_.end(), [](const LineError& a, const LineError& b) {
      return std::tie(a.file, a.line) < std::tie(b.file, b.line);
    });
    std::string text;
    for (const LineError& error : errors_) {
      text += (text.empty() ? "" : "\n") + settings_.files[error.file] + ":" + std::to_string(error.line) +
              ": " + error.text;
    }
    return Fail(std::move(text), EINVAL);
  }

  Settings settings_ = DefaultSettings();
  bool readable_ = true;            // all of it: else what is missing may be in what was not read
  std::vector<toml::table> roots_;  // of settings_.files
  std::vector<LineError> errors_;
};

}  // namespace

Settings DefaultSettings() {
  Settings settings;
  settings.node.name = HostNodeName();
  return settings;
}

Result<Settings> ParseSettings(std::string_view toml_text, std::string_view origin) {
  Reader reader;
  reader.Add(toml_text, origin);
  return reader.Finish();
}

Result<Settings> LoadSettings(const std::filesystem::path& path, MainFile main_file) {
  const auto why = [](const Error& error) { return Unexpected(error.In("cannot read the configuration")); };
  Reader reader;
  if (main_file == MainFile::kRequired || Exists(path)) {
    const auto text = ReadFile(path);
    if (!text) return why(text.error());
    reader.Add(*text, path.string());
  }
  const auto drop_ins = ListDropIns(path.string());
  if (!drop_ins) return why(drop_ins.error());
  for (const std::string& drop_in : *drop_ins) {
    const auto text = ReadFile(drop_in);
    if (!text) return why(text.error());
    reader.Add(*text, drop_in);
  }
  return reader.Finish();
}

std::vector<SettingText> DescribeSettings(const Settings& settings) {
  const Settings defaults = DefaultSettings();
  std::vector<SettingText> described;
  for (const Key& key : config::Schema()) {
    SettingText text{FullName(key), ValueAsToml(key, settings), ValueAsToml(key, defaults)};
    text.is_default = text.value == text.default_value;
    described.push_back(std::move(text));
  }
  return described;
}

std::string SampleConfig() {
  std::string sample =
      "# SPDX-License-Identifier: Apache-2.0\n"
      "# Configuration of ffdcd. Every key is shown with its default: take away the '#' to change it.\n"
      "# Durations are whole numbers with units (\"500ms\", \"60s\", \"1h30m\"), sizes too (\"512KiB\", "
      "\"2GiB\").\n"
      "# Check a change with `ffdcd --check-config --config FILE`; see ffdc.toml(5).\n";
  const Settings defaults = DefaultSettings();
  std::string_view section;
  for (const Key& key : config::Schema()) {
    if (key.section != section) sample += "\n[" + std::string(key.section) + "]\n";
    section = key.section;
    const std::string value = key.sample.empty() ? ValueAsToml(key, defaults) : std::string(key.sample);
    sample += "# " + std::string(key.doc) + "\n#" + std::string(key.name) + " = " + value + "\n";
  }
  return sample;
}

}  // namespace ffdc
