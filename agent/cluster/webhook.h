// SPDX-License-Identifier: Apache-2.0
// One HTTP POST to whoever wants to hear of incidents, in a worker process: name servers and web
// servers may hang.
#pragma once

#include <string>
#include <string_view>

#include "base/launcher.h"

namespace ffdc {

// "webhook.post": argument a v1::WebhookPost, reply the HTTP status of the answer ("204"). Any answer is one;
// an error is that there was none.
WorkerTasks WebhookTasks();

// "https://hooks.example.org" of a URL: the rest may hold a secret, and is not for logs.
std::string ServerOf(std::string_view url);

// The value of X-FFDC-Signature: "sha256=" and the HMAC-SHA256 of the body (RFC 2104) in lower-case hex.
std::string Signature(std::string_view secret, std::string_view body);

}  // namespace ffdc
