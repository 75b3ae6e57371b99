// Watch, List, Get, Count, Topics, TopicsOf and Explain.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "node/codec/client_codec.h"
#include "node/codec/opaque_text.h"
#include "node/service/presence_service.h"
#include "node/service/tokens.h"
#include "node/service/unary.h"
#include "node/service/validate.h"
#include "node/service/watch_stream.h"

namespace muster::service {
namespace {

absl::Status BadPageToken(const std::string& token, const char* why) {
  return absl::NotFoundError(absl::StrCat("page_token (", token.size(),
                                          " bytes) ", why,
                                          "; begin at the first page"));
}

struct ListPlan {
  std::string topic;
  size_t page_size = 0;
  codec::ListPosition position;  // `next` is 0 for the first page.
};

absl::StatusOr<ListPlan> CheckList(const grpc::ByteBuffer& request,
                                   const Limits& limits) {
  v1::ListRequest message;
  absl::Status status = codec::ParseMessage(ToString(request), &message);
  if (status.ok()) {
    status = CheckName({nullptr, 0, "topic"}, message.topic(), limits);
  }
  if (!status.ok()) return status;
  const auto page_size = GrantPageSize(message.page_size(), limits);
  if (!page_size.ok()) return page_size.status();
  ListPlan plan{message.topic(), *page_size, {}};
  const uint64_t scope = HashText(plan.topic);
  const std::string& token = message.page_token();
  if (!token.empty() && (!codec::ParseListToken(token, &plan.position) ||
                         plan.position.scope != scope)) {
    return BadPageToken(token, "is not one that was given for this topic");
  }
  plan.position.scope = scope;
  return plan;
}

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

// A page of names: after which, and how many.
struct NamePlan {
  std::string name;  // A prefix or a key.
  std::string after;
  size_t page_size = 0;
};

absl::Status TakePaging(uint32_t page_size, const std::string& token,
                        const Limits& limits, NamePlan* plan) {
  const auto granted = GrantPageSize(page_size, limits);
  if (!granted.ok()) return granted.status();
  plan->page_size = *granted;
  if (!token.empty() && !codec::ParseNameToken(token, &plan->after)) {
    return BadPageToken(token, "is not one that a node has given out");
  }
  return absl::OkStatus();
}

absl::StatusOr<NamePlan> CheckTopics(const grpc::ByteBuffer& request,
                                     const Limits& limits) {
  v1::TopicsRequest message;
  absl::Status status = codec::ParseMessage(ToString(request), &message);
  NamePlan plan;
  plan.name = message.prefix();
  if (status.ok() && !plan.name.empty()) {
    status = CheckName({nullptr, 0, "prefix"}, plan.name, limits);
  }
  if (status.ok()) {
    status =
        TakePaging(message.page_size(), message.page_token(), limits, &plan);
  }
  if (!status.ok()) return status;
  return plan;
}

absl::StatusOr<NamePlan> CheckTopicsOf(const grpc::ByteBuffer& request,
                                       const Limits& limits) {
  v1::TopicsOfRequest message;
  absl::Status status = codec::ParseMessage(ToString(request), &message);
  if (status.ok()) {
    status = CheckName({nullptr, 0, "key"}, message.key(), limits);
  }
  NamePlan plan;
  plan.name = message.key();
  if (status.ok()) {
    status =
        TakePaging(message.page_size(), message.page_token(), limits, &plan);
  }
  if (!status.ok()) return status;
  return plan;
}

// GetRequest and ExplainRequest.
template <class Message>
absl::StatusOr<Message> CheckTopicAndKey(const grpc::ByteBuffer& request,
                                         const Limits& limits) {
  Message message;
  absl::Status status = codec::ParseMessage(ToString(request), &message);
  if (status.ok()) {
    status = CheckName({nullptr, 0, "topic"}, message.topic(), limits);
  }
  if (status.ok()) {
    status = CheckName({nullptr, 0, "key"}, message.key(), limits);
  }
  if (!status.ok()) return status;
  return message;
}

absl::StatusOr<v1::CountRequest> CheckScope(const grpc::ByteBuffer& request,
                                            const Limits& limits) {
  v1::CountRequest message;
  absl::Status status = codec::ParseMessage(ToString(request), &message);
  if (status.ok() && message.has_topic()) {
    status = CheckName({nullptr, 0, "topic"}, message.topic(), limits);
  }
  if (status.ok() && message.has_key()) {
    status = CheckName({nullptr, 0, "key"}, message.key(), limits);
  }
  if (!status.ok()) return status;
  return message;
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
  auto plan = CheckList(*request, context_.limits);
  if (Accept(call, plan)) {
    AskCore(
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
  auto plan = CheckTopicAndKey<v1::GetRequest>(*request, context_.limits);
  if (Accept(call, plan)) {
    AskCore(
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
  auto scope = CheckScope(*request, context_.limits);
  if (Accept(call, scope)) {
    AskCore(
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
  auto plan = CheckTopics(*request, context_.limits);
  if (Accept(call, plan)) {
    AskCore(
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
  auto plan = CheckTopicsOf(*request, context_.limits);
  if (Accept(call, plan)) {
    AskCore(
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
  auto plan = CheckTopicAndKey<v1::ExplainRequest>(*request, context_.limits);
  if (Accept(call, plan)) {
    AskCore(
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
