// SPDX-License-Identifier: Apache-2.0
// Names in a spool folder, where two stages meet: a capture is sealed into it and
// shipped out of it. A store calls a capture's files the same.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ffdc {

inline constexpr char kSealedFolder[] = "sealed";    // <incident-id>/: whole captures
inline constexpr char kTmpFolder[] = "tmp";          // on their way in or out
inline constexpr char kDamagedFolder[] = "damaged";  // not what their manifest says
inline constexpr char kHandedFolder[] = "handed";    // <incident-id>.<node>/: of peers without the store

inline constexpr char kArchiveFile[] = "capture.tar.zst";
inline constexpr char kEncryptedArchiveFile[] = "capture.tar.zst.cms";  // it, as CMS (RFC 5652, 5083) in DER
inline constexpr char kManifestFile[] = "manifest.json";
inline constexpr char kIncidentFile[] = "incident.json";
inline constexpr char kStoreFile[] = "store.json";  // a store's marker; in a spool: which store it fills

// A capture goes to a peer in parts of at most this size: it fits a message, and costs a worker on both
// sides.
inline constexpr size_t kHandoffPartBytes = 512u << 10;

// A capture has an archive of either name; its manifest says of which.
inline bool IsArchiveName(std::string_view name) {
  return name == kArchiveFile || name == kEncryptedArchiveFile;
}

// Below the spool.
inline std::string SealedPath(const std::string& incident_id) {
  return std::string(kSealedFolder) + "/" + incident_id;
}
inline std::string HandedPath(const std::string& incident_id, const std::string& node) {
  return std::string(kHandedFolder) + "/" + incident_id + "." + node;
}
inline std::string DamagedPath(const std::string& name) { return std::string(kDamagedFolder) + "/" + name; }

}  // namespace ffdc
