// SPDX-License-Identifier: Apache-2.0
#include "store/name_claim.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <sstream>
#include <vector>

#include "base/clock.h"
#include "base/fs.h"
#include "base/proto_json.h"
#include "base/text.h"
#include "store/file_source.h"
#include "store/small_files.h"

namespace ffdc {
namespace {

namespace fs = std::filesystem;

// Renewed every half a minute.
constexpr int64_t kClaimNs = 90 * kNsPerSecond;
constexpr int64_t kRenewNs = 20 * kNsPerSecond;
constexpr size_t kIdWords = 4;

// proc(5), stat: field 22, behind the name in parentheses
std::string StartTime(const std::string& pid) {
  const std::string text = ReadLine("/proc/" + pid + "/stat");
  std::istringstream fields{std::string(BehindTaskName(text))};
  constexpr int kFieldsBetween = 19;
  std::string field;
  for (int i = 0; i <= kFieldsBetween; ++i) fields >> field;
  return field;
}

std::string PidNamespace() {
  struct stat info {};
  return stat("/proc/self/ns/pid", &info) == 0 ? std::to_string(info.st_ino) : "0";
}

// One life of an agent, told by the launcher of its workers: boot, pid namespace, pid, start.
std::string OwnId() {
  const std::string pid = std::to_string(getppid());
  return ReadLine("/proc/sys/kernel/random/boot_id") + " " + PidNamespace() + " " + pid + " " +
         StartTime(pid);
}

// A former life of this node's agent, which can be seen to have ended.
bool IsDead(const std::string& id) {
  std::istringstream text(id);
  std::vector<std::string> words;
  for (std::string word; text >> word;) words.push_back(word);
  if (words.size() != kIdWords) return true;
  const bool is_here = words[0] == ReadLine("/proc/sys/kernel/random/boot_id") && words[1] == PidNamespace();
  const bool is_pid = words[2].find_first_not_of("0123456789") == std::string::npos;
  return is_here && (!is_pid || StartTime(words[2]) != words[3]);
}

std::string HostName() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "?";
  return name.data();
}

}  // namespace

Result<NameClaim> RenewClaim(std::string_view text, const std::string& node) {
  v1::StoreLease claim = ParseLease(text);
  const int64_t now_ns = SystemClock().RealtimeNs();
  const std::string own_id = OwnId();
  const bool is_valid = now_ns < claim.until_wall_ns() && claim.until_wall_ns() < now_ns + 2 * kClaimNs;
  if (is_valid && claim.id() != own_id && !IsDead(claim.id()))
    return NameClaim{
        "two agents have one name: another one, on host '" + claim.node() + "', stores captures as node '" +
            node + "' too: nothing is lost, but they cannot be told apart: change [node] name of one of them",
        {}};
  if (is_valid && claim.id() == own_id && claim.until_wall_ns() > now_ns + kClaimNs - kRenewNs)
    return NameClaim();
  claim.set_node(HostName());
  claim.set_id(own_id);
  claim.set_until_wall_ns(now_ns + kClaimNs);
  FFDC_ASSIGN(std::string json, ToJson(claim));
  return NameClaim{{}, std::move(json)};
}

Result<std::string> ClaimName(const fs::path& file, const fs::path& temporary, const std::string& node) {
  const auto source = FileSource::Open(file);
  const auto text = source ? ReadText(**source) : Unexpected(source.error());
  FFDC_ASSIGN(const NameClaim claim, RenewClaim(text ? *text : std::string(), node));
  if (claim.text.empty()) return claim.other;
  FFDC_TRY(MakeDirs(file.parent_path()));
  // Not synced: what a crash loses of it is written anew.
  FFDC_TRY(WriteFile(temporary, claim.text));
  if (rename(temporary.c_str(), file.c_str()) != 0) return FailErrno("cannot write " + file.string());
  return std::string();
}

}  // namespace ffdc
