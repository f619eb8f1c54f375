// SPDX-License-Identifier: Apache-2.0
#include "base/store_url.h"

#include <algorithm>
#include <cerrno>

namespace ffdc {
namespace {

constexpr size_t kMaxNameBytes = 128;

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

bool IsPath(std::string_view text) {
  return text.starts_with('/') &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

Unexpected Wrong(std::string_view what) {
  return Fail(std::string(what) + ": write rados://<pool>[/<namespace>][?conf=<path>&id=<name>], such as " +
                  "\"rados://ffdc?id=ffdc\"",
              EINVAL);
}

Result<> SetParameter(std::string_view parameter, RadosUrl* url) {
  const size_t equals = parameter.find('=');
  const std::string_view name = parameter.substr(0, equals);
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view() : parameter.substr(equals + 1);
  if (name == "conf") {
    if (!IsPath(value)) return Wrong("conf is not an absolute path of printable ASCII");
    url->conf = value;
  } else if (name == "id") {
    if (!IsName(value)) return Wrong("id is not a name of letters, digits, '.', '_' and '-'");
    url->id = value;
  } else {
    return Wrong("there are only the parameters conf and id");
  }
  return {};
}

}  // namespace

std::string StoreFolder(std::string_view url) {
  return std::string(url.starts_with(kDirScheme) ? url.substr(kDirScheme.size()) : std::string_view());
}

Result<RadosUrl> ParseRadosUrl(std::string_view text) {
  if (!text.starts_with(kRadosScheme)) return Wrong("it does not begin with rados://");
  text.remove_prefix(kRadosScheme.size());
  RadosUrl url;
  const size_t question = text.find('?');
  const std::string_view path = text.substr(0, question);
  const size_t slash = path.find('/');
  if (!IsName(path.substr(0, slash)))
    return Wrong("the pool is not a name of letters, digits, '.', '_' and '-'");
  url.pool = path.substr(0, slash);
  if (slash != std::string_view::npos) {
    if (!IsName(path.substr(slash + 1)))
      return Wrong("the namespace is not a name of letters, digits, '.', '_' and '-'");
    url.name_space = path.substr(slash + 1);
  }
  if (question == std::string_view::npos) return url;
  std::string_view rest = text.substr(question + 1);
  for (;;) {
    const size_t end = rest.find('&');
    FFDC_TRY(SetParameter(rest.substr(0, end), &url));
    if (end == std::string_view::npos) return url;
    rest.remove_prefix(end + 1);
  }
}

}  // namespace ffdc
