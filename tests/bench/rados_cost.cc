// SPDX-License-Identifier: Apache-2.0
// rados_cost URL MIB: how fast a capture of MIB gets into the pool of a rados:// store, checked, beside
// a loop that writes the same bytes with librados alone and checks nothing: 4 MiB an operation, 8 under
// way, 64 MiB an object, as the driver does. Prints JSON.
#include <fcntl.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <filesystem>
#include <memory>
#include <rados/librados.hpp>

#include "base/fs.h"
#include "base/rados_url.h"
#include "base/spool_layout.h"
#include "base/uuid.h"
#include "fakes/temp_dir.h"
#include "store/driver.h"

namespace ffdc {
namespace {

constexpr size_t kChunk = 4u << 20;
constexpr size_t kWindow = 8;
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

Result<double> Bare(const RadosUrl& url, const std::string& path) {
  librados::Rados rados;
  librados::IoCtx io;
  FFDC_TRY(Check("set up", rados.init2(("client." + url.id).c_str(), "ceph", 0)));
  FFDC_TRY(Check("configure", rados.conf_read_file(url.conf.c_str())));
  FFDC_TRY(Check("connect", rados.connect()));
  FFDC_TRY(Check("open the pool", rados.ioctx_create(url.pool.c_str(), io)));
  io.set_namespace(url.name_space);
  std::deque<std::unique_ptr<librados::AioCompletion, void (*)(librados::AioCompletion*)>> window;
  const auto wait_first = [&] {
    window.front()->wait_for_complete();
    const int code = window.front()->get_return_value();
    window.pop_front();
    return Check("write", code);
  };
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto begin = std::chrono::steady_clock::now();
  std::string chunk(kChunk, '\0');
  for (size_t offset = 0;; offset += kChunk) {
    FFDC_ASSIGN(const size_t got, ReadSome(file.get(), chunk.data(), chunk.size(), path));
    if (got == 0) break;
    if (window.size() == kWindow) FFDC_TRY(wait_first());
    librados::bufferlist data;
    data.append(chunk.data(), static_cast<unsigned>(got));
    window.emplace_back(librados::Rados::aio_create_completion(),
                        [](auto* completion) { completion->release(); });
    FFDC_TRY(Check("write", io.aio_write("bare." + std::to_string(offset / kPiece), window.back().get(), data,
                                         got, offset % kPiece)));
  }
  while (!window.empty()) FFDC_TRY(wait_first());
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
  FFDC_TRY(Bare(url, path));  // both find the cluster warm
  FFDC_ASSIGN(const double driver, Driver(text, dir.path(), manifest));
  FFDC_ASSIGN(const double bare, Bare(url, path));
  printf("{\"bare_mib_per_s\": %.1f, \"driver_mib_per_s\": %.1f}\n", static_cast<double>(mib) / bare,
         static_cast<double>(mib) / driver);
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
