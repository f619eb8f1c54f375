// SPDX-License-Identifier: Apache-2.0
// rados_cost URL MIB: how fast a capture of MIB gets into the pool of a rados:// store, checked, beside
// two loops that write the same bytes with librados alone, 4 MiB an operation, 4 under way, 64 MiB an
// object, as the driver does: one checks nothing, one asks the OSD for the checksum of each part. Prints
// JSON.
#include <fcntl.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <filesystem>
#include <memory>
#include <rados/librados.hpp>

#include "base/fs.h"
#include "base/spool_layout.h"
#include "base/store_url.h"
#include "base/uuid.h"
#include "fakes/temp_dir.h"
#include "store/driver.h"

namespace ffdc {
namespace {

constexpr size_t kChunk = 4u << 20;
constexpr size_t kWindow = 4;
constexpr size_t kPiece = 64u << 20;

class Unpaced final : public Transfer {
 public:
  void Sent(uint64_t /*bytes*/) override {}
};

double Seconds(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

Result<> Check(const char* what, int code) {
  if (code < 0) return Fail(std::string("cannot ") + what + ": " + strerrordesc_np(-code), -code);
  return {};
}

// Writes, and with `checked` has each part read back by the OSD, a window of each under way.
class Loop {
 public:
  Loop(librados::IoCtx& io, bool checked) : io_(io), checked_(checked) {}

  Result<> Write(size_t offset, librados::bufferlist data) {
    if (writes_.size() == kWindow) FFDC_TRY(FinishWrite());
    Part part{"bare." + std::to_string(offset / kPiece), offset % kPiece, data.length()};
    librados::ObjectWriteOperation operation;
    operation.write(part.offset, data);
    // As the driver: what is checked is read from the disk, and fills no cache.
    if (checked_) operation.set_op_flags2(LIBRADOS_OP_FLAG_FADVISE_DONTNEED);
    FFDC_TRY(Check("write", io_.aio_operate(part.object, part.completion.get(), &operation)));
    writes_.push_back(std::move(part));
    return {};
  }

  Result<> Finish() {
    while (!writes_.empty()) FFDC_TRY(FinishWrite());
    while (!checks_.empty()) FFDC_TRY(FinishCheck());
    return {};
  }

 private:
  struct Part {
    std::string object;
    size_t offset = 0;
    size_t size = 0;
    std::unique_ptr<librados::AioCompletion, void (*)(librados::AioCompletion*)> completion{
        librados::Rados::aio_create_completion(), [](auto* done) { done->release(); }};
    librados::bufferlist checksum{};
  };

  Result<> FinishWrite() {
    const Part part = std::move(writes_.front());
    writes_.pop_front();
    part.completion->wait_for_complete();
    FFDC_TRY(Check("write", part.completion->get_return_value()));
    if (!checked_) return {};
    if (checks_.size() == kWindow) FFDC_TRY(FinishCheck());
    Part& check = checks_.emplace_back(Part{part.object, part.offset, part.size});
    librados::bufferlist seed;
    const uint32_t all_ones = UINT32_MAX;
    seed.append(reinterpret_cast<const char*>(&all_ones), sizeof all_ones);
    librados::ObjectReadOperation operation;
    operation.checksum(LIBRADOS_CHECKSUM_TYPE_CRC32C, seed, check.offset, check.size, 0, &check.checksum,
                       nullptr);
    operation.set_op_flags2(LIBRADOS_OP_FLAG_FADVISE_DONTNEED);
    return Check("check", io_.aio_operate(check.object, check.completion.get(), &operation, nullptr));
  }

  Result<> FinishCheck() {
    checks_.front().completion->wait_for_complete();
    const int code = checks_.front().completion->get_return_value();
    checks_.pop_front();
    return Check("check", code);
  }

  librados::IoCtx& io_;
  const bool checked_;
  std::deque<Part> writes_;
  std::deque<Part> checks_;
};

Result<double> Bare(const RadosUrl& url, const std::string& path, bool checked) {
  librados::Rados rados;
  librados::IoCtx io;
  FFDC_TRY(Check("set up", rados.init2(("client." + url.id).c_str(), "ceph", 0)));
  FFDC_TRY(Check("configure", rados.conf_read_file(url.conf.c_str())));
  FFDC_TRY(Check("connect", rados.connect()));
  FFDC_TRY(Check("open the pool", rados.ioctx_create(url.pool.c_str(), io)));
  io.set_namespace(url.name_space);
  Loop loop(io, checked);
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto begin = std::chrono::steady_clock::now();
  std::string chunk(kChunk, '\0');
  for (size_t offset = 0;; offset += kChunk) {
    FFDC_ASSIGN(const size_t got, ReadSome(file.get(), chunk.data(), chunk.size(), path));
    if (got == 0) break;
    librados::bufferlist data;
    data.append(chunk.data(), static_cast<unsigned>(got));
    FFDC_TRY(loop.Write(offset, std::move(data)));
  }
  FFDC_TRY(loop.Finish());
  const double seconds = Seconds(begin);
  for (size_t piece = 0; io.remove("bare." + std::to_string(piece)) == 0; ++piece) {
  }
  return seconds;
}

Result<double> Driver(const std::string& url, const std::string& folder, const v1::Manifest& manifest) {
  FFDC_ASSIGN(const auto store, OpenStore(url, "bench", "node1"));
  FFDC_TRY(store->Prepare());
  Unpaced transfer;
  const auto begin = std::chrono::steady_clock::now();
  FFDC_TRY(store->PutCapture(folder, manifest, transfer));
  const double seconds = Seconds(begin);
  FFDC_TRY(store->Remove(manifest.incident_id()));
  return seconds;
}

Result<> Run(const std::string& text, size_t mib) {
  FFDC_ASSIGN(const RadosUrl url, ParseRadosUrl(text));
  const TempDir dir;
  const std::string path = dir / kArchiveFile;
  std::string data(mib << 20, '\0');
  uint64_t state = 88172645463325252;  // xorshift: nothing that could be compressed
  for (size_t i = 0; i + sizeof state <= data.size(); i += sizeof state) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    memcpy(data.data() + i, &state, sizeof state);
  }
  FFDC_TRY(WriteFile(path, data));
  FFDC_TRY(WriteFile(dir / kManifestFile, "{}"));
  v1::Manifest manifest;
  manifest.set_incident_id(UuidGenerator(SystemClock()).Next());
  manifest.set_node("node1");
  manifest.set_archive(kArchiveFile);
  manifest.set_archive_bytes(data.size());
  FFDC_ASSIGN(*manifest.mutable_archive_sha256(), Sha256File(path));
  Xxh3 xxh3;
  xxh3.Update(data.data(), data.size());
  manifest.set_archive_xxh3_128(xxh3.HexDigest());
  FFDC_TRY(Bare(url, path, false));  // all find the cluster warm
  FFDC_ASSIGN(const double driver, Driver(text, dir.path(), manifest));
  FFDC_ASSIGN(const double bare, Bare(url, path, false));
  FFDC_ASSIGN(const double checked, Bare(url, path, true));
  const auto rate = [mib](double seconds) { return static_cast<double>(mib) / seconds; };
  printf("{\"bare_mib_per_s\": %.1f, \"checked_mib_per_s\": %.1f, \"driver_mib_per_s\": %.1f}\n", rate(bare),
         rate(checked), rate(driver));
  return {};
}

}  // namespace
}  // namespace ffdc

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: rados_cost URL MIB\n");
    return 2;
  }
  if (const auto run = ffdc::Run(argv[1], std::stoul(argv[2])); !run) {
    fprintf(stderr, "rados_cost: %s\n", run.error().message.c_str());
    return 1;
  }
  return 0;
}
