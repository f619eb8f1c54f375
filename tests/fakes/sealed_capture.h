// SPDX-License-Identifier: Apache-2.0
// A valid sealed capture, as the capture stage leaves it in the spool.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>

#include "base/fs.h"
#include "base/proto_json.h"
#include "ffdc/v1/capture.pb.h"

namespace ffdc {

struct SealedCaptureOptions {
  std::string incident_id;
  std::string cluster = "lab";
  std::string node = "node1";
  bool repeat = false;
  bool encrypted = false;  // as far as a store can see
  bool has_xxh3 = true;    // false: as sealed by an agent that wrote no such sum
  std::map<std::string, std::string> files = {{"io-history.jsonl", "{\"op\":\"read\"}\n"},
                                              {"kernel-log.txt", "I/O error, dev loop7\n"},
                                              {"mounts.txt", ""}};
};

inline std::string Sha256Of(const std::string& data) {
  Sha256 digest;
  digest.Update(data.data(), data.size());
  return digest.HexDigest();
}

inline std::string Xxh3Of(const std::string& data) {
  Xxh3 digest;
  digest.Update(data.data(), data.size());
  return digest.HexDigest();
}

// The tar.zst alone; files in the order of their names.
inline void WriteCaptureArchive(const std::string& path, const std::map<std::string, std::string>& files) {
  struct archive* archive = archive_write_new();
  archive_write_add_filter_zstd(archive);
  archive_write_set_format_pax_restricted(archive);
  ASSERT_EQ(archive_write_open_filename(archive, path.c_str()), ARCHIVE_OK);
  for (const auto& [name, data] : files) {
    struct archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0640);
    archive_entry_set_size(entry, static_cast<la_int64_t>(data.size()));
    ASSERT_EQ(archive_write_header(archive, entry), ARCHIVE_OK);
    ASSERT_EQ(archive_write_data(archive, data.data(), data.size()), static_cast<la_ssize_t>(data.size()));
    archive_entry_free(entry);
  }
  ASSERT_EQ(archive_write_close(archive), ARCHIVE_OK);
  archive_write_free(archive);
}

// <spool>/sealed/<incident-id>/{incident.json,manifest.json,capture.tar.zst[.cms]}
inline v1::Manifest MakeSealedCapture(const std::filesystem::path& spool,
                                      const SealedCaptureOptions& options) {
  const auto folder = spool / "sealed" / options.incident_id;
  EXPECT_TRUE(MakeDirs(folder));
  const std::string archive = options.encrypted ? "capture.tar.zst.cms" : "capture.tar.zst";
  if (options.encrypted) {
    EXPECT_TRUE(WriteFile(folder / archive, "what only a recipient can read"));
  } else {
    WriteCaptureArchive(folder / archive, options.files);
  }

  v1::Manifest manifest;
  manifest.set_format(1);
  manifest.set_incident_id(options.incident_id);
  manifest.set_cluster(options.cluster);
  manifest.set_node(options.node);
  manifest.set_repeat(options.repeat);
  for (const auto& [name, data] : options.files) {
    auto* file = manifest.add_files();
    file->set_name(name);
    file->set_size_bytes(data.size());
    file->set_sha256(Sha256Of(data));
  }
  manifest.set_archive(archive);
  if (options.encrypted) manifest.add_encrypted_to()->set_subject("CN=ops");
  uint64_t size_bytes = 0;
  manifest.set_archive_sha256(Sha256File(folder / archive, &size_bytes).value());
  manifest.set_archive_bytes(size_bytes);
  if (options.has_xxh3) manifest.set_archive_xxh3_128(Xxh3Of(ReadFile(folder / archive, size_bytes).value()));
  EXPECT_TRUE(WriteFile(folder / "manifest.json", ToJson(manifest).value()));

  v1::Incident incident;
  incident.set_id(options.incident_id);
  incident.set_summary("as sealed");
  EXPECT_TRUE(WriteFile(folder / "incident.json", ToJson(incident).value()));
  return manifest;
}

}  // namespace ffdc
