// SPDX-License-Identifier: Apache-2.0
// The certificate by which the peers, and an etcd with TLS, know this node: a new one that
// is put in its place is used without a restart.
#include <spdlog/spdlog.h>

#include "base/clock.h"
#include "base/mem_file.h"
#include "daemon_cluster.h"

namespace ffdc {
namespace {

constexpr uint64_t kLookEveryNs = 10 * static_cast<uint64_t>(kNsPerSecond);
constexpr std::chrono::milliseconds kLookDeadline{10000};
constexpr int64_t kSecondsOfDay = 24LL * 3600;
constexpr int64_t kExpiryDays = 30;

}  // namespace

v1::TlsFilesArgs DaemonCluster::CertificatePaths() const {
  v1::TlsFilesArgs args;
  args.set_node(self());
  args.set_ca_path(settings_.tls.ca);
  args.set_certificate_path(settings_.tls.cert);
  args.set_key_path(settings_.tls.key);
  args.set_ca_key_path(settings_.tls.ca_key);
  return args;
}

Result<> DaemonCluster::TakeCertificate(const v1::TlsFiles& files) {
  FFDC_ASSIGN(certificate_, ReadCertificate(files.certificate()));
  tls_ = {files.ca(), files.certificate(), files.key()};
  ca_key_ = files.ca_key();
  own_.set_certificate_sha256(certificate_.sha256);
  return {};
}

// In a worker: the disk that the files lie on may be the one that hangs.
void DaemonCluster::LookAtCertificate(uint64_t now_ns) {
  if (!server_) {
    const auto listens = Listen();
    listen_problem_ = listens ? "" : listens.error().message;
    if (listens) MembersChanged();
  }
  if (certificate_busy_ || now_ns < certificate_due_ns_) return;
  auto file = MemFile(CertificatePaths());
  if (!file) return;  // tried again in a second
  certificate_due_ns_ = now_ns + kLookEveryNs;
  certificate_busy_ = true;
  const auto files = std::make_shared<Fd>(std::move(*file));
  launcher_.Submit({"peer.tls", {}, {files->get()}, kLookDeadline},
                   [this, files, alive = std::weak_ptr<int>(alive_)](const WorkerReport& report) {
                     if (alive.expired()) return;
                     certificate_busy_ = false;
                     v1::TlsFiles found;
                     std::string problem = report.outcome == WorkerOutcome::kOk ? "" : report.error;
                     if (const auto read = ReadMessage(files->get(), &found); problem.empty() && !read)
                       problem = read.error().message;
                     OnCertificate(found, problem);
                   });
}

void DaemonCluster::OnCertificate(const v1::TlsFiles& files, const std::string& problem) {
  if (!clustered() || leaving_) return;
  const std::string before = std::exchange(certificate_problem_, problem);
  if (!problem.empty()) {
    if (problem != before) spdlog::warn("this node goes on with the certificate that it has: {}", problem);
    return;
  }
  const bool same = files.ca() == tls_.ca && files.certificate() == tls_.certificate &&
                    files.key() == tls_.key && files.ca_key() == ca_key_;
  if (same) return;
  if (const auto taken = TakeCertificate(files); !taken) {
    certificate_problem_ = taken.error().message;
    return;
  }
  spdlog::info("this node has a new certificate, good until {}", certificate_.not_after);
  clients_->SetTls(tls_);
  db_->SetTls(tls_.ca, tls_.certificate, tls_.key);
  // Calls that come in now are tried again by their peers: the port is closed for some milliseconds.
  server_.reset();
  LookAtCertificate(0);
  Register();
}

void DaemonCluster::AddCertificateProblem(v1::Status& status) const {
  if (!listen_problem_.empty()) status.add_problems(listen_problem_);
  if (!certificate_problem_.empty())
    status.add_problems("this node goes on with the certificate that it has: " + certificate_problem_);
  const int64_t left_s = certificate_.not_after_s - SystemClock().RealtimeNs() / kNsPerSecond;
  if (left_s >= kExpiryDays * kSecondsOfDay) return;
  status.add_problems("this node's certificate " + settings_.tls.cert +
                      (left_s < 0 ? " expired at " + certificate_.not_after + ": its peers refuse it"
                                  : " expires in " + std::to_string(left_s / kSecondsOfDay) + " days, at " +
                                        certificate_.not_after) +
                      ": put a new one in its place (user guide, A cluster)");
}

}  // namespace ffdc
