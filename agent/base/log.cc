// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/systemd_sink.h>

#include <cstdlib>
#include <memory>

namespace ffdc {

Result<> InitLog(const std::string& level) {
  const auto parsed = spdlog::level::from_str(level);
  if (parsed == spdlog::level::off)
    return Fail("unknown log level '" + level + "': use debug, info, warning or error");
  std::shared_ptr<spdlog::logger> logger;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): before the first thread
  if (std::getenv("JOURNAL_STREAM") != nullptr) {
    logger = std::make_shared<spdlog::logger>("ffdcd", std::make_shared<spdlog::sinks::systemd_sink_mt>());
  } else {
    logger =
        std::make_shared<spdlog::logger>("ffdcd", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%-7l%$ %v");
  }
  logger->set_level(parsed);
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
  return {};
}

}  // namespace ffdc
