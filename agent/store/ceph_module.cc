// SPDX-License-Identifier: Apache-2.0
#include "store/ceph_module.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>

#include <cerrno>
#include <filesystem>

#include "store/preload.h"

namespace ffdc {
namespace {

namespace fs = std::filesystem;

// Beside the program, in the build as in an installation: bin/ffdcd, <libdir>/ffdc/<module>.
constexpr char kModulePath[] = "../" FFDC_LIBDIR "/ffdc/ffdc_store_rados.so";

Result<const CephModule*> LoadModule() {
  static const CephModule* loaded = nullptr;
  if (loaded != nullptr) return loaded;
  std::error_code code;
  const fs::path program = fs::read_symlink("/proc/self/exe", code);
  const fs::path path = (program.parent_path() / kModulePath).lexically_normal();
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    const char* why = dlerror();  // NOLINT(concurrency-mt-unsafe): a worker's only thread
    return Fail("this host cannot use Ceph (" + std::string(why != nullptr ? why : path.string()) +
                    "): install librados2, and ffdc_store_rados.so as the user guide says",
                ELIBACC);
  }
  const auto* module = static_cast<const CephModule*>(dlsym(handle, "ffdc_ceph_module"));
  if (module == nullptr || module->version != kCephModuleVersion)
    return Fail(path.string() + " is of another version: install the one that was built with this agent",
                ELIBBAD);
  loaded = module;
  return loaded;
}

// The module's file and all it brought in.
int LockLibrary(dl_phdr_info* info, size_t /*size*/, void* program_headers) {
  if (info->dlpi_phdr == program_headers) return 0;  // the program itself
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    // Fails without the privilege; then that is so.
    const auto start = info->dlpi_addr + segment.p_vaddr;
    mlock(reinterpret_cast<const void*>(start), segment.p_memsz);  // NOLINT(performance-no-int-to-ptr)
  }
  return 0;
}

struct Connection {
  std::string url;
  std::shared_ptr<CephPool> pool;
};

Connection& TheConnection() {
  // Never destroyed: librados's threads may still run when the process ends.
  static auto* const connection = new Connection;
  return *connection;
}

}  // namespace

Result<std::shared_ptr<CephPool>> ConnectCeph(const RadosUrl& url, const std::string& text) {
  Connection& connection = TheConnection();
  if (connection.pool != nullptr && connection.url == text) return connection.pool;
  FFDC_ASSIGN(const CephModule* module, LoadModule());
  FFDC_ASSIGN(std::unique_ptr<CephPool> pool, module->connect(url));
  connection = {text, std::move(pool)};
  return connection.pool;
}

void ForgetCeph() { TheConnection() = {}; }

void PreloadStore(const std::string& store_url) {
  if (!store_url.starts_with(kRadosScheme) || !LoadModule()) return;
  dl_iterate_phdr(LockLibrary, nullptr);
}

}  // namespace ffdc
