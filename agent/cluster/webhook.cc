// SPDX-License-Identifier: Apache-2.0
#include "cluster/webhook.h"

#include <curl/curl.h>

#include <array>
#include <cerrno>
#include <memory>

#include "base/freed.h"
#include "base/fs.h"
#include "base/text.h"
#include "ffdc/v1/capture.pb.h"

namespace ffdc {
namespace {

constexpr long kConnectMs = 5000;
constexpr long kWholeMs = 10000;
constexpr size_t kMaxSecretBytes = 4096;

class Headers {
 public:
  Headers() = default;
  Headers(const Headers&) = delete;
  Headers& operator=(const Headers&) = delete;
  ~Headers() { curl_slist_free_all(list_); }
  void Add(const std::string& line) { list_ = curl_slist_append(list_, line.c_str()); }
  [[nodiscard]] curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

size_t Ignore(char* /*data*/, size_t size, size_t count, void* /*context*/) { return size * count; }

Result<std::string> Post(const v1::WebhookPost& post) {
  Headers headers;
  headers.Add("Content-Type: application/json");
  headers.Add("X-FFDC-Event: " + post.event());
  headers.Add("X-FFDC-Delivery: " + post.delivery());
  if (!post.secret_file().empty()) {
    FFDC_ASSIGN(const std::string secret, ReadFile(post.secret_file(), kMaxSecretBytes));
    if (Trim(secret).empty())
      return Fail(post.secret_file() + " holds no secret: write one line to it", EINVAL);
    headers.Add("X-FFDC-Signature: " + Signature(Trim(secret), post.body()));
  }
  const std::unique_ptr<CURL, Freed<curl_easy_cleanup>> curl(curl_easy_init());
  if (!curl) return Fail("cannot start libcurl", ENOMEM);
  std::array<char, CURL_ERROR_SIZE> why{};
  const auto set = [&curl](CURLoption option, auto value) { curl_easy_setopt(curl.get(), option, value); };
  set(CURLOPT_ERRORBUFFER, why.data());
  set(CURLOPT_URL, post.url().c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
  set(CURLOPT_TIMEOUT_MS, kWholeMs);
  set(CURLOPT_USERAGENT, "ffdcd");
  set(CURLOPT_HTTPHEADER, headers.get());
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(post.body().size()));
  set(CURLOPT_POSTFIELDS, post.body().data());
  set(CURLOPT_WRITEFUNCTION, Ignore);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK)
    return Fail(why[0] != '\0' ? std::string(why.data()) : std::string(curl_easy_strerror(code)), EIO);
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  return std::to_string(status);
}

Result<std::string> PostTask(std::string_view argument, std::span<const int> /*fds*/) {
  v1::WebhookPost post;
  if (!post.ParseFromArray(argument.data(), static_cast<int>(argument.size())))
    return Fail("no webhook post", EINVAL);
  return Post(post);
}

}  // namespace

WorkerTasks WebhookTasks() { return {{"webhook.post", PostTask}}; }

std::string ServerOf(std::string_view url) {
  const size_t host = url.find("://");
  if (host == std::string_view::npos) return std::string(url.substr(0, url.find('/')));
  return std::string(url.substr(0, url.find_first_of("/?#", host + 3)));
}

std::string Signature(std::string_view secret, std::string_view body) {
  return "sha256=" + HmacSha256(secret, body);
}

}  // namespace ffdc
