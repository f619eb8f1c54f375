// SPDX-License-Identifier: Apache-2.0
#include "host_facts.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/utsname.h>

#include <cerrno>
#include <sstream>

#include "base/clock.h"
#include "base/fs.h"

namespace ffdc {
namespace {

std::string OsName() {
  std::istringstream lines(ReadLine("/etc/os-release"));
  constexpr std::string_view kKey = "PRETTY_NAME=";
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(kKey)) continue;
    line.erase(0, kKey.size());
    std::erase(line, '"');
    return line;
  }
  return {};
}

}  // namespace

v1::Versions ReadVersions() {
  v1::Versions versions;
  utsname names{};
  uname(&names);
  versions.set_agent(FFDC_VERSION);
  versions.set_kernel(names.release);
  versions.set_kernel_build(names.version);
  versions.set_machine(names.machine);
  versions.set_os(OsName());
  if (auto digest = Sha256File("/sys/kernel/btf/vmlinux")) versions.set_btf_id(*digest);
  return versions;
}

v1::ClockReading ReadClocks() {
  v1::ClockReading reading;
  const ClockMoment now = SystemClock().ReadTogether();
  reading.set_monotonic_ns(now.monotonic_ns);
  reading.set_realtime_ns(now.realtime_ns);
  reading.set_boottime_ns(now.boottime_ns);
  reading.set_uncertainty_ns(now.uncertainty_ns);
  return reading;
}

Result<Fd> LockFolder(const std::string& folder, const std::string& what, const std::string& owner) {
  FFDC_TRY(MakeDirs(folder));
  const std::string path = folder + "/lock";
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (!fd.valid()) return FailErrno("cannot open " + path);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return FailErrno("cannot lock " + path);
    return Fail("the " + what + " " + folder + " is in use by " + ReadLine(path) +
                    ": stop that agent, or give this one a folder of its own",
                EBUSY);
  }
  if (ftruncate(fd.get(), 0) != 0) return FailErrno("cannot write " + path);
  FFDC_TRY(WriteAll(fd.get(), owner + "\n", path));
  return fd;
}

}  // namespace ffdc
