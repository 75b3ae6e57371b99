// Watch, List, Get, Count, Topics, TopicsOf and Explain.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "node/codec/client_codec.h"
#include "node/codec/opaque_text.h"
#include "node/service/presence_service.h"
#include "node/service/read_requests.h"
#include "node/service/unary.h"
#include "node/service/watch_stream.h"

namespace muster::service {
namespace {

struct ListPage {
  core::ListReply reply;
  std::string next_page_token;
};

absl::StatusOr<ListPage> TakePage(core::Replica& replica,
                                  const ListPlan& plan) {
  const uint64_t life = replica.origin().life.hi;
  codec::ListPosition position = plan.position;
  if (position.next != 0 && position.life != life) {
    return absl::NotFoundError(
        "page_token was given by another node, or before this one was "
        "started again; begin at the first page");
  }
  ListPage page{replica.List(plan.topic, plan.page_size, position.next), ""};
  if (page.reply.next != 0) {
    position.life = life;
    position.next = page.reply.next;
    page.next_page_token = codec::ListToken(position);
  }
  return page;
}

core::CountReply TakeCount(core::Replica& replica,
                           const v1::CountRequest& message) {
  if (message.has_topic()) return replica.CountTopic(message.topic());
  if (message.has_key()) return replica.CountKey(message.key());
  return replica.Count();
}

std::string EncodeCount(const core::CountReply& count) {
  v1::CountResponse response;
  response.set_entries(count.entries);
  response.set_keys(count.keys);
  return response.SerializeAsString();
}

// Fails the call if the plan is not OK; true if it is.
template <class Plan>
bool Accept(UnaryCall& call, const absl::StatusOr<Plan>& plan) {
  if (!plan.ok()) Fail(std::move(call.reply), plan.status());
  return plan.ok();
}

}  // namespace

RawWriteReactor* PresenceService::Watch(Call*, const Buffer* request) {
  return ServeWrites(
      std::make_shared<WatchStream>(&context_, ToString(*request)));
}

grpc::ServerUnaryReactor* PresenceService::List(Call*, const Buffer* request,
                                                Buffer* response) {
  UnaryCall call = ServeUnary(response);
  auto plan = DecodeList(ToString(*request), context_.limits);
  if (Accept(call, plan)) {
    ReadCore(
        context_, std::move(call.reply),
        [plan = *std::move(plan)](core::Replica& replica, core::Now) {
          return TakePage(replica, plan);
        },
        [](const ListPage& page) {
          return codec::EncodeListResponse(page.reply, page.next_page_token);
        });
  }
  return call.reactor;
}

grpc::ServerUnaryReactor* PresenceService::Get(Call*, const Buffer* request,
                                               Buffer* response) {
  UnaryCall call = ServeUnary(response);
  auto plan = DecodeGet(ToString(*request), context_.limits);
  if (Accept(call, plan)) {
    ReadCore(
        context_, std::move(call.reply),
        [plan = *std::move(plan)](core::Replica& replica, core::Now)
            -> absl::StatusOr<core::ListReply> {
          core::ListReply reply = replica.Get(plan.topic(), plan.key());
          if (reply.entries.empty()) {
            return absl::NotFoundError(absl::StrCat(
                "key \"", plan.key(), "\" is not present in topic \"",
                plan.topic(), "\""));
          }
          return reply;
        },
        codec::EncodeGetResponse);
  }
  return call.reactor;
}

grpc::ServerUnaryReactor* PresenceService::Count(Call*, const Buffer* request,
                                                 Buffer* response) {
  UnaryCall call = ServeUnary(response);
  auto scope = DecodeCount(ToString(*request), context_.limits);
  if (Accept(call, scope)) {
    ReadCore(
        context_, std::move(call.reply),
        [scope = *std::move(scope)](core::Replica& replica, core::Now) {
          return absl::StatusOr<core::CountReply>(TakeCount(replica, scope));
        },
        EncodeCount);
  }
  return call.reactor;
}

grpc::ServerUnaryReactor* PresenceService::Topics(Call*, const Buffer* request,
                                                  Buffer* response) {
  UnaryCall call = ServeUnary(response);
  auto plan = DecodeTopics(ToString(*request), context_.limits);
  if (Accept(call, plan)) {
    ReadCore(
        context_, std::move(call.reply),
        [plan = *std::move(plan)](core::Replica& replica, core::Now) {
          return absl::StatusOr<core::TopicsReply>(
              replica.Topics(plan.name, plan.after, plan.page_size));
        },
        codec::EncodeTopicsResponse);
  }
  return call.reactor;
}

grpc::ServerUnaryReactor* PresenceService::TopicsOf(Call*,
                                                    const Buffer* request,
                                                    Buffer* response) {
  UnaryCall call = ServeUnary(response);
  auto plan = DecodeTopicsOf(ToString(*request), context_.limits);
  if (Accept(call, plan)) {
    ReadCore(
        context_, std::move(call.reply),
        [plan = *std::move(plan)](core::Replica& replica, core::Now) {
          return absl::StatusOr<core::TopicsOfReply>(
              replica.TopicsOf(plan.name, plan.after, plan.page_size));
        },
        codec::EncodeTopicsOfResponse);
  }
  return call.reactor;
}

grpc::ServerUnaryReactor* PresenceService::Explain(Call*, const Buffer* request,
                                                   Buffer* response) {
  UnaryCall call = ServeUnary(response);
  auto plan = DecodeExplain(ToString(*request), context_.limits);
  if (Accept(call, plan)) {
    ReadCore(
        context_, std::move(call.reply),
        [plan = *std::move(plan)](core::Replica& replica, core::Now now) {
          return absl::StatusOr<core::ExplainReply>(
              replica.Explain(plan.topic(), plan.key(), now));
        },
        codec::EncodeExplainResponse);
  }
  return call.reactor;
}

}  // namespace muster::service
