// SPDX-License-Identifier: Apache-2.0
// ffdcd: flags, then the agent.
#include <absl/synchronization/mutex.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <filesystem>
#include <iostream>

#include "base/crash_point.h"
#include "base/event_loop.h"
#include "base/launcher.h"
#include "base/log.h"
#include "base/paths.h"
#include "capture/privacy.h"
#include "config/settings.h"
#include "control/server.h"
#include "daemon.h"
#include "daemon_control.h"
#include "store/preload.h"

namespace {

struct Flags {
  std::string config;
  bool check = false;
  bool list_crash_points = false;
};

ffdc::Result<ffdc::Settings> Load(Flags& flags) {
  if (!flags.config.empty()) return ffdc::LoadSettings(flags.config);
  auto settings = ffdc::LoadSettings(ffdc::kDefaultConfigPath, ffdc::MainFile::kOptional);
  if (settings && !settings->files.empty()) flags.config = ffdc::kDefaultConfigPath;
  return settings;
}

std::string Names(const std::vector<std::string>& files) {
  std::string names;
  for (const std::string& file : files) names += (names.empty() ? "" : ", ") + file;
  return names.empty() ? "built-in defaults" : names;
}

ffdc::Result<> Run(const ffdc::Settings& settings, const std::string& config_path,
                   const ffdc::CapturePrivacy& privacy) {
  if (geteuid() != 0)
    return ffdc::Fail(
        "ffdcd must run as root: it attaches BPF programs and reads every process: use systemctl or sudo");
  // Before the first thread, before libbpf and gRPC.
  FFDC_ASSIGN(const std::unique_ptr<ffdc::Launcher> launcher,
              ffdc::Launcher::Start(ffdc::AgentTasks(), [&] { ffdc::PreloadStore(settings.store.url); }));
  FFDC_TRY(ffdc::InitLog(settings.log.level));
  FFDC_ASSIGN(const std::unique_ptr<ffdc::EventLoop> loop, ffdc::EventLoop::Create());
  ffdc::Daemon daemon(settings, config_path, privacy, *loop, *launcher);
  FFDC_TRY(daemon.Start());
  ffdc::DaemonControl control(daemon);
  FFDC_ASSIGN(std::unique_ptr<ffdc::ControlServer> server,
              ffdc::ControlServer::Start(settings.control.socket, control));
  ffdc::NotifyReady();
  auto ended = loop->Run();
  control.Stop();
  server.reset();
  daemon.Stop();
  if (!launcher->alive())
    return ffdc::Fail(
        "the launcher process ended, so no worker can be started: restart ffdcd (systemd does)");
  return ended;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  // Debian builds Abseil so that every lock in gRPC is checked against the order of all others: with many
  // peers that takes more time than all the rest.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  Flags flags;
  CLI::App app("First Failure Data Capture: the agent of one host", "ffdcd");
  app.set_version_flag("--version", "ffdcd " FFDC_VERSION);
  app.add_option(
         "--config", flags.config,
         std::string("configuration file (default: ") + ffdc::kDefaultConfigPath + " if there is one)")
      ->type_name("FILE");
  app.add_flag("--check-config", flags.check, "check the configuration and exit");
  app.add_flag("--list-crash-points", flags.list_crash_points,
               "print the places where a test may kill the agent")
      ->group("");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (flags.list_crash_points) {
    for (const std::string_view name : ffdc::AllCrashPoints()) std::cout << name << '\n';
    return 0;
  }
  const auto settings = Load(flags);
  if (!settings) {
    std::cerr << settings.error().message << '\n';
    return 1;
  }
  // Before the launcher, whose workers inherit a libcrypto that has done it once and reads no file any more.
  const auto privacy = ffdc::LoadPrivacy(settings->store.encrypt_to, settings->capture.redact);
  if (!privacy) {
    std::cerr << "ffdcd: " << privacy.error().message << '\n';
    return 1;
  }
  if (flags.check) {
    std::cout << Names(settings->files) << ": OK\n";
    return 0;
  }
  if (const auto result = Run(*settings, flags.config, *privacy); !result) {
    std::cerr << "ffdcd: " << result.error().message << '\n';
    return 1;
  }
  return 0;
}
