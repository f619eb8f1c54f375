// SPDX-License-Identifier: Apache-2.0
#include "control/service.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "base/uuid.h"
#include "control/lasting_call.h"
#include "control/news_filter.h"
#include "control/watch_queue.h"

namespace ffdc::control {
namespace {

using std::chrono::steady_clock;

constexpr size_t kWatchQueueItems = 256;
constexpr size_t kChunkBytes = 256u << 10;
constexpr size_t kMaxReasonBytes = 1024;
constexpr uint32_t kMaxMeasureMs = 60'000;
constexpr size_t kMaxDeviceNameBytes = 64;
constexpr int kMaxNodes = 1024;
constexpr uint64_t kMaxTokenSeconds = 7ull * 24 * 3600;

grpc::Status Refuse(const std::string& why) { return {grpc::StatusCode::INVALID_ARGUMENT, why}; }

// Ids become paths further in: only what a UUID, or the start of one, may hold passes.
Result<> CheckId(const std::string& id) {
  if (id.empty()) return Fail("no incident id given: see `ffdcctl incident list`", EINVAL);
  if (id.size() > kUuidBytes || id.find_first_not_of("0123456789abcdef-") != std::string::npos) {
    return Fail("'" + id.substr(0, kUuidBytes) + "' is not an incident id: see `ffdcctl incident list`",
                EINVAL);
  }
  return {};
}

Result<> CheckDeviceName(const std::string& name) {
  const bool fits =
      !name.empty() && name.size() <= kMaxDeviceNameBytes && name.front() != '.' &&
      std::all_of(name.begin(), name.end(), [](unsigned char c) { return c > ' ' && c < 0x7f && c != '/'; });
  if (!fits)
    return Fail("'" + name.substr(0, kMaxDeviceNameBytes) + "' is not a device name such as \"loop7\"",
                EINVAL);
  return {};
}

// What a watching client missed, told in its own stream.
void Notice(uint64_t dropped, v1::Event* notice) {
  notice->set_kind("watch.dropped");
  notice->set_severity(v1::WARNING);
  notice->set_count(dropped);
  notice->set_summary(std::to_string(dropped) + " events not shown: this client reads too slowly");
}
void Notice(uint64_t dropped, v1::News* notice) {
  notice->set_what("news.left_out");
  notice->set_summary(std::to_string(dropped) + " news not shown: this client reads too slowly");
}

// What the queue gets, until the client goes or the agent stops. ended: whether either is so.
template <class Item, class Ended>
void Stream(WatchQueue<Item>& queue, grpc::ServerWriter<Item>& writer, const Ended& ended) {
  // The client knows now that nothing from here on escapes it.
  writer.SendInitialMetadata();
  while (!ended()) {
    const auto item = queue.Pop(kPollInterval);
    if (item && !writer.Write(*item)) return;
    const uint64_t dropped = queue.TakeDropped();
    if (dropped == 0) continue;
    Item notice;
    Notice(dropped, &notice);
    if (!writer.Write(notice)) return;
  }
}

}  // namespace

grpc::Status ControlService::GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*, v1::Status* reply) {
  return Answer(backend_.GetStatus(), reply);
}

grpc::Status ControlService::ListProbes(grpc::ServerContext*, const v1::ListProbesRequest* request,
                                        v1::ProbeList* reply) {
  if (request->measure_ms() == 0) return Answer(backend_.ListProbes(0), reply);
  if (request->measure_ms() > kMaxMeasureMs)
    return Refuse("probes are measured for at most " + std::to_string(kMaxMeasureMs / 1000) + " s");
  const StreamSlot slot(streams_);
  if (!slot.granted()) return StreamSlot::Refusal();
  return Answer(backend_.ListProbes(request->measure_ms()), reply);
}

grpc::Status ControlService::ListEvents(grpc::ServerContext*, const v1::ListEventsRequest* request,
                                        v1::EventList* reply) {
  constexpr uint32_t kDefaultLimit = 100;
  return Answer(backend_.ListEvents(request->limit() == 0 ? kDefaultLimit : request->limit()), reply);
}

grpc::Status ControlService::WatchEvents(grpc::ServerContext* context, const v1::WatchEventsRequest*,
                                         grpc::ServerWriter<v1::Event>* writer) {
  const StreamSlot slot(streams_);
  if (!slot.granted()) return StreamSlot::Refusal();
  // Shared: the sink may run once more while its handle dies.
  const auto queue = std::make_shared<WatchQueue<v1::Event>>(kWatchQueueItems);
  const auto watch = backend_.WatchEvents([queue](const v1::Event& event) { queue->Push(event); });
  if (!watch) return ToStatus(watch.error());
  Stream(*queue, *writer, [&] { return Ended(*context); });
  return grpc::Status::OK;
}

grpc::Status ControlService::WatchCluster(grpc::ServerContext* context,
                                          const v1::WatchClusterRequest* request,
                                          grpc::ServerWriter<v1::News>* writer) {
  const StreamSlot slot(streams_);
  if (!slot.granted()) return StreamSlot::Refusal();
  if (const auto checked = CheckFilter(*request); !checked) return ToStatus(checked.error());
  const auto queue = std::make_shared<WatchQueue<v1::News>>(kWatchQueueItems);
  const auto watch = backend_.WatchCluster([queue, wanted = *request](const v1::News& news) {
    if (IsWanted(wanted, news)) queue->Push(news);
  });
  if (!watch) return ToStatus(watch.error());
  Stream(*queue, *writer, [&] { return Ended(*context); });
  return grpc::Status::OK;
}

grpc::Status ControlService::ListIncidents(grpc::ServerContext*, const v1::ListIncidentsRequest* request,
                                           v1::IncidentList* reply) {
  const std::string& state = request->state();
  if (!state.empty() && state != "open" && state != "closed") {
    return Refuse("'" + state.substr(0, 32) + "' is not a state: use open or closed");
  }
  return Answer(backend_.ListIncidents(request->limit(), state), reply);
}

grpc::Status ControlService::GetIncident(grpc::ServerContext*, const v1::IncidentRef* request,
                                         v1::IncidentDetail* reply) {
  if (const auto checked = CheckId(request->id()); !checked) return ToStatus(checked.error());
  return Answer(backend_.GetIncident(request->id()), reply);
}

grpc::Status ControlService::PullIncident(grpc::ServerContext* context, const v1::IncidentRef* request,
                                          grpc::ServerWriter<v1::PullChunk>* writer) {
  const StreamSlot slot(streams_);
  if (!slot.granted()) return StreamSlot::Refusal();
  if (const auto checked = CheckId(request->id()); !checked) return ToStatus(checked.error());
  auto pull = backend_.PullIncident(request->id());
  if (!pull) return ToStatus(pull.error());

  v1::PullChunk chunk;
  chunk.set_total_bytes(pull->total_bytes);
  if (!writer->Write(chunk)) return grpc::Status::CANCELLED;
  chunk.clear_total_bytes();
  std::string buffer(kChunkBytes, '\0');
  auto last_data_at = steady_clock::now();
  for (;;) {
    if (Ended(*context)) return grpc::Status::CANCELLED;  // the pipe's reader goes, its writer sees EPIPE
    const Ready ready = WaitReadable(pull->pipe.get());
    if (ready == Ready::kNothingYet) {
      if (steady_clock::now() - last_data_at < kIdleLimit) continue;
      return {grpc::StatusCode::DEADLINE_EXCEEDED,
              "the store sent nothing of incident " + request->id() + " for a minute: see `ffdcctl status`"};
    }
    const ssize_t got = ready == Ready::kData ? read(pull->pipe.get(), buffer.data(), buffer.size()) : -1;
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return ToStatus(FailErrno("cannot read incident " + request->id()).value());
    if (got == 0) break;
    last_data_at = steady_clock::now();
    chunk.set_data(buffer.data(), static_cast<size_t>(got));
    if (!writer->Write(chunk)) return grpc::Status::CANCELLED;
  }
  const Result<> finished = pull->finish();
  return finished ? grpc::Status::OK : ToStatus(finished.error());
}

grpc::Status ControlService::VerifyIncident(grpc::ServerContext*, const v1::IncidentRef* request,
                                            v1::VerifyReport* reply) {
  if (const auto checked = CheckId(request->id()); !checked) return ToStatus(checked.error());
  return Answer(backend_.VerifyIncident(request->id()), reply);
}

grpc::Status ControlService::PinIncident(grpc::ServerContext*, const v1::PinRequest* request,
                                         v1::Incident* reply) {
  if (const auto checked = CheckId(request->id()); !checked) return ToStatus(checked.error());
  return Answer(backend_.PinIncident(request->id(), request->pinned()), reply);
}

grpc::Status ControlService::DeleteIncident(grpc::ServerContext*, const v1::IncidentRef* request,
                                            v1::DeleteReport* reply) {
  if (const auto checked = CheckId(request->id()); !checked) return ToStatus(checked.error());
  return Answer(backend_.DeleteIncident(request->id()), reply);
}

grpc::Status ControlService::Dump(grpc::ServerContext*, const v1::DumpRequest* request, v1::Incident* reply) {
  if (request->reason().size() > kMaxReasonBytes) {
    return Refuse("the reason is " + std::to_string(request->reason().size()) +
                  " bytes long: shorten it to " + std::to_string(kMaxReasonBytes));
  }
  if (request->nodes_size() > kMaxNodes)
    return Refuse("more than " + std::to_string(kMaxNodes) + " nodes: use --all");
  return Answer(backend_.Dump(request->reason(), request->all_nodes(),
                              {request->nodes().begin(), request->nodes().end()}),
                reply);
}

grpc::Status ControlService::ListNodes(grpc::ServerContext*, const v1::ListNodesRequest*,
                                       v1::NodeList* reply) {
  return Answer(backend_.ListNodes(), reply);
}

grpc::Status ControlService::RemoveNode(grpc::ServerContext*, const v1::NodeRef* request,
                                        v1::NodeList* reply) {
  return Answer(backend_.RemoveNode(request->name()), reply);
}

grpc::Status ControlService::GetCluster(grpc::ServerContext*, const v1::GetClusterRequest*,
                                        v1::ClusterView* reply) {
  return Answer(backend_.GetCluster(), reply);
}

grpc::Status ControlService::MakeToken(grpc::ServerContext*, const v1::MakeTokenRequest* request,
                                       v1::JoinTicket* reply) {
  if (request->valid_s() == 0 || request->valid_s() > kMaxTokenSeconds)
    return Refuse("a token is valid for at least a second and at most 7 days");
  return Answer(backend_.MakeToken(std::chrono::seconds(request->valid_s())), reply);
}

grpc::Status ControlService::LeaveCluster(grpc::ServerContext*, const v1::LeaveClusterRequest*,
                                          v1::LeaveClusterReply* reply) {
  return Answer(backend_.LeaveCluster(), reply);
}

grpc::Status ControlService::ListResources(grpc::ServerContext*, const v1::ListResourcesRequest*,
                                           v1::ResourceList* reply) {
  return Answer(backend_.ListResources(), reply);
}

grpc::Status ControlService::GetConfig(grpc::ServerContext*, const v1::GetConfigRequest*, v1::Config* reply) {
  return Answer(backend_.GetConfig(), reply);
}

grpc::Status ControlService::WatchDevice(grpc::ServerContext* context, const v1::WatchDeviceRequest* request,
                                         grpc::ServerWriter<v1::WatchDeviceReply>* writer) {
  const StreamSlot slot(streams_);
  if (!slot.granted()) return StreamSlot::Refusal();
  if (const auto checked = CheckDeviceName(request->name()); !checked) return ToStatus(checked.error());
  v1::WatchDeviceReply reply;
  const auto watch = backend_.WatchDevice(request->name(), &reply);
  if (!watch) return ToStatus(watch.error());
  if (!writer->Write(reply)) return grpc::Status::CANCELLED;
  while (!Ended(*context)) std::this_thread::sleep_for(kPollInterval);
  return grpc::Status::OK;
}

}  // namespace ffdc::control
