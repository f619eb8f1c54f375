// SPDX-License-Identifier: Apache-2.0
// A file as a row of objects "<name>.000000", "<name>.000001", ... of 64 MiB, the last one shorter:
// `rados get` and cat(1) put it together again. An OSD refuses objects above 128 MiB. Why not
// libradosstriper: it locks the first object, and a writer that dies leaves the lock behind, so that
// nobody can go on where it ended; and it keeps the size in an attribute that is written first, so
// that half a file looks whole.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/fs.h"
#include "store/archive_check.h"
#include "store/ceph_pool.h"
#include "store/driver.h"

namespace ffdc {

// What a former try has left is compared and kept. Returns when the OSDs have computed the right
// checksum of every part from what they stored; `check` got what was read from the file.
Result<> PutPieces(CephPool& pool, const std::string& name, const std::filesystem::path& file,
                   Transfer& transfer, ArchiveCheck& check);
// Code ENOENT: it is not there.
Result<std::unique_ptr<ByteSource>> OpenPieces(std::shared_ptr<CephPool> pool, const std::string& name);
// bytes: how long the file is at least, as far as that is known.
Result<> RemovePieces(CephPool& pool, const std::string& name, uint64_t bytes);

}  // namespace ffdc
