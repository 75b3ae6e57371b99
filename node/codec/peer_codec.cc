#include "node/codec/peer_codec.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "crdt/grammar.h"
#include "crdt/message_bytes.h"
#include "crdt/mutation.h"
#include "muster/v1/peer.pb.h"
#include "node/codec/field_check.h"
#include "node/codec/keyspace_codec.h"
#include "node/codec/peer_proof.h"
#include "node/codec/utf8.h"

namespace muster::codec {
namespace {

absl::Duration Age(uint64_t ms) {
  return absl::Milliseconds(static_cast<int64_t>(ms));
}

crdt::Origin TakeOrigin(const char* list, int index, const v1::Origin& from,
                        uint64_t min_incarnation, FieldCheck& check) {
  check.Text({list, index, "origin.node"}, from.node(), 1, kMaxNodeNameBytes);
  check.Number({list, index, "origin.incarnation"}, from.incarnation(),
               min_incarnation, kMaxNumber);
  check.Life({list, index, "origin.life"}, from.life_hi(), from.life_lo());
  return {from.node(),
          crdt::Incarnation(from.incarnation()),
          {from.life_hi(), from.life_lo()}};
}

crdt::StreamKind TakeKind(const char* list, int index, uint32_t kind,
                          FieldCheck& check) {
  check.Number({list, index, "kind"}, kind,
               static_cast<uint64_t>(crdt::StreamKind::kPresence),
               static_cast<uint64_t>(crdt::StreamKind::kInterest));
  return static_cast<crdt::StreamKind>(kind);
}

crdt::StreamId TakeStream(const char* message, const v1::StreamId& from,
                          FieldCheck& check) {
  check.Life({message, -1, "stream.life"}, from.life_hi(), from.life_lo());
  crdt::StreamKind kind = TakeKind(message, -1, from.kind(), check);
  return {{from.life_hi(), from.life_lo()}, kind};
}

// The grammar of a stream whose mutations a frame carries, or null. A node that
// cannot read mutations never skips them: it ends the link.
const crdt::Grammar* TakeGrammar(const char* message, crdt::StreamId stream,
                                 FieldCheck& check) {
  const crdt::Grammar* grammar = crdt::GrammarOf(stream.kind);
  check.Require({message, -1, "stream.kind"}, grammar != nullptr,
                "no kind of stream that this version can read");
  return grammar;
}

core::BeatReport TakeReport(const char* list, int index,
                            const v1::BeatReport& from, FieldCheck& check) {
  check.Life({list, index, "life"}, from.life_hi(), from.life_lo());
  check.Number({list, index, "number"}, from.number(), 0, kMaxNumber);
  check.Number({list, index, "age_ms"}, from.age_ms(), 0, kMaxAgeMs);
  check.Number({list, index, "rtt_ms"}, from.rtt_ms(), 0, kMaxAgeMs);
  return {{from.life_hi(), from.life_lo()},
          from.number(),
          Age(from.age_ms()),
          Age(from.rtt_ms())};
}

Hello Take(const v1::Hello& from, FieldCheck& check) {
  constexpr const char* kName = "hello";
  check.Number({kName, -1, "protocol_max"}, from.protocol_max(),
               from.protocol_min(), UINT32_MAX);
  check.Text({kName, -1, "cluster"}, from.cluster(), 1, kMaxClusterBytes);
  check.Address({kName, -1, "address"}, from.address());
  check.Size({kName, -1, "nonce"}, from.nonce().size(), kNonceBytes,
             kNonceBytes);
  Hello to;
  to.protocol_min = from.protocol_min();
  to.protocol_max = from.protocol_max();
  to.feature_level = from.feature_level();
  to.cluster = from.cluster();
  to.origin = TakeOrigin(kName, -1, from.origin(), 0, check);
  to.address = from.address();
  to.nonce = from.nonce();
  to.probe = from.probe();
  return to;
}

Proof Take(const v1::Proof& from, FieldCheck& check) {
  size_t size = from.mac().size();
  check.Size({"proof", -1, "mac"}, size, size == 0 ? 0 : kProofBytes,
             kProofBytes);
  return {from.mac()};
}

Refusal Take(const v1::Refusal& from, FieldCheck& check) {
  check.Text({"refusal", -1, "reason"}, from.reason(), 0, kMaxReasonBytes);
  return {from.reason(), from.permanent()};
}

core::PositionsFrame Take(const v1::Positions& from, FieldCheck& check) {
  constexpr const char* kList = "positions.streams";
  core::PositionsFrame to;
  check.Number({kList, -1, "length"}, from.streams_size(), 0,
               core::kMaxStreams);
  if (!check.ok()) return to;
  to.full = from.full();
  to.more = from.full() && from.more();
  to.streams.reserve(from.streams_size());
  for (int i = 0; i < from.streams_size(); ++i) {
    const v1::StreamPosition& stream = from.streams(i);
    check.Number({kList, i, "seq"}, stream.seq(), 0, kMaxNumber);
    check.Number({kList, i, "age_ms"}, stream.age_ms(), 0, kMaxAgeMs);
    check.Number({kList, i, "beat"}, stream.beat(), 0, kMaxNumber);
    core::StreamPosition& position = to.streams.emplace_back();
    position.origin = TakeOrigin(kList, i, stream.origin(), 1, check);
    position.kind = TakeKind(kList, i, stream.kind(), check);
    position.seq = crdt::Seq(stream.seq());
    position.age = Age(stream.age_ms());
    position.beat = stream.beat();
    position.wanted = stream.wanted();
    position.rebasing = stream.rebasing();
    if (!check.ok()) break;
  }
  return to;
}

core::PullFrame Take(const v1::Pull& from, FieldCheck& check) {
  check.Number({"pull", -1, "after"}, from.after(), 0, kMaxNumber);
  core::PullFrame to;
  to.stream = TakeStream("pull", from.stream(), check);
  to.after = crdt::Seq(from.after());
  to.cancel = from.cancel();
  to.rebase_id = from.rebase_id();
  to.force_rebase = from.force_rebase();
  return to;
}

core::DeltaFrame Take(v1::Delta& from, FieldCheck& check) {
  constexpr const char* kName = "delta";
  check.Number({kName, -1, "first_seq"}, from.first_seq(), 1, kMaxNumber);
  check.Number({kName, -1, "count"}, from.count(), 1, core::kMaxFrameBytes);
  core::DeltaFrame to;
  to.stream = TakeStream(kName, from.stream(), check);
  to.first = crdt::Seq(from.first_seq());
  to.count = from.count();
  to.mutations =
      std::make_shared<const std::string>(std::move(*from.mutable_mutations()));
  if (!check.ok()) return to;
  const crdt::Grammar* grammar = TakeGrammar(kName, to.stream, check);
  if (grammar == nullptr) return to;
  check.Require({kName, -1, "mutations"},
                grammar->valid_run(*to.mutations, to.first, to.count),
                "not `count` valid mutations");
  return to;
}

bool ValidRebasePayload(const core::RebaseFrame& frame,
                        const crdt::Grammar& grammar) {
  using Kind = core::RebaseFrame::Kind;
  switch (frame.kind) {
    case Kind::kBegin:
    case Kind::kEnd:
      return frame.payload->empty() && frame.count == 0;
    case Kind::kKeepParents:
    case Kind::kKeep:
      return crdt::ValidateSeqGaps(*frame.payload, frame.count);
    case Kind::kPutParents:
    case Kind::kPut:
      return grammar.valid_elements(*frame.payload, frame.count);
    case Kind::kDelta:
      return frame.count >= 1 && frame.count <= frame.seq.value &&
             grammar.valid_run(*frame.payload,
                               crdt::Seq(frame.seq.value - frame.count + 1),
                               frame.count);
  }
  return false;
}

core::RebaseFrame Take(v1::RebaseFrame& from, FieldCheck& check) {
  constexpr const char* kName = "rebase";
  check.Number({kName, -1, "number"}, from.number(), 1, kMaxNumber);
  check.Number({kName, -1, "kind"}, from.kind(), v1::RebaseFrame::BEGIN,
               v1::RebaseFrame::END);
  check.Number({kName, -1, "have"}, from.have(), 0, kMaxNumber);
  check.Number({kName, -1, "seq"}, from.seq(), 0, kMaxNumber);
  check.Number({kName, -1, "count"}, from.count(), 0, core::kMaxFrameBytes);
  core::RebaseFrame to;
  to.stream = TakeStream(kName, from.stream(), check);
  to.rebase_id = from.rebase_id();
  to.number = from.number();
  to.kind = static_cast<core::RebaseFrame::Kind>(from.kind());
  to.have = crdt::Seq(from.have());
  to.seq = crdt::Seq(from.seq());
  to.count = from.count();
  to.payload =
      std::make_shared<const std::string>(std::move(*from.mutable_payload()));
  to.digest = from.digest();
  if (!check.ok()) return to;
  const crdt::Grammar* grammar = TakeGrammar(kName, to.stream, check);
  if (grammar == nullptr) return to;
  check.Require({kName, -1, "payload"}, ValidRebasePayload(to, *grammar),
                "not what `kind` and `count` say");
  return to;
}

core::CheckpointFrame Take(const v1::Checkpoint& from, FieldCheck& check) {
  check.Number({"checkpoint", -1, "seq"}, from.seq(), 0, kMaxNumber);
  core::CheckpointFrame to;
  to.stream = TakeStream("checkpoint", from.stream(), check);
  to.seq = crdt::Seq(from.seq());
  to.digest = from.digest();
  return to;
}

core::AckFrame Take(const v1::Ack& from, FieldCheck& check) {
  check.Number({"ack", -1, "bulk_bytes"}, from.bulk_bytes(), 0, kMaxNumber);
  return {from.bulk_bytes()};
}

core::MembersFrame Take(const v1::Members& from, FieldCheck& check) {
  constexpr const char* kList = "members.members";
  core::MembersFrame to;
  check.Number({kList, -1, "length"}, from.members_size(), 0,
               core::kMaxMembers);
  check.Number({"members", -1, "your_highest_incarnation"},
               from.your_highest_incarnation(), 0, kMaxNumber);
  if (!check.ok()) return to;
  to.your_highest = crdt::Incarnation(from.your_highest_incarnation());
  to.members.reserve(from.members_size());
  for (int i = 0; i < from.members_size(); ++i) {
    const v1::MemberInfo& info = from.members(i);
    check.Address({kList, i, "address"}, info.address());
    check.Number({kList, i, "state"}, info.state(),
                 static_cast<uint64_t>(core::MemberState::kAlive),
                 static_cast<uint64_t>(core::MemberState::kLeft));
    check.Number({kList, i, "beat"}, info.beat(), 0, kMaxNumber);
    check.Number({kList, i, "age_ms"}, info.age_ms(), 0, kMaxAgeMs);
    core::MemberInfo& member = to.members.emplace_back();
    member.origin = TakeOrigin(kList, i, info.origin(), 0, check);
    member.address = info.address();
    member.state = static_cast<core::MemberState>(info.state());
    member.beat = info.beat();
    member.age = Age(info.age_ms());
    if (!check.ok()) break;
  }
  return to;
}

core::AskFrame Take(const v1::Ask& from, FieldCheck& check) {
  check.Life({"ask", -1, "life"}, from.life_hi(), from.life_lo());
  check.Number({"ask", -1, "number"}, from.number(), 0, kMaxNumber);
  return {{from.life_hi(), from.life_lo()}, from.number()};
}

core::MailFrame Take(v1::Mail& from, FieldCheck& check) {
  constexpr const char* kName = "routed.mail";
  check.Number({kName, -1, "epoch"}, from.epoch(), 1, kMaxNumber);
  check.Number({kName, -1, "first"}, from.first(), 1, kMaxNumber);
  check.Number({kName, -1, "interest_seq"}, from.interest_seq(), 0, kMaxNumber);
  core::MailFrame to;
  to.epoch = from.epoch();
  to.first = from.first();
  to.count = from.count();
  to.interest = crdt::Seq(from.interest_seq());
  if (from.has_kv()) to.kv = TakePosition("routed.mail.kv", from.kv(), check);
  to.messages =
      std::make_shared<const std::string>(std::move(*from.mutable_messages()));
  if (!check.ok()) return to;
  check.Require({kName, -1, "messages"},
                crdt::ValidateMessages(*to.messages, to.count),
                "not `count` messages");
  return to;
}

core::RoutedFrame Take(v1::Routed& from, FieldCheck& check) {
  check.Life({"routed", -1, "to"}, from.to_hi(), from.to_lo());
  check.Life({"routed", -1, "from"}, from.from_hi(), from.from_lo());
  check.Number({"routed", -1, "hops"}, from.hops(), 1, core::kMaxHops);
  core::RoutedFrame to;
  to.to = {from.to_hi(), from.to_lo()};
  to.from = {from.from_hi(), from.from_lo()};
  to.hops = from.hops();
  switch (from.body_case()) {
    case v1::Routed::kMail:
      to.body = Take(*from.mutable_mail(), check);
      break;
    case v1::Routed::kMailAck:
      check.Number({"routed.mail_ack", -1, "number"}, from.mail_ack().number(),
                   0, kMaxNumber);
      to.body =
          core::MailAck{from.mail_ack().epoch(), from.mail_ack().number()};
      break;
    case v1::Routed::kInterestApplied:
      check.Number({"routed.interest_applied", -1, "seq"},
                   from.interest_applied().seq(), 0, kMaxNumber);
      to.body = core::InterestApplied{crdt::Seq(from.interest_applied().seq())};
      break;
    case v1::Routed::kInterestAsk:
      to.body = core::InterestAsk{};
      break;
    case v1::Routed::kKeyspace:
      to.body = TakeKeyspace(*from.mutable_keyspace(), check);
      break;
    default:
      check.Require({"routed", -1, "body"}, false,
                    "missing, or of a kind this version does not know");
  }
  return to;
}

void CheckName(Field field, const std::string& name, FieldCheck& check) {
  check.Size(field, name.size(), 1, crdt::kMaxNameBytes);
  if (check.ok()) check.Require(field, IsUtf8(name), "must be UTF-8");
}

core::EvictFrame Take(v1::EvictOrder& from, FieldCheck& check) {
  check.Number({"evict", -1, "number"}, from.number(), 1, kMaxNumber);
  CheckName({"evict", -1, "topic"}, from.topic(), check);
  CheckName({"evict", -1, "key"}, from.key(), check);
  check.Text({"evict", -1, "reason"}, from.reason(), 0, kMaxReasonBytes);
  return {from.number(), std::move(*from.mutable_topic()),
          std::move(*from.mutable_key()), std::move(*from.mutable_reason())};
}

core::ForgetFrame Take(v1::ForgetOrder& from, FieldCheck& check) {
  check.Number({"forget", -1, "number"}, from.number(), 1, kMaxNumber);
  check.Text({"forget", -1, "node"}, from.node(), 1, kMaxNodeNameBytes);
  return {from.number(), std::move(*from.mutable_node())};
}

core::OrderAnswerFrame Take(v1::OrderAnswer& from, FieldCheck& check) {
  constexpr const char* kName = "order_answer";
  check.Number({kName, -1, "number"}, from.number(), 1, kMaxNumber);
  check.Number({kName, -1, "entries"}, from.entries(), 0, kMaxNumber);
  check.Text({kName, -1, "refusal"}, from.refusal(), 0, kMaxReasonBytes);
  return {from.number(), from.entries(), std::move(*from.mutable_refusal())};
}

// Orders stand beside an empty `ack`: a node that does not know orders sees the
// `ack` alone. False if there is no order.
bool TakeOrder(v1::PeerFrame& from, core::Frame& to, FieldCheck& check) {
  const int orders =
      from.has_evict() + from.has_forget() + from.has_order_answer();
  if (orders == 0) return false;
  check.Require({"frame", -1, "body"},
                from.has_ack() && from.ack().bulk_bytes() == 0,
                "must be an empty ack beside an order");
  check.Require({"frame", -1, "order"}, orders == 1,
                "evict, forget and order_answer exclude each other");
  if (from.has_evict()) {
    to.body = Take(*from.mutable_evict(), check);
  } else if (from.has_forget()) {
    to.body = Take(*from.mutable_forget(), check);
  } else {
    to.body = Take(*from.mutable_order_answer(), check);
  }
  return true;
}

core::Frame TakeFrame(v1::PeerFrame& from, FieldCheck& check) {
  core::Frame to;
  check.Number({"frame", -1, "beat"}, from.beat(), 0, kMaxNumber);
  to.beat = from.beat();
  if (TakeOrder(from, to, check)) return to;
  switch (from.body_case()) {
    case v1::PeerFrame::kPositions:
      to.body = Take(from.positions(), check);
      break;
    case v1::PeerFrame::kPull:
      to.body = Take(from.pull(), check);
      break;
    case v1::PeerFrame::kDelta:
      to.body = Take(*from.mutable_delta(), check);
      break;
    case v1::PeerFrame::kRebase:
      to.body = Take(*from.mutable_rebase(), check);
      break;
    case v1::PeerFrame::kCheckpoint:
      to.body = Take(from.checkpoint(), check);
      break;
    case v1::PeerFrame::kAck:
      to.body = Take(from.ack(), check);
      break;
    case v1::PeerFrame::kMembers:
      to.body = Take(from.members(), check);
      break;
    case v1::PeerFrame::kAsk:
      to.body = Take(from.ask(), check);
      break;
    case v1::PeerFrame::kBeatReport:
      to.body = TakeReport("beat_report", -1, from.beat_report(), check);
      break;
    case v1::PeerFrame::kRouted:
      to.body = Take(*from.mutable_routed(), check);
      break;
    case v1::PeerFrame::kLeaving:
      to.body = core::LeavingFrame{};
      break;
    default:
      check.Require({"frame", -1, "body"}, false,
                    "missing, or of a kind this version does not know");
  }
  return to;
}

PeerMessage TakeMessage(v1::PeerFrame& from, FieldCheck& check) {
  switch (from.body_case()) {
    case v1::PeerFrame::kHello:
      return Take(from.hello(), check);
    case v1::PeerFrame::kProof:
      return Take(from.proof(), check);
    case v1::PeerFrame::kRefusal:
      return Take(from.refusal(), check);
    default:
      return TakeFrame(from, check);
  }
}

}  // namespace

absl::StatusOr<PeerMessage> DecodeMessage(
    google::protobuf::io::ZeroCopyInputStream& input, size_t size) {
  FieldCheck check;
  check.Size({"frame", -1, ""}, size, 1, core::kMaxFrameBytes);
  if (!check.ok()) return check.status();
  v1::PeerFrame frame;
  if (!frame.ParseFromBoundedZeroCopyStream(&input, static_cast<int>(size))) {
    return absl::InvalidArgumentError("frame: not a PeerFrame");
  }
  PeerMessage message = TakeMessage(frame, check);
  if (!check.ok()) return check.status();
  return message;
}

absl::StatusOr<PeerMessage> DecodeMessage(absl::string_view bytes) {
  google::protobuf::io::ArrayInputStream input(bytes.data(),
                                               static_cast<int>(bytes.size()));
  return DecodeMessage(input, bytes.size());
}

absl::StatusOr<core::BeatDatagram> DecodeDatagram(absl::string_view bytes,
                                                  uint64_t cluster,
                                                  absl::string_view secret) {
  FieldCheck check;
  check.Size({"datagram", -1, ""}, bytes.size(), 1, core::kMaxDatagramBytes);
  if (!check.ok()) return check.status();
  v1::BeatDatagram datagram;
  if (!datagram.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("datagram: not a BeatDatagram");
  }
  if (datagram.cluster() != cluster) {
    return absl::FailedPreconditionError("datagram: of another cluster");
  }
  size_t mac_field = secret.empty() ? 0 : 2 + kDatagramMacBytes;
  std::string mac = DatagramMac(
      secret,
      bytes.substr(0, bytes.size() - std::min(bytes.size(), mac_field)));
  if (!SameMac(mac, datagram.mac())) {
    return absl::UnauthenticatedError(
        "datagram: its sender has another --cluster-secret, or none");
  }
  core::BeatDatagram to;
  to.origin = TakeOrigin("datagram", -1, datagram.origin(), 0, check);
  check.Number({"datagram", -1, "number"}, datagram.number(), 1, kMaxNumber);
  check.Number({"datagram", -1, "presence_seq"}, datagram.presence_seq(), 0,
               kMaxNumber);
  to.number = datagram.number();
  to.presence_seq = crdt::Seq(datagram.presence_seq());
  to.others.reserve(datagram.others_size());
  for (int i = 0; i < datagram.others_size() && check.ok(); ++i) {
    to.others.push_back(
        TakeReport("datagram.others", i, datagram.others(i), check));
  }
  if (!check.ok()) return check.status();
  return to;
}

}  // namespace muster::codec
