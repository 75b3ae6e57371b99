#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "node/codec/answer_bytes.h"
#include "node/codec/frame_head.h"
#include "node/codec/keyspace_codec.h"

namespace muster::codec {
namespace {

using Proto = v1::KeyspaceFrame;

void Fill(const core::Term& term, Proto::Term& out) {
  out.set_number(term.number);
  out.set_leader_hi(term.leader.hi);
  out.set_leader_lo(term.leader.lo);
}

void Fill(const kv::Context& context, Proto::Context& out) {
  const int lives = static_cast<int>(context.size());
  out.mutable_life_hi()->Reserve(lives);
  out.mutable_life_lo()->Reserve(lives);
  out.mutable_seqs()->Reserve(lives);
  for (const auto& [life, seq] : context.seqs()) {
    out.add_life_hi(life.hi);
    out.add_life_lo(life.lo);
    out.add_seqs(seq.value);
  }
}

void Fill(const kv::OwnedKey& key, Proto::Key& out) {
  out.set_db(key.db);
  out.set_key(key.key);
}

// All but the commands.
void FillHead(const core::KvForward& from, Proto::Forward& out) {
  if (!from.term.IsNone()) Fill(from.term, *out.mutable_term());
  out.set_call(from.call);
  out.set_ticket(from.ticket);
  out.set_db(from.db);
  out.set_atomic(from.atomic);
  out.set_again(from.again);
  for (const commands::Watched& watched : from.watched) {
    Proto::Watched& to = *out.add_watched();
    Fill(watched.key, *to.mutable_key());
    to.set_digest(watched.digest);
  }
  out.set_count(from.commands.count());
}

void Fill(const core::KvServed& from, Proto::Served& out) {
  out.set_origin_hi(from.request.origin.hi);
  out.set_origin_lo(from.request.origin.lo);
  out.set_call(from.request.call);
  out.set_leader_hi(from.leader.hi);
  out.set_leader_lo(from.leader.lo);
  out.set_seq(from.seq.value);
  out.set_count(from.replies.CountValues());
  out.set_replies(from.replies.encoded());
}

class Encoder {
 public:
  explicit Encoder(const v1::PeerFrame& envelope) : envelope_(envelope) {}

  EncodedFrame operator()(const core::KvLeaderQuestion& from) const {
    Proto::LeaderQuestion to;
    to.set_number(from.number);
    return Plain(Proto::kLeaderQuestionFieldNumber, to);
  }
  EncodedFrame operator()(const core::KvLeaderAnswer& from) const {
    Proto::LeaderAnswer to;
    to.set_number(from.number);
    to.set_lives(from.lives);
    to.set_eligible(from.eligible);
    to.set_empty(from.empty);
    to.set_known(from.known);
    to.set_wall_us(from.wall_us);
    return Plain(Proto::kLeaderAnswerFieldNumber, to);
  }
  EncodedFrame operator()(const core::KvProposal& from) const {
    return Plain(Proto::kProposalFieldNumber, OfTerm<Proto::Proposal>(from));
  }
  EncodedFrame operator()(const core::KvPromise& from) const {
    auto to = OfTerm<Proto::Promise>(from);
    Fill(from.context, *to.mutable_context());
    for (const core::KvForward& call : from.waiting) {
      Proto::Forward& waiting = *to.add_waiting();
      FillHead(call, waiting);
      waiting.set_commands(call.commands.bytes());
    }
    for (const core::KvServed& pop : from.served) Fill(pop, *to.add_served());
    return Plain(Proto::kPromiseFieldNumber, to);
  }
  EncodedFrame operator()(const core::KvRefusal& from) const {
    auto to = OfTerm<Proto::Refusal>(from);
    if (!from.promised.IsNone()) Fill(from.promised, *to.mutable_promised());
    to.set_leading(from.leading);
    to.set_followers(from.followers);
    return Plain(Proto::kRefusalFieldNumber, to);
  }
  EncodedFrame operator()(const core::KvInvitation& from) const {
    return Plain(Proto::kInvitationFieldNumber,
                 OfTerm<Proto::Invitation>(from));
  }
  EncodedFrame operator()(const core::KvFollowRequest& from) const {
    auto to = OfTerm<Proto::FollowRequest>(from);
    Fill(from.context, *to.mutable_context());
    return Plain(Proto::kFollowRequestFieldNumber, to);
  }
  EncodedFrame operator()(const core::KvTermBase& from) const {
    auto to = OfTerm<Proto::TermBase>(from);
    Fill(from.base, *to.mutable_base());
    to.set_by_log(from.by_log);
    to.set_seq(from.seq.value);
    return Plain(Proto::kTermBaseFieldNumber, to);
  }
  EncodedFrame operator()(const core::KvMutations& from) const {
    auto to = OfTerm<Proto::Mutations>(from);
    to.set_first(from.first.value);
    to.set_count(from.count);
    to.set_number(from.number);
    to.set_echo(from.echo);
    to.set_time_us(from.time_us);
    for (const core::KvServed& pop : from.served) Fill(pop, *to.add_served());
    return WithPayload(Proto::kMutationsFieldNumber, to,
                       Proto::Mutations::kMutationsFieldNumber, from.mutations);
  }
  EncodedFrame operator()(const core::KvApplied& from) const {
    auto to = OfTerm<Proto::Applied>(from);
    to.set_seq(from.seq.value);
    to.set_gap(from.gap);
    to.set_number(from.number);
    to.set_question(from.question);
    return Plain(Proto::kAppliedFieldNumber, to);
  }
  EncodedFrame operator()(const core::KvLeave& from) const {
    return Plain(Proto::kLeaveFieldNumber, OfTerm<Proto::Leave>(from));
  }

  EncodedFrame operator()(const core::KvForward& from) const {
    Proto::Forward to;
    FillHead(from, to);
    const std::string& commands = from.commands.bytes();
    std::string head = Head(Proto::kForwardFieldNumber, to,
                            Proto::Forward::kCommandsFieldNumber, commands);
    head += commands;
    return {std::move(head), nullptr};
  }
  EncodedFrame operator()(const core::KvAnswers& from) const {
    auto to = OfTerm<Proto::Answers>(from);
    to.set_count(static_cast<uint32_t>(from.answers.size()));
    return WithPayload(
        Proto::kAnswersFieldNumber, to, Proto::Answers::kAnswersFieldNumber,
        std::make_shared<const std::string>(EncodeAnswers(from.answers)));
  }
  EncodedFrame operator()(const core::KvWithdraw& from) const {
    Proto::Withdraw to;
    to.set_call(from.call);
    return Plain(Proto::kWithdrawFieldNumber, to);
  }

  EncodedFrame operator()(const core::KvExchangeBegin& from) const {
    auto to = OfTerm<Proto::ExchangeBegin>(from);
    to.set_exchange(from.exchange);
    to.mutable_groups()->Add(from.groups.begin(), from.groups.end());
    return Plain(Proto::kExchangeBeginFieldNumber, to);
  }
  EncodedFrame operator()(const core::KvExchangeDigests& from) const {
    Proto::ExchangeDigests to;
    to.set_exchange(from.exchange);
    for (const core::KvExchangeDigests::Group& group : from.groups) {
      Proto::ExchangeDigests::Group& out = *to.add_groups();
      out.set_group(group.group);
      out.mutable_buckets()->Add(group.buckets.begin(), group.buckets.end());
    }
    return Plain(Proto::kExchangeDigestsFieldNumber, to);
  }
  EncodedFrame operator()(const core::KvExchangeWant& from) const {
    Proto::ExchangeWant to;
    to.set_exchange(from.exchange);
    to.mutable_buckets()->Add(from.buckets.begin(), from.buckets.end());
    return Plain(Proto::kExchangeWantFieldNumber, to);
  }
  EncodedFrame operator()(const core::KvExchangePart& from) const {
    Proto::ExchangePart to;
    to.set_exchange(from.exchange);
    to.set_number(from.number);
    to.set_kind(static_cast<Proto::ExchangePart::Kind>(from.kind));
    if (!from.context.empty()) Fill(from.context, *to.mutable_context());
    to.set_bucket(from.bucket);
    to.set_last(from.last);
    to.set_first(from.first.value);
    to.set_count(from.count);
    if (from.key != kv::OwnedKey{}) Fill(from.key, *to.mutable_key());
    return WithPayload(Proto::kExchangePartFieldNumber, to,
                       Proto::ExchangePart::kBytesFieldNumber, from.bytes);
  }
  EncodedFrame operator()(const core::KvExchangeAck& from) const {
    Proto::ExchangeAck to;
    to.set_exchange(from.exchange);
    to.set_number(from.number);
    to.set_over(from.over);
    for (const kv::OwnedKey& key : from.again) Fill(key, *to.add_again());
    return Plain(Proto::kExchangeAckFieldNumber, to);
  }

 private:
  template <typename Message, typename From>
  static Message OfTerm(const From& from) {
    Message to;
    if (!from.term.IsNone()) Fill(from.term, *to.mutable_term());
    return to;
  }

  // All but `payload`, which is field `payload_field` of `body`. As everywhere
  // in proto3, a field without bytes is left out.
  std::string Head(int field, const google::protobuf::MessageLite& body,
                   int payload_field, const std::string& payload) const {
    return FrameHead(envelope_.beat(),
                     {{v1::PeerFrame::kRoutedFieldNumber, envelope_.routed()},
                      {v1::Routed::kKeyspaceFieldNumber, Proto()},
                      {field, body}},
                     {payload.empty() ? 0 : payload_field, payload.size()});
  }
  EncodedFrame Plain(int field,
                     const google::protobuf::MessageLite& body) const {
    return {Head(field, body, 0, ""), nullptr};
  }
  EncodedFrame WithPayload(int field, const google::protobuf::MessageLite& body,
                           int payload_field,
                           std::shared_ptr<const std::string> payload) const {
    if (payload == nullptr || payload->empty()) return Plain(field, body);
    return {Head(field, body, payload_field, *payload), std::move(payload)};
  }

  const v1::PeerFrame& envelope_;
};

}  // namespace

void FillPosition(const core::KvPosition& position, Proto::Position& out) {
  Fill(position.term, *out.mutable_term());
  out.set_seq(position.seq.value);
}

EncodedFrame EncodeKeyspace(const v1::PeerFrame& envelope,
                            const core::KvBody& body) {
  return std::visit(Encoder(envelope), body);
}

}  // namespace muster::codec
