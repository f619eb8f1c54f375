// SPDX-License-Identifier: Apache-2.0
#include "peer/tls.h"

#include <algorithm>
#include <cerrno>

#include "base/fs.h"
#include "base/mem_file.h"

namespace ffdc {
namespace {

Result<std::string> ReadPem(const std::string& path, const std::string& what) {
  auto text = ReadFile(path, 1u << 20);
  if (!text) return Unexpected(text.error().In("cannot read the " + what + " (section [tls])"));
  return text;
}

Result<> CheckCertificate(const v1::TlsFilesArgs& args, const v1::TlsFiles& files) {
  const std::string& path = args.certificate_path();
  if (!ReadCertificate(files.ca()))
    return Fail("tls.ca " + args.ca_path() + " holds no certificate in PEM", EINVAL);
  const auto facts = ReadCertificate(files.certificate());
  if (!facts) return Unexpected(facts.error().In("tls.cert " + path));
  if (std::find(facts->names.begin(), facts->names.end(), args.node()) == facts->names.end()) {
    return Fail("tls.cert " + path + " is for '" +
                    (facts->names.empty() ? std::string("nobody") : facts->names.front()) +
                    "', not for this node '" + args.node() + "': issue one with the DNS name " + args.node(),
                EINVAL);
  }
  if (facts->expired)
    return Fail("tls.cert " + path + " expired at " + facts->not_after + ": issue a new one", EINVAL);
  if (const auto key = CheckKeyOf(files.certificate(), files.key()); !key)
    return Unexpected(key.error().In("tls.key " + args.key_path() + " of tls.cert " + path));
  return {};
}

}  // namespace

Result<v1::TlsFiles> LoadTls(const v1::TlsFilesArgs& args) {
  v1::TlsFiles files;
  FFDC_ASSIGN(*files.mutable_ca(), ReadPem(args.ca_path(), "CA's certificate"));
  FFDC_ASSIGN(*files.mutable_certificate(), ReadPem(args.certificate_path(), "node's certificate"));
  FFDC_ASSIGN(*files.mutable_key(), ReadPem(args.key_path(), "node's private key"));
  FFDC_TRY(CheckCertificate(args, files));
  if (args.ca_key_path().empty()) return files;
  FFDC_ASSIGN(*files.mutable_ca_key(), ReadPem(args.ca_key_path(), "CA's private key"));
  if (const auto key = CheckKeyOf(files.ca(), files.ca_key()); !key)
    return Unexpected(key.error().In("tls.ca_key " + args.ca_key_path() + " of tls.ca"));
  return files;
}

WorkerTasks TlsTasks() {
  WorkerTasks tasks;
  tasks["peer.tls"] = [](std::string_view, std::span<const int> fds) -> Result<std::string> {
    v1::TlsFilesArgs args;
    FFDC_TRY(ReadMessage(fds[0], &args));
    FFDC_ASSIGN(const v1::TlsFiles files, LoadTls(args));
    FFDC_TRY(WriteMessage(fds[0], files));
    return std::string();
  };
  return tasks;
}

}  // namespace ffdc
