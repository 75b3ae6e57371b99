// The calls of administrators that concern more than the node that is asked:
// Presence.Evict and Cluster.Forget.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "node/codec/peer_codec.h"
#include "node/service/admin.h"
#include "node/service/cluster_service.h"
#include "node/service/presence_service.h"
#include "node/service/read_requests.h"
#include "node/service/sink.h"
#include "node/service/unary.h"
#include "node/service/validate.h"

namespace muster::service {
namespace {

std::string EncodeEvicted(const core::OrderReply& reply) {
  v1::EvictResponse response;
  response.set_entries(reply.entries);
  for (const std::string& who : reply.unreached) response.add_unreached(who);
  return response.SerializeAsString();
}

std::string EncodeForgotten(const core::OrderReply& reply) {
  v1::ForgetResponse response;
  for (const std::string& who : reply.unreached) response.add_unreached(who);
  return response.SerializeAsString();
}

// The order and the caller, for the log.
struct Asked {
  std::string what;
  std::string by;
};

// Calls `order(replica, id, now)` on the loop, and answers once it is done.
template <class Order>
void AskOrder(Context& context, UnaryReply reply, Asked asked, Order order,
              std::string (*encode)(const core::OrderReply&)) {
  context.core.Post([&context, reply = std::move(reply),
                     asked = std::move(asked), order = std::move(order),
                     encode](core::Replica& replica, core::Now now) mutable {
    replica.output().log.push_back(
        {core::LogLine::Level::kInfo,
         absl::StrCat("told to ", asked.what, " by ", asked.by)});
    const core::RequestId id = context.sink.ExpectOrder(
        [&context, reply = std::move(reply),
         encode](absl::StatusOr<core::OrderReply> done) mutable {
          AnswerLater(context, std::move(reply), std::move(done), encode);
        });
    order(replica, id, now);
  });
}

}  // namespace

grpc::ServerUnaryReactor* PresenceService::Evict(Call* caller,
                                                 const Buffer* request,
                                                 Buffer* response) {
  UnaryCall call = ServeUnary(response);
  const absl::StatusOr<Caller> by = CheckAdmin(context_, *caller);
  absl::Status status = by.status();
  auto evict = DecodeEvict(ToString(*request), context_.limits);
  if (status.ok()) status = evict.status();
  if (!status.ok()) {
    Fail(std::move(call.reply), status);
    return call.reactor;
  }
  Asked asked = {
      absl::StrCat("evict ", Quoted(evict->key), " in ", Quoted(evict->topic)),
      by->address};
  AskOrder(
      context_, std::move(call.reply), std::move(asked),
      [evict = *std::move(evict)](core::Replica& replica, core::RequestId id,
                                  core::Now now) mutable {
        replica.Evict(id, std::move(evict), now);
      },
      EncodeEvicted);
  return call.reactor;
}

grpc::ServerUnaryReactor* ClusterService::Forget(Call* caller,
                                                 const Buffer* request,
                                                 Buffer* response) {
  UnaryCall call = ServeUnary(response);
  const absl::StatusOr<Caller> by = CheckAdmin(context_, *caller);
  absl::Status status = by.status();
  v1::ForgetRequest message;
  if (status.ok()) {
    status = ParseRequest(ToString(*request), context_.limits, &message);
  }
  if (status.ok()) status = codec::CheckNodeName("node", message.node());
  if (!status.ok()) {
    Fail(std::move(call.reply), status);
    return call.reactor;
  }
  Asked asked = {absl::StrCat("forget node ", message.node()), by->address};
  AskOrder(
      context_, std::move(call.reply), std::move(asked),
      [node = message.node()](core::Replica& replica, core::RequestId id,
                              core::Now now) { replica.Forget(id, node, now); },
      EncodeForgotten);
  return call.reactor;
}

}  // namespace muster::service
