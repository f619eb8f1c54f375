// SPDX-License-Identifier: Apache-2.0
// store init, status, ls, verify, gc, migrate
#include <unistd.h>

#include <iostream>

#include "ctl/commands.h"
#include "ctl/format.h"
#include "ctl/interrupt.h"
#include "ctl/progress.h"
#include "ctl/render.h"
#include "ctl/show.h"
#include "ctl/text.h"

namespace ffdc::ctl {
namespace {

template <class Request>
using StreamMethod = std::unique_ptr<grpc::ClientReader<v1::StoreProgress>> (v1::Control::Stub::*)(
    grpc::ClientContext*, const Request&);

// All that the agent told, in one message; a progress bar meanwhile.
template <class Request>
Result<v1::StoreProgress> Follow(const Context& context, StreamMethod<Request> method, const Request& request,
                                 const std::string& what) {
  FFDC_ASSIGN(const auto client, context.Connect());
  CatchInterrupt();
  Progress progress(isatty(STDERR_FILENO) != 0);
  grpc::ClientContext call;
  const auto stream = (client->stub().*method)(&call, request);
  v1::StoreProgress result;
  v1::StoreProgress message;
  while (!Interrupted() && stream->Read(&message)) {
    result.MergeFrom(message);
    progress.Update(result.bytes_done(), result.bytes_total(),
                    std::to_string(result.captures_done()) + " of " +
                        FormatPlural(result.captures_total(), "capture", "captures"));
  }
  if (Interrupted()) call.TryCancel();
  const grpc::Status status = stream->Finish();
  if (Interrupted()) return Fail(what + ": interrupted");
  if (!status.ok()) return Unexpected(client->ToError(status, what));
  if (!result.finished()) return Fail(what + ": the agent ended it before its end");
  return result;
}

std::string Captures(const v1::StoreProgress& result) {
  return FormatPlural(result.captures_done(), "capture", "captures") + ", " +
         FormatBytes(result.bytes_done());
}

void PrintProblems(const Context& context, const v1::StoreProgress& result) {
  for (const v1::StoreProblem& problem : result.problems()) {
    context.out << context.page.paint(Style::kRed, Printable(problem.incident_id() + "/" + problem.file()))
                << ": " << Printable(problem.problem()) << "\n";
  }
}

}  // namespace

Result<> InitStore(const Context& context) {
  FFDC_ASSIGN(const auto client, context.Connect());
  FFDC_ASSIGN(const v1::StoreStatus store, client->Call(&v1::Control::Stub::InitStore, v1::InitStoreRequest(),
                                                        "cannot initialise the store", kWorkLimit));
  if (context.json) return context.PrintJson(store);
  context.out << "store " << Printable(store.url()) << " is the one of this node now"
              << (store.id().empty() ? "" : ": id " + Printable(store.id())) << "\n";
  return {};
}

Result<> ShowStore(const Context& context) {
  if (!context.json)
    return Show(context, "cannot read the store's status", &v1::Control::Stub::GetStatus, RenderStoreStatus);
  FFDC_ASSIGN(const auto client, context.Connect());
  FFDC_ASSIGN(v1::Status status, client->Call(&v1::Control::Stub::GetStatus, v1::GetStatusRequest(),
                                              "cannot read the store's status"));
  status.mutable_store()->mutable_space();
  return context.PrintJson(status.store());
}

Result<> ListStore(const Context& context) {
  FFDC_ASSIGN(const v1::StoreProgress result, Follow(context, &v1::Control::Stub::ListStore,
                                                     v1::ListStoreRequest(), "cannot list the store"));
  if (context.json) return context.PrintJson(result);
  context.out << RenderStoreList(result, context.page);
  return {};
}

Result<> VerifyStore(const Context& context) {
  FFDC_ASSIGN(const v1::StoreProgress result, Follow(context, &v1::Control::Stub::VerifyStore,
                                                     v1::VerifyStoreRequest(), "cannot verify the store"));
  if (context.json) {
    FFDC_TRY(context.PrintJson(result));
  } else if (result.problems().empty()) {
    context.out << context.page.paint(Style::kGreen, "ok") << ": " << Captures(result)
                << ", every checksum right\n";
    if (result.captures_encrypted() > 0)
      context.out << FormatPlural(result.captures_encrypted(), "capture is", "captures are")
                  << " encrypted: checked as files, not unpacked\n";
  } else {
    PrintProblems(context, result);
  }
  if (result.problems().empty()) return {};
  return Fail(FormatPlural(static_cast<uint64_t>(result.problems_size()), "file", "files") +
              " in the store not as sealed: pull what is left of them, and look at the disk below the store");
}

Result<> CleanStore(const Context& context) {
  FFDC_ASSIGN(const v1::StoreProgress result, Follow(context, &v1::Control::Stub::CleanStore,
                                                     v1::CleanStoreRequest(), "cannot clean up the store"));
  if (context.json) return context.PrintJson(result);
  uint64_t freed = 0;
  for (const v1::RemovedIncident& removed : result.removed()) {
    context.out << "incident " << Printable(removed.incident_id()) << " removed, "
                << FormatBytes(removed.bytes()) << ": " << Printable(removed.reason()) << "\n";
    freed += removed.bytes();
  }
  context.out << FormatPlural(static_cast<uint64_t>(result.removed_size()), "incident", "incidents")
              << " removed, " << FormatBytes(freed) << " freed; the store holds " << Captures(result) << "\n";
  return {};
}

Result<> MigrateStore(const Context& context, const std::string& from_url, const std::string& to_url) {
  v1::MigrateStoreRequest request;
  request.set_from_url(from_url);
  request.set_to_url(to_url);
  const std::string what = "cannot migrate " + from_url + " to " + to_url;
  FFDC_ASSIGN(const v1::StoreProgress result,
              Follow(context, &v1::Control::Stub::MigrateStore, request, what));
  if (context.json) {
    FFDC_TRY(context.PrintJson(result));
  } else {
    PrintProblems(context, result);
    const auto failed = static_cast<uint64_t>(result.problems_size());
    context.out << FormatPlural(result.captures_done() - result.captures_skipped() - failed, "capture",
                                "captures")
                << " copied and verified, " << FormatCount(result.captures_skipped())
                << " were there already; " << Printable(from_url) << " is kept as it is\n";
  }
  if (result.problems().empty()) return {};
  return Fail(FormatPlural(static_cast<uint64_t>(result.problems_size()), "capture", "captures") +
              " could not be copied: each is named above; the others are in " + to_url);
}

}  // namespace ffdc::ctl
