#include "node/codec/keyspace_codec.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crdt/keyspace/buckets.h"
#include "crdt/keyspace/exchange.h"
#include "crdt/keyspace/op.h"
#include "node/codec/answer_bytes.h"
#include "node/commands/command_list.h"

namespace muster::codec {
namespace {

using Proto = v1::KeyspaceFrame;

core::Term TakeTerm(const char* message, const Proto::Term& from,
                    FieldCheck& check) {
  check.Number({message, -1, "term.number"}, from.number(), 1, kMaxNumber);
  check.Life({message, -1, "term.leader"}, from.leader_hi(), from.leader_lo());
  return {from.number(), {from.leader_hi(), from.leader_lo()}};
}

kv::Context TakeContext(const char* message, const Proto::Context& from,
                        FieldCheck& check) {
  kv::Context to;
  const int lives = from.life_hi_size();
  check.Number({message, -1, "context.length"}, static_cast<uint64_t>(lives), 0,
               kv::kMaxLives);
  check.Require({message, -1, "context"},
                from.life_lo_size() == lives && from.seqs_size() == lives,
                "its lists must have one length");
  crdt::LifeId last;
  for (int i = 0; i < lives && check.ok(); ++i) {
    const crdt::LifeId life{from.life_hi(i), from.life_lo(i)};
    // The first one is not 0, either.
    check.Require({message, -1, "context.life"}, last < life,
                  "must not be zero, and ascend");
    check.Number({message, -1, "context.seqs"}, from.seqs(i), 1, kMaxNumber);
    to.Cover(life, crdt::Seq(from.seqs(i)));
    last = life;
  }
  return to;
}

uint8_t TakeDb(Field field, uint32_t db, FieldCheck& check) {
  check.Number(field, db, 0, kv::kDatabases - 1);
  return static_cast<uint8_t>(db);
}

kv::OwnedKey TakeKey(const char* message, int index, Proto::Key& from,
                     FieldCheck& check) {
  check.Size({message, index, "key"}, from.key().size(), 0, kv::kMaxKeyBytes);
  const uint8_t db = TakeDb({message, index, "db"}, from.db(), check);
  return {db, std::move(*from.mutable_key())};
}

void CheckLength(const char* list, int length, FieldCheck& check) {
  check.Number({list, -1, "length"}, static_cast<uint64_t>(length), 0,
               kMaxKeyspaceList);
}

std::shared_ptr<const std::string> Shared(std::string* bytes) {
  return std::make_shared<const std::string>(std::move(*bytes));
}

// ------------------------------------------------------------ before a term

core::KvLeaderQuestion Take(Proto::LeaderQuestion& from, FieldCheck& check) {
  check.Number({"keyspace.leader_question", -1, "number"}, from.number(), 0,
               kMaxNumber);
  return {from.number()};
}

core::KvLeaderAnswer Take(Proto::LeaderAnswer& from, FieldCheck& check) {
  constexpr const char* kName = "keyspace.leader_answer";
  check.Number({kName, -1, "number"}, from.number(), 0, kMaxNumber);
  check.Number({kName, -1, "known"}, from.known(), 0, kMaxNumber);
  check.Require({kName, -1, "wall_us"},
                from.wall_us() >= -kMaxWallUs && from.wall_us() <= kMaxWallUs,
                "must be -2^61 to 2^61");
  return {from.number(), from.lives(), from.eligible(),
          from.empty(),  from.known(), from.wall_us()};
}

core::KvProposal Take(Proto::Proposal& from, FieldCheck& check) {
  return {TakeTerm("keyspace.proposal", from.term(), check)};
}

std::optional<commands::Reply> TakeReplies(std::string* bytes, uint32_t count,
                                           Field field, FieldCheck& check) {
  auto replies = commands::Reply::FromBytes(std::move(*bytes), count);
  check.Require(field, replies.has_value(), "not `count` values");
  return replies;
}

core::KvServed Take(const char* list, int index, Proto::Served& from,
                    FieldCheck& check) {
  check.Life({list, index, "origin"}, from.origin_hi(), from.origin_lo());
  check.Life({list, index, "leader"}, from.leader_hi(), from.leader_lo());
  check.Number({list, index, "seq"}, from.seq(), 1, kMaxNumber);
  core::KvServed to;
  to.request = {{from.origin_hi(), from.origin_lo()}, from.call()};
  to.leader = {from.leader_hi(), from.leader_lo()};
  to.seq = crdt::Seq(from.seq());
  auto replies = TakeReplies(from.mutable_replies(), from.count(),
                             {list, index, "replies"}, check);
  if (replies.has_value()) to.replies = *std::move(replies);
  return to;
}

std::vector<core::KvServed> TakeServed(
    const char* list, google::protobuf::RepeatedPtrField<Proto::Served>& from,
    FieldCheck& check) {
  std::vector<core::KvServed> to;
  CheckLength(list, from.size(), check);
  if (!check.ok()) return to;
  to.reserve(static_cast<size_t>(from.size()));
  for (int i = 0; i < from.size() && check.ok(); ++i) {
    to.push_back(Take(list, i, *from.Mutable(i), check));
  }
  return to;
}

// All but its term.
core::KvForward Take(const char* message, int index, Proto::Forward& from,
                     FieldCheck& check) {
  check.Number({message, index, "ticket"}, from.ticket(), 0, kMaxNumber);
  check.Number({message, index, "count"}, from.count(), from.atomic() ? 0 : 1,
               UINT32_MAX);
  check.Size({message, index, "commands"}, from.commands().size(), 0,
             kv::kMaxMutationBytes);
  check.Require({message, index, "commands"},
                commands::IsCommandList(from.commands(), from.count()),
                "not `count` commands");
  core::KvForward to;
  to.call = from.call();
  to.ticket = from.ticket();
  to.db = TakeDb({message, index, "db"}, from.db(), check);
  to.atomic = from.atomic();
  to.again = from.again();
  CheckLength("keyspace.forward.watched", from.watched_size(), check);
  if (!check.ok()) return to;
  to.commands = {std::move(*from.mutable_commands()), from.count()};
  to.watched.reserve(static_cast<size_t>(from.watched_size()));
  for (Proto::Watched& watched : *from.mutable_watched()) {
    to.watched.push_back(
        {TakeKey(message, index, *watched.mutable_key(), check),
         watched.digest()});
  }
  return to;
}

core::KvPromise Take(Proto::Promise& from, FieldCheck& check) {
  constexpr const char* kName = "keyspace.promise";
  constexpr const char* kWaiting = "keyspace.promise.waiting";
  core::KvPromise to;
  to.term = TakeTerm(kName, from.term(), check);
  to.context = TakeContext(kName, from.context(), check);
  CheckLength(kWaiting, from.waiting_size(), check);
  if (!check.ok()) return to;
  to.waiting.reserve(static_cast<size_t>(from.waiting_size()));
  for (int i = 0; i < from.waiting_size() && check.ok(); ++i) {
    Proto::Forward& call = *from.mutable_waiting(i);
    to.waiting.push_back(Take(kWaiting, i, call, check));
    if (call.has_term()) {
      to.waiting.back().term = TakeTerm(kWaiting, call.term(), check);
    }
  }
  to.served =
      TakeServed("keyspace.promise.served", *from.mutable_served(), check);
  return to;
}

core::KvRefusal Take(Proto::Refusal& from, FieldCheck& check) {
  core::KvRefusal to;
  if (from.has_term()) {
    to.term = TakeTerm("keyspace.refusal", from.term(), check);
  }
  if (from.has_promised()) {
    to.promised = TakeTerm("keyspace.refusal.promised", from.promised(), check);
  }
  to.leading = from.leading();
  to.followers = from.followers();
  return to;
}

// ------------------------------------------------------------------- a term

core::KvInvitation Take(Proto::Invitation& from, FieldCheck& check) {
  return {TakeTerm("keyspace.invitation", from.term(), check)};
}

core::KvFollowRequest Take(Proto::FollowRequest& from, FieldCheck& check) {
  constexpr const char* kName = "keyspace.follow_request";
  return {TakeTerm(kName, from.term(), check),
          TakeContext(kName, from.context(), check)};
}

core::KvTermBase Take(Proto::TermBase& from, FieldCheck& check) {
  constexpr const char* kName = "keyspace.term_base";
  check.Number({kName, -1, "seq"}, from.seq(), 0, kMaxNumber);
  return {TakeTerm(kName, from.term(), check),
          TakeContext(kName, from.base(), check), from.by_log(),
          crdt::Seq(from.seq())};
}

core::KvMutations Take(Proto::Mutations& from, FieldCheck& check) {
  constexpr const char* kName = "keyspace.mutations";
  check.Number({kName, -1, "first"}, from.first(), from.count() == 0 ? 0 : 1,
               kMaxNumber);
  check.Number({kName, -1, "number"}, from.number(), 0, kMaxNumber);
  check.Number({kName, -1, "echo"}, from.echo(), 0, kMaxNumber);
  check.Number({kName, -1, "time_us"}, from.time_us(), 0, kMaxNumber);
  core::KvMutations to;
  to.term = TakeTerm(kName, from.term(), check);
  to.first = crdt::Seq(from.first());
  to.count = from.count();
  to.number = from.number();
  to.echo = from.echo();
  to.time_us = from.time_us();
  to.served =
      TakeServed("keyspace.mutations.served", *from.mutable_served(), check);
  to.mutations = Shared(from.mutable_mutations());
  if (!check.ok()) return to;
  check.Require({kName, -1, "mutations"},
                kv::ValidateMutations(*to.mutations, to.first, to.count),
                "not `count` valid mutations");
  return to;
}

core::KvApplied Take(Proto::Applied& from, FieldCheck& check) {
  constexpr const char* kName = "keyspace.applied";
  check.Number({kName, -1, "seq"}, from.seq(), 0, kMaxNumber);
  check.Number({kName, -1, "number"}, from.number(), 0, kMaxNumber);
  check.Number({kName, -1, "question"}, from.question(), 0, kMaxNumber);
  return {TakeTerm(kName, from.term(), check), crdt::Seq(from.seq()),
          from.gap(), from.number(), from.question()};
}

core::KvLeave Take(Proto::Leave& from, FieldCheck& check) {
  return {TakeTerm("keyspace.leave", from.term(), check)};
}

// -------------------------------------------------------------------- calls

core::KvForward Take(Proto::Forward& from, FieldCheck& check) {
  constexpr const char* kName = "keyspace.forward";
  core::KvForward to = Take(kName, -1, from, check);
  to.term = TakeTerm(kName, from.term(), check);
  return to;
}

core::KvAnswers Take(Proto::Answers& from, FieldCheck& check) {
  constexpr const char* kName = "keyspace.answers";
  core::KvAnswers to;
  check.Number({kName, -1, "count"}, from.count(), 1, core::kMaxFrameBytes);
  to.term = TakeTerm(kName, from.term(), check);
  if (!check.ok()) return to;
  check.Require({kName, -1, "answers"},
                DecodeAnswers(from.answers(), from.count(), to.answers),
                "not `count` answers");
  return to;
}

core::KvWithdraw Take(Proto::Withdraw& from, FieldCheck&) {
  return {from.call()};
}

// ---------------------------------------------------------------- exchanges

core::KvExchangeBegin Take(Proto::ExchangeBegin& from, FieldCheck& check) {
  constexpr const char* kName = "keyspace.exchange_begin";
  core::KvExchangeBegin to;
  to.exchange = from.exchange();
  to.term = TakeTerm(kName, from.term(), check);
  check.Require({kName, -1, "groups"}, from.groups_size() == kv::kGroups,
                "must be 128 digests");
  if (check.ok()) {
    std::copy(from.groups().begin(), from.groups().end(), to.groups.begin());
  }
  return to;
}

core::KvExchangeDigests Take(Proto::ExchangeDigests& from, FieldCheck& check) {
  constexpr const char* kList = "keyspace.exchange_digests.groups";
  core::KvExchangeDigests to;
  to.exchange = from.exchange();
  check.Number({kList, -1, "length"}, static_cast<uint64_t>(from.groups_size()),
               0, kv::kGroups);
  uint32_t next = 0;
  for (int i = 0; i < from.groups_size() && check.ok(); ++i) {
    const Proto::ExchangeDigests::Group& group = from.groups(i);
    check.Number({kList, i, "group"}, group.group(), next, kv::kGroups - 1);
    check.Require({kList, i, "buckets"},
                  group.buckets_size() == kv::kBucketsPerGroup,
                  "must be 128 digests");
    if (!check.ok()) break;
    core::KvExchangeDigests::Group& taken = to.groups.emplace_back();
    taken.group = group.group();
    std::copy(group.buckets().begin(), group.buckets().end(),
              taken.buckets.begin());
    next = group.group() + 1;
  }
  return to;
}

core::KvExchangeWant Take(Proto::ExchangeWant& from, FieldCheck& check) {
  constexpr const char* kName = "keyspace.exchange_want";
  core::KvExchangeWant to;
  to.exchange = from.exchange();
  check.Number({kName, -1, "length"},
               static_cast<uint64_t>(from.buckets_size()), 0, kv::kBuckets);
  if (!check.ok()) return to;
  to.buckets.reserve(static_cast<size_t>(from.buckets_size()));
  uint32_t next = 0;
  for (const uint32_t bucket : from.buckets()) {
    check.Number({kName, -1, "buckets"}, bucket, next, kv::kBuckets - 1);
    if (!check.ok()) break;
    to.buckets.push_back(bucket);
    next = bucket + 1;
  }
  return to;
}

// Whether `bytes` are what the kind says.
bool ValidPart(const core::KvExchangePart& part) {
  using Kind = core::KvExchangePart::Kind;
  const std::string& bytes = *part.bytes;
  switch (part.kind) {
    case Kind::kBegin:
    case Kind::kEnd:
    case Kind::kRefused:
      return bytes.empty();
    case Kind::kPart:
      return bytes.empty() ? part.last : kv::ValidatePart(bytes, part.bucket);
    case Kind::kMutations:
      return part.count > 0 &&
             kv::ValidateMutations(bytes, part.first, part.count);
    case Kind::kKey:
      return bytes.empty() ||
             kv::ValidatePart(bytes, kv::BucketOf(kv::HashOf(part.key.name())));
  }
  return false;
}

core::KvExchangePart Take(Proto::ExchangePart& from, FieldCheck& check) {
  constexpr const char* kName = "keyspace.exchange_part";
  check.Number({kName, -1, "number"}, from.number(), 1, kMaxNumber);
  check.Number({kName, -1, "kind"}, from.kind(), Proto::ExchangePart::BEGIN,
               Proto::ExchangePart::REFUSED);
  check.Number({kName, -1, "bucket"}, from.bucket(), 0, kv::kBuckets - 1);
  check.Number({kName, -1, "first"}, from.first(), 0, kMaxNumber);
  core::KvExchangePart to;
  to.exchange = from.exchange();
  to.number = from.number();
  to.kind = static_cast<core::KvExchangePart::Kind>(from.kind());
  to.context = TakeContext(kName, from.context(), check);
  to.bucket = from.bucket();
  to.last = from.last();
  to.first = crdt::Seq(from.first());
  to.count = from.count();
  to.key =
      TakeKey("keyspace.exchange_part.key", -1, *from.mutable_key(), check);
  to.bytes = Shared(from.mutable_bytes());
  if (!check.ok()) return to;
  check.Require({kName, -1, "bytes"}, ValidPart(to),
                "not what `kind` and its fields say");
  return to;
}

core::KvExchangeAck Take(Proto::ExchangeAck& from, FieldCheck& check) {
  constexpr const char* kList = "keyspace.exchange_ack.again";
  check.Number({"keyspace.exchange_ack", -1, "number"}, from.number(), 0,
               kMaxNumber);
  CheckLength(kList, from.again_size(), check);
  core::KvExchangeAck to;
  to.exchange = from.exchange();
  to.number = from.number();
  to.over = from.over();
  for (int i = 0; i < from.again_size() && check.ok(); ++i) {
    to.again.push_back(TakeKey(kList, i, *from.mutable_again(i), check));
  }
  return to;
}

core::KvBody TakeExchange(Proto& from, FieldCheck& check) {
  switch (from.body_case()) {
    case Proto::kExchangeBegin:
      return Take(*from.mutable_exchange_begin(), check);
    case Proto::kExchangeDigests:
      return Take(*from.mutable_exchange_digests(), check);
    case Proto::kExchangeWant:
      return Take(*from.mutable_exchange_want(), check);
    case Proto::kExchangePart:
      return Take(*from.mutable_exchange_part(), check);
    case Proto::kExchangeAck:
      return Take(*from.mutable_exchange_ack(), check);
    default:
      check.Require({"keyspace", -1, "body"}, false,
                    "missing, or of a kind this version does not know");
      return core::KvLeaderQuestion{};
  }
}

}  // namespace

core::KvBody TakeKeyspace(v1::KeyspaceFrame& from, FieldCheck& check) {
  switch (from.body_case()) {
    case Proto::kLeaderQuestion:
      return Take(*from.mutable_leader_question(), check);
    case Proto::kLeaderAnswer:
      return Take(*from.mutable_leader_answer(), check);
    case Proto::kProposal:
      return Take(*from.mutable_proposal(), check);
    case Proto::kPromise:
      return Take(*from.mutable_promise(), check);
    case Proto::kRefusal:
      return Take(*from.mutable_refusal(), check);
    case Proto::kInvitation:
      return Take(*from.mutable_invitation(), check);
    case Proto::kFollowRequest:
      return Take(*from.mutable_follow_request(), check);
    case Proto::kTermBase:
      return Take(*from.mutable_term_base(), check);
    case Proto::kMutations:
      return Take(*from.mutable_mutations(), check);
    case Proto::kApplied:
      return Take(*from.mutable_applied(), check);
    case Proto::kLeave:
      return Take(*from.mutable_leave(), check);
    case Proto::kForward:
      return Take(*from.mutable_forward(), check);
    case Proto::kAnswers:
      return Take(*from.mutable_answers(), check);
    case Proto::kWithdraw:
      return Take(*from.mutable_withdraw(), check);
    default:
      return TakeExchange(from, check);
  }
}

core::KvPosition TakePosition(const char* message,
                              const v1::KeyspaceFrame::Position& from,
                              FieldCheck& check) {
  check.Number({message, -1, "seq"}, from.seq(), 0, kMaxNumber);
  return {TakeTerm(message, from.term(), check), crdt::Seq(from.seq())};
}

}  // namespace muster::codec
