#include "node/service/kv_typed.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "muster/v1/kv.pb.h"
#include "node/codec/kv_codec.h"
#include "node/commands/reply.h"
#include "node/service/validate.h"

namespace muster::service {
namespace {

using commands::Reply;
using commands::ReplyNode;
using commands::ReplyReader;

// ------------------------------------------------- requests, as a command

using Words = std::vector<absl::string_view>;

template <class Texts>
void Append(const Texts& texts, Words& words) {
  words.insert(words.end(), texts.begin(), texts.end());
}

void Add(absl::string_view name, const v1::KvKeyRequest& request,
         core::KvCall& call) {
  call.commands.Add(Words{name, request.key()});
}
void Add(absl::string_view name, const v1::KvKeysRequest& request,
         core::KvCall& call) {
  Words words{name};
  Append(request.keys(), words);
  call.commands.Add(words);
}
void Add(absl::string_view name, const v1::KvSetRequest& request,
         core::KvCall& call) {
  call.commands.Add(Words{name, request.key(), request.value()});
}
void Add(absl::string_view name, const v1::KvSetExRequest& request,
         core::KvCall& call) {
  call.commands.Add(Words{name, request.key(),
                          absl::AlphaNum(request.seconds()).Piece(),
                          request.value()});
}
void Add(absl::string_view name, const v1::KvExpireRequest& request,
         core::KvCall& call) {
  call.commands.Add(
      Words{name, request.key(), absl::AlphaNum(request.seconds()).Piece()});
}
void Add(absl::string_view name, const v1::KvMembersRequest& request,
         core::KvCall& call) {
  Words words{name, request.key()};
  Append(request.members(), words);
  call.commands.Add(words);
}
void Add(absl::string_view name, const v1::KvMemberRequest& request,
         core::KvCall& call) {
  call.commands.Add(Words{name, request.key(), request.member()});
}
void Add(absl::string_view name, const v1::KvFieldRequest& request,
         core::KvCall& call) {
  call.commands.Add(Words{name, request.key(), request.field()});
}
void Add(absl::string_view name, const v1::KvHSetRequest& request,
         core::KvCall& call) {
  call.commands.Add(
      Words{name, request.key(), request.field(), request.value()});
}
void Add(absl::string_view name, const v1::KvHIncrByRequest& request,
         core::KvCall& call) {
  call.commands.Add(Words{name, request.key(), request.field(),
                          absl::AlphaNum(request.increment()).Piece()});
}
void Add(absl::string_view name, const v1::KvHIncrByExRequest& request,
         core::KvCall& call) {
  call.atomic = true;
  call.commands.Add(Words{name, request.key(), request.field(),
                          absl::AlphaNum(request.increment()).Piece()});
  call.commands.Add(Words{"EXPIRE", request.key(),
                          absl::AlphaNum(request.seconds()).Piece()});
}
void Add(absl::string_view name, const v1::KvPushRequest& request,
         core::KvCall& call) {
  Words words{name, request.key()};
  Append(request.values(), words);
  call.commands.Add(words);
}
void Add(absl::string_view name, const v1::KvBRPopRequest& request,
         core::KvCall& call) {
  const std::string timeout = commands::DoubleText(request.timeout_seconds());
  Words words{name};
  Append(request.keys(), words);
  words.push_back(timeout);
  call.commands.Add(words);
}

template <class Request>
absl::StatusOr<KvPlan> Decode(absl::string_view command,
                              absl::string_view bytes, const Limits& limits) {
  Request request;
  core::KvCall call;
  absl::Status status = ParseRequest(bytes, limits, &request);
  if (status.ok()) {
    status = TakeOptions(codec::ToText(request.options()), call);
  }
  if (!status.ok()) return status;
  Add(command, request, call);
  return FinishPlan(std::move(call), limits);
}

// ------------------------------------------------------ replies, as messages

template <class Response>
std::string Serialize(const core::KvAnswer& answer, Response& response) {
  codec::ToProto(answer.position, response.mutable_position());
  return response.SerializeAsString();
}

// The first node of the reply, or its error.
absl::StatusOr<ReplyNode> First(ReplyReader& reader) {
  ReplyNode node;
  reader.Next(node);
  if (node.kind == Reply::Kind::kError) return StatusOfError(node.text);
  return node;
}

template <class Response, class Fill>
absl::StatusOr<std::string> Encode(const core::KvAnswer& answer, Fill fill) {
  ReplyReader reader(answer.replies);
  const absl::StatusOr<ReplyNode> first = First(reader);
  if (!first.ok()) return first.status();
  Response response;
  fill(*first, reader, response);
  return Serialize(answer, response);
}

absl::StatusOr<std::string> EncodeDone(const core::KvAnswer& answer) {
  return Encode<v1::KvDoneResponse>(
      answer, [](const ReplyNode&, ReplyReader&, v1::KvDoneResponse&) {});
}
absl::StatusOr<std::string> EncodeFlag(const core::KvAnswer& answer) {
  return Encode<v1::KvFlagResponse>(
      answer, [](const ReplyNode& node, ReplyReader&, auto& response) {
        response.set_value(node.integer != 0);
      });
}
absl::StatusOr<std::string> EncodeNumber(const core::KvAnswer& answer) {
  return Encode<v1::KvNumberResponse>(
      answer, [](const ReplyNode& node, ReplyReader&, auto& response) {
        response.set_value(node.integer);
      });
}
absl::StatusOr<std::string> EncodeValue(const core::KvAnswer& answer) {
  return Encode<v1::KvValueResponse>(
      answer, [](const ReplyNode& node, ReplyReader&, auto& response) {
        if (node.kind != Reply::Kind::kBulk) return;
        response.set_value(std::string(node.text));
      });
}
absl::StatusOr<std::string> EncodeValues(const core::KvAnswer& answer) {
  return Encode<v1::KvValuesResponse>(
      answer, [](const ReplyNode&, ReplyReader& reader, auto& response) {
        ReplyNode value;
        while (reader.Next(value)) {
          response.add_values(std::string(value.text));
        }
      });
}
absl::StatusOr<std::string> EncodeFields(const core::KvAnswer& answer) {
  return Encode<v1::KvFieldsResponse>(
      answer, [](const ReplyNode&, ReplyReader& reader, auto& response) {
        ReplyNode field;
        ReplyNode value;
        while (reader.Next(field) && reader.Next(value)) {
          v1::KvField* to = response.add_fields();
          to->set_field(std::string(field.text));
          to->set_value(std::string(value.text));
        }
      });
}
absl::StatusOr<std::string> EncodePop(const core::KvAnswer& answer) {
  return Encode<v1::KvPopResponse>(
      answer, [](const ReplyNode&, ReplyReader& reader, auto& response) {
        ReplyNode key;
        ReplyNode value;
        if (!reader.Next(key) || !reader.Next(value)) return;
        response.mutable_popped()->set_key(std::string(key.text));
        response.mutable_popped()->set_value(std::string(value.text));
      });
}
// Of a transaction: what its first command answers.
absl::StatusOr<std::string> EncodeFirstNumber(const core::KvAnswer& answer) {
  ReplyReader reader(answer.replies);
  absl::StatusOr<ReplyNode> node = First(reader);
  if (node.ok()) node = First(reader);
  if (!node.ok()) return node.status();
  v1::KvNumberResponse response;
  response.set_value(node->integer);
  return Serialize(answer, response);
}

#define MUSTER_KV(method) "/muster.v1.Kv/" method
constexpr KvTypedCall kCalls[] = {
    {MUSTER_KV("Exists"), "EXISTS", Decode<v1::KvKeyRequest>, EncodeFlag},
    {MUSTER_KV("Set"), "SET", Decode<v1::KvSetRequest>, EncodeDone},
    {MUSTER_KV("SetEx"), "SETEX", Decode<v1::KvSetExRequest>, EncodeDone},
    {MUSTER_KV("Expire"), "EXPIRE", Decode<v1::KvExpireRequest>, EncodeFlag},
    {MUSTER_KV("Get"), "GET", Decode<v1::KvKeyRequest>, EncodeValue},
    {MUSTER_KV("Del"), "DEL", Decode<v1::KvKeysRequest>, EncodeNumber},
    {MUSTER_KV("SAdd"), "SADD", Decode<v1::KvMembersRequest>, EncodeNumber},
    {MUSTER_KV("SRem"), "SREM", Decode<v1::KvMembersRequest>, EncodeNumber},
    {MUSTER_KV("SMembers"), "SMEMBERS", Decode<v1::KvKeyRequest>, EncodeValues},
    {MUSTER_KV("SCard"), "SCARD", Decode<v1::KvKeyRequest>, EncodeNumber},
    {MUSTER_KV("SIsMember"), "SISMEMBER", Decode<v1::KvMemberRequest>,
     EncodeNumber},
    {MUSTER_KV("SInter"), "SINTER", Decode<v1::KvKeysRequest>, EncodeValues},
    {MUSTER_KV("HSet"), "HSET", Decode<v1::KvHSetRequest>, EncodeFlag},
    {MUSTER_KV("HIncrBy"), "HINCRBY", Decode<v1::KvHIncrByRequest>,
     EncodeNumber},
    {MUSTER_KV("HIncrByEx"), "HINCRBY", Decode<v1::KvHIncrByExRequest>,
     EncodeFirstNumber},
    {MUSTER_KV("HGet"), "HGET", Decode<v1::KvFieldRequest>, EncodeValue},
    {MUSTER_KV("HGetAll"), "HGETALL", Decode<v1::KvKeyRequest>, EncodeFields},
    {MUSTER_KV("HDel"), "HDEL", Decode<v1::KvFieldRequest>, EncodeFlag},
    {MUSTER_KV("HLen"), "HLEN", Decode<v1::KvKeyRequest>, EncodeNumber},
    {MUSTER_KV("Incr"), "INCR", Decode<v1::KvKeyRequest>, EncodeNumber},
    {MUSTER_KV("Decr"), "DECR", Decode<v1::KvKeyRequest>, EncodeNumber},
    {MUSTER_KV("LLen"), "LLEN", Decode<v1::KvKeyRequest>, EncodeNumber},
    {MUSTER_KV("LPush"), "LPUSH", Decode<v1::KvPushRequest>, EncodeNumber},
    {MUSTER_KV("RPush"), "RPUSH", Decode<v1::KvPushRequest>, EncodeNumber},
    {MUSTER_KV("LPop"), "LPOP", Decode<v1::KvKeyRequest>, EncodeValue},
    {MUSTER_KV("RPop"), "RPOP", Decode<v1::KvKeyRequest>, EncodeValue},
    {MUSTER_KV("BRPop"), "BRPOP", Decode<v1::KvBRPopRequest>, EncodePop},
};
#undef MUSTER_KV

}  // namespace

absl::Span<const KvTypedCall> KvTypedCalls() { return kCalls; }

}  // namespace muster::service
