#include "node/service/kv_service.h"

#include <memory>
#include <utility>
#include <vector>

#include "node/codec/kv_codec.h"
#include "node/service/kv_stream.h"
#include "node/service/sink.h"
#include "node/service/unary.h"

namespace muster::service {
namespace {

using grpc::internal::RpcMethod;
using grpc::internal::RpcServiceMethod;

// Where a call is, so that it can be withdrawn. Loop thread only.
struct Ticket {
  core::KvCallId call = 0;
  bool cancelled = false;
};

}  // namespace

// The generated code does the same, with a function for each method.
KvService::KvService(Context* context) : context_(*context) {
  AddUnary("/muster.v1.Kv/Execute",
           [this](const Buffer& in, Buffer* out) { return Execute(in, out); });
  AddStream("/muster.v1.Kv/Stream");
  AddUnary("/muster.v1.Kv/Versions",
           [this](const Buffer& in, Buffer* out) { return Versions(in, out); });
  AddUnary("/muster.v1.Kv/Explain",
           [this](const Buffer& in, Buffer* out) { return Explain(in, out); });
  for (const KvTypedCall& typed : KvTypedCalls()) {
    AddUnary(typed.method, [this, &typed](const Buffer& in, Buffer* out) {
      return Typed(typed, in, out);
    });
  }
}

void KvService::AddUnary(const char* method, Handler handler) {
  AddMethod(new RpcServiceMethod(method, RpcMethod::NORMAL_RPC, nullptr));
  MarkMethodRawCallback(
      methods_++,
      new grpc::internal::CallbackUnaryHandler<Buffer, Buffer>(
          [handler = std::move(handler)](
              grpc::CallbackServerContext*, const Buffer* request,
              Buffer* response) { return handler(*request, response); }));
}

void KvService::AddStream(const char* method) {
  AddMethod(new RpcServiceMethod(method, RpcMethod::BIDI_STREAMING, nullptr));
  MarkMethodRawCallback(
      methods_++, new grpc::internal::CallbackBidiHandler<Buffer, Buffer>(
                      [this](grpc::CallbackServerContext*) {
                        return ServeBidi(std::make_shared<KvStream>(&context_));
                      }));
}

grpc::ServerUnaryReactor* KvService::Execute(const Buffer& request,
                                             Buffer* response) {
  absl::StatusOr<KvPlan> plan =
      DecodeExecute(ToString(request), context_.limits);
  const bool atomic = plan.ok() && plan->call.atomic;
  return Run(std::move(plan), response,
             [this, atomic](
                 const core::KvAnswer& answer) -> absl::StatusOr<std::string> {
               absl::Status status =
                   StatusOfAnswer(answer, atomic, context_.limits);
               if (!status.ok()) return status;
               return codec::EncodeExecuteResponse(answer, atomic);
             });
}

grpc::ServerUnaryReactor* KvService::Typed(const KvTypedCall& typed,
                                           const Buffer& request,
                                           Buffer* response) {
  return Run(
      typed.decode(typed.command, ToString(request), context_.limits), response,
      [this,
       &typed](const core::KvAnswer& answer) -> absl::StatusOr<std::string> {
        absl::Status status = StatusOfAnswer(answer, false, context_.limits);
        if (!status.ok()) return status;
        return typed.encode(answer);
      });
}

grpc::ServerUnaryReactor* KvService::Run(absl::StatusOr<KvPlan> plan,
                                         Buffer* response, Encode encode) {
  auto ticket = std::make_shared<Ticket>();
  UnaryCall call = ServeUnary(response, [this, ticket] {
    context_.core.Post([this, ticket](core::Replica& replica, core::Now now) {
      ticket->cancelled = true;
      context_.sink.kv().Withdraw(replica, now, ticket->call);
    });
  });
  if (!plan.ok()) {
    Fail(std::move(call.reply), plan.status());
    return call.reactor;
  }
  const bool only_reads = plan->only_reads;
  CoreTask task = [this, ticket, plan = *std::move(plan),
                   reply = std::move(call.reply), encode = std::move(encode)](
                      core::Replica& replica, core::Now now) mutable {
    if (ticket->cancelled) return;
    ticket->call = context_.sink.kv().Ask(
        replica, now, std::move(plan),
        [this, reply = std::move(reply),
         encode = std::move(encode)](core::KvAnswer answer) mutable {
          context_.offload.Urgent([reply = std::move(reply),
                                   encode = std::move(encode),
                                   answer = std::move(answer)]() mutable {
            absl::StatusOr<std::string> bytes = encode(answer);
            if (bytes.ok()) {
              Send(std::move(reply), *std::move(bytes));
            } else {
              Fail(std::move(reply), bytes.status());
            }
          });
        });
  };
  if (only_reads) {
    context_.core.PostRead(std::move(task));
  } else {
    context_.core.Post(std::move(task));
  }
  return call.reactor;
}

grpc::ServerUnaryReactor* KvService::Versions(const Buffer& request,
                                              Buffer* response) {
  UnaryCall call = ServeUnary(response);
  auto keys = DecodeVersions(ToString(request), context_.limits);
  if (!keys.ok()) {
    Fail(std::move(call.reply), keys.status());
    return call.reactor;
  }
  ReadCore(
      context_, std::move(call.reply),
      [keys = *std::move(keys)](core::Replica& replica, core::Now) {
        return absl::StatusOr<std::vector<commands::Watched>>(
            replica.Watch(keys));
      },
      EncodeVersions);
  return call.reactor;
}

grpc::ServerUnaryReactor* KvService::Explain(const Buffer& request,
                                             Buffer* response) {
  UnaryCall call = ServeUnary(response);
  auto plan = DecodeKvExplain(ToString(request), context_.limits);
  if (!plan.ok()) {
    Fail(std::move(call.reply), plan.status());
    return call.reactor;
  }
  using Explained =
      std::pair<core::KvExplainReply, std::vector<core::MemberView>>;
  ReadCore(
      context_, std::move(call.reply),
      [plan = *std::move(plan)](core::Replica& replica, core::Now now) {
        return absl::StatusOr<Explained>(
            Explained{replica.KvExplain(plan.key.name(), plan.limit),
                      replica.Members(now)});
      },
      [](const Explained& explained) {
        return codec::EncodeExplain(explained.first, explained.second);
      });
  return call.reactor;
}

}  // namespace muster::service
