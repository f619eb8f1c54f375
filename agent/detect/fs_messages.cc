// SPDX-License-Identifier: Apache-2.0
#include "detect/fs_messages.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace ffdc {
namespace {

bool Skip(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// "(device dm-0): rest", "(dm-0): rest", "(device dm-0: state EA) in rest" -> "dm-0", "rest".
std::string_view TakeDevice(std::string_view& text) {
  if (!Skip(text, "(")) return {};
  Skip(text, "device ");
  const size_t end = text.find(')');
  if (end == std::string_view::npos) return {};
  std::string_view device = text.substr(0, end);
  device = device.substr(0, device.find_first_of(": "));
  text.remove_prefix(end + 1);
  text.remove_prefix(std::min(text.find_first_not_of(": "), text.size()));
  return device;
}

FsMessage Message(std::string_view type, std::string_view device, std::string_view detail, bool read_only) {
  return {std::string(device), std::string(type), std::string(detail), read_only};
}

// fs/ext4/super.c, fs/ext4/page-io.c. All that follows "EXT4-fs error" is one.
std::optional<FsMessage> ParseExt4(std::string_view text) {
  constexpr std::array<std::string_view, 4> kLost{
      "I/O error while writing superblock", "previous I/O error to superblock detected",
      "Delayed block allocation failed", "failed to convert unwritten extents"};
  constexpr std::array<std::string_view, 2> kReadOnly{"Remounting filesystem read-only",
                                                      "shut down requested"};
  constexpr std::array<std::string_view, 1> kWriteback{" writing to inode "};
  const bool error = Skip(text, "error ");
  const bool warning = !error && Skip(text, "warning ");
  const std::string_view device = TakeDevice(text);
  if (device.empty()) return std::nullopt;
  const bool read_only = !warning && HasAny(text, kReadOnly);
  if (error || read_only || (warning ? HasAny(text, kWriteback) : HasAny(text, kLost)))
    return Message("ext4", device, text, read_only);
  return std::nullopt;
}

// fs/xfs: xfs_alert(), xfs_alert_tag(), xfs_warn().
std::optional<FsMessage> ParseXfs(std::string_view text) {
  constexpr std::array<std::string_view, 3> kShutdown{"Filesystem has been shut down",
                                                      "Shutting down filesystem", "User initiated shutdown"};
  constexpr std::array<std::string_view, 8> kErrors{"log I/O error",   "metadata I/O error", "corruption",
                                                    "Corruption",      "CRC error detected", "Internal error",
                                                    "writeback error", "Failing async write"};
  const std::string_view device = TakeDevice(text);
  if (device.empty()) return std::nullopt;
  const bool shut_down = HasAny(text, kShutdown);
  if (!shut_down && !HasAny(text, kErrors)) return std::nullopt;
  return Message("xfs", device, text, shut_down);
}

// fs/btrfs/messages.c. Its errors are also of a person's commands (balance, mount options), and
// what it tells of its devices' former errors at mount is "info": only these words are taken.
std::optional<FsMessage> ParseBtrfs(std::string_view text) {
  constexpr std::array<std::string_view, 11> kErrors{
      "errs: ",         "errno=",   "corrupt leaf", "corrupt node",    "transid",    "csum",
      "checksum error", "bad tree", "lost page",    "unable to fixup", "super block"};
  Skip(text, ": ");
  Skip(text, " ");
  const size_t open = text.find(" (device ");
  if (open == std::string_view::npos) return std::nullopt;
  const std::string_view level = text.substr(0, open);
  text.remove_prefix(open + 1);
  const std::string_view device = TakeDevice(text);
  if (device.empty()) return std::nullopt;
  const bool read_only =
      text.starts_with("forced readonly") || text.find("Transaction aborted") != std::string_view::npos;
  if (!read_only && (level == "info" || level == "debug" || level == "notice" || !HasAny(text, kErrors)))
    return std::nullopt;
  return Message("btrfs", device, text, read_only);
}

// fs/jbd2/journal.c names the device and, with an internal journal, its inode: "dm-0-8".
std::optional<FsMessage> ParseJournal(std::string_view text) {
  const std::string_view detail = text;
  if (!Skip(text, "Aborting journal on device ")) {
    if (!Skip(text, "JBD2: ")) return std::nullopt;
    constexpr std::array<std::string_view, 2> kErrors{" when updating journal superblock for ",
                                                      "Detected IO errors while flushing file data on "};
    const auto* const word = std::find_if(kErrors.begin(), kErrors.end(), [&](std::string_view error) {
      return text.find(error) != std::string_view::npos;
    });
    if (word == kErrors.end()) return std::nullopt;
    text.remove_prefix(text.find(*word) + word->size());
  }
  std::string_view device = text.substr(0, text.find(' '));
  while (device.ends_with('.')) device.remove_suffix(1);
  const size_t dash = device.rfind('-');
  // Of "dm-0" the number is the name's own: an inode follows a digit.
  if (dash != std::string_view::npos && dash > 0 && device[dash - 1] >= '0' && device[dash - 1] <= '9')
    device = device.substr(0, dash);
  if (device.empty()) return std::nullopt;
  return Message("", device, detail, false);
}

}  // namespace

std::optional<FsMessage> ParseFsMessage(std::string_view text) {
  if (Skip(text, "EXT4-fs ")) return ParseExt4(text);
  if (Skip(text, "XFS ")) return ParseXfs(text);
  if (Skip(text, "BTRFS")) return ParseBtrfs(text);
  return ParseJournal(text);
}

}  // namespace ffdc
