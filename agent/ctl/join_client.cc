// SPDX-License-Identifier: Apache-2.0
#include "ctl/join_client.h"

#include <arpa/inet.h>
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <vector>

#include "base/certificate.h"
#include "base/fd.h"
#include "base/openssl.h"
#include "ffdc/v1/peer.grpc.pb.h"

namespace ffdc::ctl {
namespace {

constexpr time_t kHandshakeSeconds = 5;
constexpr std::chrono::seconds kJoinLimit(15);
// gRPC hangs up on those who do not offer HTTP/2.
constexpr unsigned char kHttp2[] = {2, 'h', '2'};

Result<Fd> ConnectTo(const Endpoint& server) {
  sockaddr_in ipv4{};
  sockaddr_in6 ipv6{};
  const bool is_ipv6 = server.address.family == AF_INET6;
  ipv4.sin_family = AF_INET;
  ipv6.sin6_family = AF_INET6;
  ipv4.sin_port = ipv6.sin6_port = htons(server.port);
  std::memcpy(&ipv4.sin_addr, server.address.bytes.data(), sizeof ipv4.sin_addr);
  std::memcpy(&ipv6.sin6_addr, server.address.bytes.data(), sizeof ipv6.sin6_addr);
  const auto* address =
      is_ipv6 ? reinterpret_cast<const sockaddr*>(&ipv6) : reinterpret_cast<const sockaddr*>(&ipv4);
  Fd fd(socket(server.address.family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return FailErrno("cannot make a socket");
  // connect(2) heeds the one for sending: socket(7).
  const timeval limit{kHandshakeSeconds, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (connect(fd.get(), address, is_ipv6 ? sizeof ipv6 : sizeof ipv4) == 0) return fd;
  const int code = errno == EINPROGRESS ? ETIMEDOUT : errno;
  return Fail(FailErrno("cannot reach the agent at " + server.Name(), code).value().message +
              ": is it running, and is this its peer.listen?");
}

// What the server shows, its own first; PEM.
Result<std::vector<std::string>> ShownBy(const Fd& fd, const Endpoint& server) {
  const std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>> settings(SSL_CTX_new(TLS_client_method()));
  // Whom it shows is looked at afterwards: the CA is not known yet, but its fingerprint is.
  SSL_CTX_set_verify(settings.get(), SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_min_proto_version(settings.get(), TLS1_2_VERSION);
  SSL_CTX_set_alpn_protos(settings.get(), kHttp2, sizeof kHttp2);
  const std::unique_ptr<SSL, Freed<SSL_free>> tls(SSL_new(settings.get()));
  if (!tls || SSL_set_fd(tls.get(), fd.get()) != 1) return FailOpenSsl("cannot speak TLS");
  if (SSL_connect(tls.get()) != 1) {
    ERR_clear_error();
    return Fail("the server at " + server.Name() +
                " does not speak TLS as an agent does: is this peer.listen of one in a cluster?");
  }
  std::vector<std::string> shown;
  STACK_OF(X509)* chain = SSL_get_peer_cert_chain(tls.get());
  for (int i = 0; chain != nullptr && i < sk_X509_num(chain); ++i) {
    const BioPtr out(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(out.get(), sk_X509_value(chain, i));
    shown.push_back(TextOf(out.get()));
  }
  SSL_shutdown(tls.get());
  return shown;
}

void IgnoreLog(gpr_log_func_args* /*args*/) {}

std::string Words(const grpc::Status& status, const Endpoint& server) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return "the agent at " + server.Name() + " went away: " + status.error_message();
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return "the agent at " + server.Name() +
             " did not answer in time: the token may be used up: make another, and try again";
    case grpc::StatusCode::UNIMPLEMENTED:
      return "the agent at " + server.Name() + " is too old: it lets no nodes join";
    default:
      return status.error_message();
  }
}

}  // namespace

Result<TrustedServer> MeetServer(const Endpoint& server, const std::string& ca_sha256) {
  FFDC_ASSIGN(const Fd fd, ConnectTo(server));
  FFDC_ASSIGN(const std::vector<std::string> shown, ShownBy(fd, server));
  TrustedServer trusted;
  for (const std::string& certificate : shown) {
    const auto facts = ReadCertificate(certificate);
    if (facts && facts->sha256 == ca_sha256) trusted.ca = certificate;
  }
  const Unexpected stranger =
      Fail("the server at " + server.Name() +
           " is not of the cluster that the token is for: the address or the token is of another one, or "
           "somebody stands between. Nothing was sent to it");
  if (trusted.ca.empty()) return stranger;
  if (const auto checked = CheckSignedBy(shown.front(), trusted.ca); !checked)
    return Unexpected(stranger.value().In(checked.error().message));
  FFDC_ASSIGN(const CertificateFacts own, ReadCertificate(shown.front()));
  if (own.names.empty()) return stranger;
  trusted.name = own.names.front();
  return trusted;
}

Result<v1::JoinReply> AskToJoin(const Endpoint& server, const TrustedServer& trusted,
                                const v1::JoinRequest& request) {
  gpr_set_log_function(IgnoreLog);  // what goes wrong is told once, by us
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(trusted.name);
  const auto channel =
      grpc::CreateCustomChannel((server.address.family == AF_INET6 ? "ipv6:" : "ipv4:") + server.Name(),
                                grpc::SslCredentials({trusted.ca, "", ""}), arguments);
  const auto peer = v1::Peer::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kJoinLimit);
  v1::JoinReply reply;
  const grpc::Status status = peer->Join(&context, request, &reply);
  if (!status.ok()) return Fail(Words(status, server));
  return reply;
}

}  // namespace ffdc::ctl
