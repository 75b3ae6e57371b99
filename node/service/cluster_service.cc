#include "node/service/cluster_service.h"

#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "node/codec/client_codec.h"
#include "node/codec/kv_codec.h"
#include "node/service/admin.h"
#include "node/service/grpc_status.h"
#include "node/service/sink.h"
#include "node/service/unary.h"

namespace muster::service {
namespace {

// Resident memory of this process, in bytes; 0 if the system does not say.
uint64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t pages = 0;
  uint64_t resident = 0;
  statm >> pages >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

struct MembersAnswer {
  std::vector<core::MemberView> members;
  core::KvStatusView keyspace;
};

std::string EncodeMembers(const MembersAnswer& answer) {
  v1::MembersResponse response;
  for (const core::MemberView& member : answer.members) {
    v1::Member* to = response.add_members();
    codec::ToProto(member, to);
    codec::ToProto(answer.keyspace, member, to);
  }
  return response.SerializeAsString();
}

struct StatusAnswer {
  core::StatusView status;
  std::vector<core::MemberView> members;
  core::KvStatusView keyspace;
};

std::string EncodeStatus(const Context& context, const StatusAnswer& answer) {
  v1::StatusResponse response;
  codec::ToProto(answer.status, &response);
  const RuntimeStats stats = context.core.Stats();
  response.set_node(context.node);
  response.set_cluster(context.cluster);
  response.set_version(context.version);
  for (const core::MemberView& member : answer.members) {
    if (member.self) response.set_address(member.address);
  }
  codec::ToProto(answer.keyspace, answer.members, response.mutable_keyspace());
  response.set_rss_bytes(ResidentBytes());
  response.set_uptime_ms(absl::ToInt64Milliseconds(stats.uptime));
  response.set_loop_lag_us(absl::ToInt64Microseconds(stats.loop_lag));
  response.set_loop_lag_max_us(absl::ToInt64Microseconds(stats.loop_lag_max));
  for (const auto& [name, value] : stats.counters) {
    (*response.mutable_counters())[name] = value;
  }
  for (const auto& [name, value] : ServiceCounters(context)) {
    (*response.mutable_counters())[name] = value;
  }
  return response.SerializeAsString();
}

// Like AskCore, but whether or not the node serves presence.
template <class Ask, class Encode>
void AskAlways(Context& context, UnaryReply reply, Ask ask, Encode encode) {
  context.core.Post([&context, reply = std::move(reply), ask = std::move(ask),
                     encode = std::move(encode)](core::Replica& replica,
                                                 core::Now now) mutable {
    AnswerLater(context, std::move(reply), ask(replica, now),
                std::move(encode));
  });
}

}  // namespace

std::vector<std::pair<std::string, uint64_t>> ServiceCounters(
    const Context& context) {
  auto counters = FailedCalls();
  counters.emplace_back("admin_calls_refused", context.admin.refused());
  for (auto& counter : context.sink.kv().Counters()) {
    counters.push_back(std::move(counter));
  }
  return counters;
}

grpc::ServerUnaryReactor* ClusterService::Members(Call*, const Buffer*,
                                                  Buffer* response) {
  UnaryCall call = ServeUnary(response);
  AskAlways(
      context_, std::move(call.reply),
      [](core::Replica& replica, core::Now now) {
        return absl::StatusOr<MembersAnswer>(
            MembersAnswer{replica.Members(now), replica.KvStatus()});
      },
      EncodeMembers);
  return call.reactor;
}

RawWriteReactor* ClusterService::WatchMembers(Call*, const Buffer*) {
  return ServeWrites(std::make_shared<MemberStream>(
      &context_.core, &context_.offload, &watches_));
}

grpc::ServerUnaryReactor* ClusterService::Status(Call*, const Buffer*,
                                                 Buffer* response) {
  UnaryCall call = ServeUnary(response);
  AskAlways(
      context_, std::move(call.reply),
      [](core::Replica& replica, core::Now now) {
        return absl::StatusOr<StatusAnswer>(StatusAnswer{
            replica.Status(now), replica.Members(now), replica.KvStatus()});
      },
      [this](const StatusAnswer& answer) {
        return EncodeStatus(context_, answer);
      });
  return call.reactor;
}

// The generated code does the same for a whole service.
StatusService::StatusService(ClusterService* cluster) {
  using grpc::internal::CallbackUnaryHandler;
  using grpc::internal::RpcMethod;
  using grpc::internal::RpcServiceMethod;
  AddMethod(new RpcServiceMethod("/muster.v1.Cluster/Status",
                                 RpcMethod::NORMAL_RPC, nullptr));
  MarkMethodRawCallback(
      0, new CallbackUnaryHandler<grpc::ByteBuffer, grpc::ByteBuffer>(
             [cluster](grpc::CallbackServerContext* context,
                       const grpc::ByteBuffer* request,
                       grpc::ByteBuffer* response) {
               return cluster->Status(context, request, response);
             }));
}

grpc::ServerUnaryReactor* ClusterService::Drain(Call* server_call,
                                                const Buffer*,
                                                Buffer* response) {
  UnaryCall call = ServeUnary(response);
  absl::StatusOr<Caller> caller = CheckAdmin(context_, *server_call);
  if (!caller.ok()) {
    Fail(std::move(call.reply), caller.status());
    return call.reactor;
  }
  AskAlways(
      context_, std::move(call.reply),
      [by = std::move(caller->address)](core::Replica& replica,
                                        core::Now now) -> absl::StatusOr<bool> {
        replica.output().log.push_back({core::LogLine::Level::kInfo,
                                        absl::StrCat("told to drain by ", by)});
        replica.Drain(now);
        return true;
      },
      [](bool) { return std::string(); });
  return call.reactor;
}

}  // namespace muster::service
