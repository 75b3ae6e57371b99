#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "muster/v1/peer.pb.h"
#include "node/codec/frame_head.h"
#include "node/codec/keyspace_codec.h"
#include "node/codec/peer_codec.h"
#include "node/codec/peer_proof.h"

namespace muster::codec {
namespace {

using google::protobuf::internal::WireFormatLite;

uint64_t AgeMs(absl::Duration age) {
  if (age <= absl::ZeroDuration()) return 0;
  absl::Duration max = absl::Milliseconds(kMaxAgeMs);
  return age >= max ? kMaxAgeMs : absl::ToInt64Milliseconds(age);
}

void Fill(const crdt::Origin& origin, v1::Origin& out) {
  out.set_node(origin.node);
  out.set_incarnation(origin.incarnation.value);
  out.set_life_hi(origin.life.hi);
  out.set_life_lo(origin.life.lo);
}

void Fill(crdt::StreamId stream, v1::StreamId& out) {
  out.set_life_hi(stream.life.hi);
  out.set_life_lo(stream.life.lo);
  out.set_kind(static_cast<uint32_t>(stream.kind));
}

void Fill(const core::BeatReport& report, v1::BeatReport& out) {
  out.set_life_hi(report.life.hi);
  out.set_life_lo(report.life.lo);
  out.set_number(report.number);
  out.set_age_ms(AgeMs(report.age));
  out.set_rtt_ms(AgeMs(report.rtt));
}

void FillBody(const core::PositionsFrame& from, v1::PeerFrame& out) {
  v1::Positions& to = *out.mutable_positions();
  to.set_full(from.full);
  to.set_more(from.more);
  to.mutable_streams()->Reserve(static_cast<int>(from.streams.size()));
  for (const core::StreamPosition& stream : from.streams) {
    v1::StreamPosition& position = *to.add_streams();
    Fill(stream.origin, *position.mutable_origin());
    position.set_kind(static_cast<uint32_t>(stream.kind));
    position.set_seq(stream.seq.value);
    position.set_age_ms(AgeMs(stream.age));
    position.set_beat(stream.beat);
    position.set_wanted(stream.wanted);
    position.set_rebasing(stream.rebasing);
  }
}

void FillBody(const core::PullFrame& from, v1::PeerFrame& out) {
  v1::Pull& to = *out.mutable_pull();
  Fill(from.stream, *to.mutable_stream());
  to.set_after(from.after.value);
  to.set_cancel(from.cancel);
  to.set_rebase_id(from.rebase_id);
  to.set_force_rebase(from.force_rebase);
}

void FillBody(const core::CheckpointFrame& from, v1::PeerFrame& out) {
  v1::Checkpoint& to = *out.mutable_checkpoint();
  Fill(from.stream, *to.mutable_stream());
  to.set_seq(from.seq.value);
  to.set_digest(from.digest);
}

void FillBody(const core::AckFrame& from, v1::PeerFrame& out) {
  out.mutable_ack()->set_bulk_bytes(from.bulk_bytes);
}

void FillBody(const core::MembersFrame& from, v1::PeerFrame& out) {
  v1::Members& to = *out.mutable_members();
  to.set_your_highest_incarnation(from.your_highest.value);
  for (const core::MemberInfo& info : from.members) {
    v1::MemberInfo& member = *to.add_members();
    Fill(info.origin, *member.mutable_origin());
    member.set_address(info.address);
    member.set_state(static_cast<uint32_t>(info.state));
    member.set_beat(info.beat);
    member.set_age_ms(AgeMs(info.age));
  }
}

void FillBody(const core::AskFrame& from, v1::PeerFrame& out) {
  v1::Ask& to = *out.mutable_ask();
  to.set_life_hi(from.life.hi);
  to.set_life_lo(from.life.lo);
  to.set_number(from.number);
}

void FillBody(const core::BeatReport& from, v1::PeerFrame& out) {
  Fill(from, *out.mutable_beat_report());
}

void FillBody(const core::LeavingFrame&, v1::PeerFrame& out) {
  out.mutable_leaving();
}

void Fill(const core::MailFrame& from, v1::Routed& out) {
  v1::Mail& to = *out.mutable_mail();
  to.set_epoch(from.epoch);
  to.set_first(from.first);
  to.set_count(from.count);
  to.set_interest_seq(from.interest.value);
  to.set_messages(*from.messages);
  if (!from.kv.term.IsNone()) FillPosition(from.kv, *to.mutable_kv());
}
void Fill(const core::MailAck& from, v1::Routed& out) {
  out.mutable_mail_ack()->set_epoch(from.epoch);
  out.mutable_mail_ack()->set_number(from.number);
}
void Fill(const core::InterestApplied& from, v1::Routed& out) {
  out.mutable_interest_applied()->set_seq(from.seq.value);
}
void Fill(const core::InterestAsk&, v1::Routed& out) {
  out.mutable_interest_ask();
}

void FillBody(const core::EvictFrame& from, v1::PeerFrame& out) {
  out.mutable_ack();
  v1::EvictOrder& to = *out.mutable_evict();
  to.set_number(from.number);
  to.set_topic(from.topic);
  to.set_key(from.key);
  to.set_reason(from.reason);
}

void FillBody(const core::ForgetFrame& from, v1::PeerFrame& out) {
  out.mutable_ack();
  out.mutable_forget()->set_number(from.number);
  out.mutable_forget()->set_node(from.node);
}

void FillBody(const core::OrderAnswerFrame& from, v1::PeerFrame& out) {
  out.mutable_ack();
  v1::OrderAnswer& to = *out.mutable_order_answer();
  to.set_number(from.number);
  to.set_entries(from.entries);
  to.set_refusal(from.refusal.substr(0, kMaxReasonBytes));
}

EncodedFrame Encoded(const v1::PeerFrame& frame) {
  return {frame.SerializeAsString(), nullptr};
}

// The frame ends with `payload` as field `payload_field` of `body`, which is
// its field `body_field`.
EncodedFrame WithPayload(uint64_t beat, int body_field,
                         const google::protobuf::MessageLite& body,
                         int payload_field,
                         std::shared_ptr<const std::string> payload) {
  const size_t size = payload ? payload->size() : 0;
  return {FrameHead(beat, {{body_field, body}}, {payload_field, size}),
          std::move(payload)};
}

EncodedFrame EncodeDelta(uint64_t beat, const core::DeltaFrame& from) {
  v1::Delta delta;
  Fill(from.stream, *delta.mutable_stream());
  delta.set_first_seq(from.first.value);
  delta.set_count(from.count);
  return WithPayload(beat, v1::PeerFrame::kDeltaFieldNumber, delta,
                     v1::Delta::kMutationsFieldNumber, from.mutations);
}

EncodedFrame EncodeRebase(uint64_t beat, const core::RebaseFrame& from) {
  v1::RebaseFrame rebase;
  Fill(from.stream, *rebase.mutable_stream());
  rebase.set_rebase_id(from.rebase_id);
  rebase.set_number(from.number);
  rebase.set_kind(static_cast<v1::RebaseFrame::Kind>(from.kind));
  rebase.set_have(from.have.value);
  rebase.set_seq(from.seq.value);
  rebase.set_count(from.count);
  rebase.set_digest(from.digest);
  return WithPayload(beat, v1::PeerFrame::kRebaseFieldNumber, rebase,
                     v1::RebaseFrame::kPayloadFieldNumber, from.payload);
}

EncodedFrame EncodeRouted(uint64_t beat, const core::RoutedFrame& from) {
  v1::PeerFrame out;
  out.set_beat(beat);
  v1::Routed& to = *out.mutable_routed();
  to.set_to_hi(from.to.hi);
  to.set_to_lo(from.to.lo);
  to.set_from_hi(from.from.hi);
  to.set_from_lo(from.from.lo);
  to.set_hops(from.hops);
  return std::visit(
      [&](const auto& body) {
        if constexpr (std::is_same_v<std::decay_t<decltype(body)>,
                                     core::KvBody>) {
          return EncodeKeyspace(out, body);
        } else {
          Fill(body, to);
          return Encoded(out);
        }
      },
      from.body);
}

}  // namespace

EncodedFrame EncodeFrame(const core::Frame& frame) {
  return std::visit(
      [&](const auto& body) {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<Body, core::DeltaFrame>) {
          return EncodeDelta(frame.beat, body);
        } else if constexpr (std::is_same_v<Body, core::RebaseFrame>) {
          return EncodeRebase(frame.beat, body);
        } else if constexpr (std::is_same_v<Body, core::RoutedFrame>) {
          return EncodeRouted(frame.beat, body);
        } else {
          v1::PeerFrame out;
          out.set_beat(frame.beat);
          FillBody(body, out);
          return Encoded(out);
        }
      },
      frame.body);
}

EncodedFrame EncodeHello(const Hello& hello) {
  v1::PeerFrame out;
  v1::Hello& to = *out.mutable_hello();
  to.set_protocol_min(hello.protocol_min);
  to.set_protocol_max(hello.protocol_max);
  to.set_feature_level(hello.feature_level);
  to.set_cluster(hello.cluster);
  Fill(hello.origin, *to.mutable_origin());
  to.set_address(hello.address);
  to.set_nonce(hello.nonce);
  to.set_probe(hello.probe);
  return Encoded(out);
}

EncodedFrame EncodeProof(const Proof& proof) {
  v1::PeerFrame out;
  out.mutable_proof()->set_mac(proof.mac);
  return Encoded(out);
}

EncodedFrame EncodeRefusal(const Refusal& refusal) {
  v1::PeerFrame out;
  out.mutable_refusal()->set_reason(refusal.reason.substr(0, kMaxReasonBytes));
  out.mutable_refusal()->set_permanent(refusal.permanent);
  return Encoded(out);
}

std::string EncodeDatagram(const core::BeatDatagram& beat, uint64_t cluster,
                           absl::string_view secret) {
  v1::BeatDatagram out;
  out.set_cluster(cluster);
  Fill(beat.origin, *out.mutable_origin());
  out.set_number(beat.number);
  out.set_presence_seq(beat.presence_seq.value);
  // A report takes at most its two fixed fields, two varints and its frame.
  constexpr size_t kReportBytes = 2 + 18 + 2 * 11;
  constexpr size_t kMacFieldBytes = 2 + kDatagramMacBytes;
  size_t room = core::kMaxDatagramBytes - kMacFieldBytes;
  size_t size = out.ByteSizeLong();
  for (const core::BeatReport& report : beat.others) {
    size += kReportBytes;
    if (size > room) break;
    Fill(report, *out.add_others());
  }
  std::string bytes = out.SerializeAsString();
  if (secret.empty()) return bytes;
  std::string mac = DatagramMac(secret, bytes);
  bytes.push_back(static_cast<char>(
      WireFormatLite::MakeTag(v1::BeatDatagram::kMacFieldNumber,
                              WireFormatLite::WIRETYPE_LENGTH_DELIMITED)));
  bytes.push_back(static_cast<char>(kDatagramMacBytes));
  return bytes + mac;
}

}  // namespace muster::codec
