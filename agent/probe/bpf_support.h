// SPDX-License-Identifier: Apache-2.0
// RAII and plain words around libbpf.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace ffdc {

// Owns what `bpftool gen skeleton` made: opened, loaded, or nothing.
template <class Skeleton>
struct DestroySkeleton {
  void operator()(Skeleton* skeleton) const { Skeleton::destroy(skeleton); }
};
template <class Skeleton>
using BpfSkeleton = std::unique_ptr<Skeleton, DestroySkeleton<Skeleton>>;

struct DestroyLink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using BpfLink = std::unique_ptr<bpf_link, DestroyLink>;

struct FreeRingBuffer {
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};
using BpfRingBuffer = std::unique_ptr<ring_buffer, FreeRingBuffer>;

// Keeps libbpf quiet and remembers its first warning, which names the cause;
// what follows it are consequences. One at a time.
class LibbpfWarnings {
 public:
  LibbpfWarnings();
  ~LibbpfWarnings();
  LibbpfWarnings(const LibbpfWarnings&) = delete;
  LibbpfWarnings& operator=(const LibbpfWarnings&) = delete;
  // The reason of a libbpf call that returned -code, for a person.
  [[nodiscard]] std::string Explain(int code) const;

 private:
  libbpf_print_fn_t previous_;
};

// Opens a skeleton, lets `prepare` set its constants and map sizes, loads it.
template <class Skeleton, class Prepare>
Result<BpfSkeleton<Skeleton>> LoadSkeleton(Prepare prepare) {
  const LibbpfWarnings warnings;
  errno = 0;
  BpfSkeleton<Skeleton> skeleton(Skeleton::open());
  if (!skeleton) return Fail(warnings.Explain(errno), errno);
  int error = prepare(*skeleton);
  if (error == 0) error = Skeleton::load(skeleton.get());
  if (error != 0) return Fail(warnings.Explain(-error), -error);
  return skeleton;
}
Result<BpfLink> AttachProgram(const bpf_program* program);

struct ProgramStats {
  uint64_t runs = 0;
  uint64_t run_time_ns = 0;
  uint64_t misses = 0;  // runs left out because the program was running on that CPU already
};
ProgramStats GetProgramStats(const bpf_program* program);

// A piece of a memory-mapped array map, read-only. Short-lived on purpose: the
// kernel maps all of it at once, so that each page of it counts as ours.
class MapView {
 public:
  static Result<MapView> Open(int map_fd, uint64_t offset, size_t size);
  MapView(MapView&& other) noexcept
      : base_(std::exchange(other.base_, nullptr)), mapped_(other.mapped_), skip_(other.skip_) {}
  MapView& operator=(MapView&& other) = delete;
  MapView(const MapView&) = delete;
  MapView& operator=(const MapView&) = delete;
  ~MapView();
  [[nodiscard]] const std::byte* data() const { return base_ + skip_; }

 private:
  MapView(std::byte* base, size_t mapped, size_t skip) : base_(base), mapped_(mapped), skip_(skip) {}
  std::byte* base_ = nullptr;
  size_t mapped_ = 0;
  size_t skip_ = 0;  // the view starts so far into the first page
};

}  // namespace ffdc
