// SPDX-License-Identifier: Apache-2.0
// The node's own certificate, and the CA that signed those of all nodes. PEM.
#pragma once

#include <string>

#include "base/certificate.h"
#include "base/launcher.h"
#include "base/result.h"
#include "ffdc/v1/peer.pb.h"

namespace ffdc {

struct TlsIdentity {
  std::string ca;
  std::string certificate;
  std::string key;
};

// Reads the files, and checks that they belong together and that the certificate is for this node and good
// now; with the CA's private key this node can sign for others. Blocks: at the start and in workers only.
Result<v1::TlsFiles> LoadTls(const v1::TlsFilesArgs& args);

// "peer.tls": a TlsFilesArgs in a memory file (base/mem_file.h), which becomes the TlsFiles.
WorkerTasks TlsTasks();

}  // namespace ffdc
