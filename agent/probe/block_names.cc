// SPDX-License-Identifier: Apache-2.0
// Words for the running kernel's numbers: read once from its BTF, which names
// ops and flags; statuses are no enum, so their drift is told by a neighbour's.
#include <bpf/btf.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <memory>
#include <string_view>

#include "base/block_words.h"
#include "probe/block_probe.h"
#include "probe/bpf_support.h"

namespace ffdc {
namespace {

struct KernelNames {
  std::map<uint32_t, std::string> ops;
  std::map<uint32_t, std::string> flags;  // by bit
  bool zone_write_plugging = false;       // 6.10: "block: Remove BLK_STS_ZONE_RESOURCE" moved what follows it
};

std::string Words(std::string_view enumerator, std::string_view prefix) {
  if (enumerator.starts_with(prefix)) enumerator.remove_prefix(prefix.size());
  std::string words(enumerator);
  for (char& letter : words) {
    letter = letter == '_' ? ' ' : static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  return words;
}

void NoteEnum(KernelNames& names, const btf* types, const btf_type* type) {
  const std::string_view name = btf__name_by_offset(types, type->name_off);
  const bool ops = name == "req_op" || name == "req_opf";  // 6.0 renamed it
  const bool flags = name == "req_flag_bits";
  if (!ops && !flags && !name.empty()) return;
  const auto* members = btf_enum(type);
  for (uint32_t i = 0; i < btf_vlen(type); ++i) {
    const std::string_view member = btf__name_by_offset(types, members[i].name_off);
    const auto value = static_cast<uint32_t>(members[i].val);
    if (ops && member != "REQ_OP_LAST") names.ops.emplace(value, Words(member, "REQ_OP_"));
    if (flags && member != "__REQ_NR_BITS") names.flags.emplace(value, Words(member, "__REQ_"));
    if (member == "BIO_ZONE_WRITE_PLUGGING") names.zone_write_plugging = true;
  }
}

KernelNames ReadKernelNames() {
  KernelNames names;
  const LibbpfWarnings quiet;
  struct FreeBtf {
    void operator()(btf* types) const { btf__free(types); }
  };
  const std::unique_ptr<btf, FreeBtf> types(btf__load_vmlinux_btf());
  if (!types) return names;
  const uint32_t count = btf__type_cnt(types.get());
  for (uint32_t id = 1; id < count; ++id) {
    const btf_type* type = btf__type_by_id(types.get(), id);
    if (btf_is_enum(type)) NoteEnum(names, types.get(), type);
  }
  return names;
}

const KernelNames& Names() {
  static const KernelNames names = ReadKernelNames();
  return names;
}

}  // namespace

std::string OpName(uint8_t op) {
  const auto found = Names().ops.find(op);
  return found != Names().ops.end() ? found->second : BlockOpName(op);
}

std::string StatusName(uint8_t status) {
  constexpr uint8_t kFirstMoved = 14;
  if (status < kFirstMoved) return BlockStatusName(status);
  static constexpr std::string_view kMoved[] = {"zone resource error", "open zones exceeded error",
                                                "active zones exceeded error", "device offline error",
                                                "duration limit exceeded error"};
  const size_t index = status - kFirstMoved + (Names().zone_write_plugging ? 1u : 0u);
  if (Names().zone_write_plugging && status == 19) return "invalid error";
  return index < std::size(kMoved) ? std::string(kMoved[index]) : BlockStatusName(status);
}

std::vector<std::string> RequestFlagNames(uint32_t rq_flags) {
  constexpr uint32_t kOpBits = 8;
  std::vector<std::string> words;
  for (uint32_t bit = kOpBits; bit < 32; ++bit) {
    if ((rq_flags >> bit & 1) == 0) continue;
    const auto found = Names().flags.find(bit);
    words.push_back(found != Names().flags.end() ? found->second : "flag " + std::to_string(bit));
  }
  return words;
}

}  // namespace ffdc
