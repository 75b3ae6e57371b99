#include "node/codec/client_codec.h"
#include "node/codec/ref_text.h"

namespace muster::codec {
namespace {

uint64_t Milliseconds(absl::Duration duration) {
  if (duration <= absl::ZeroDuration()) return 0;
  return static_cast<uint64_t>(absl::ToInt64Milliseconds(duration));
}

v1::MemberState ToProto(core::MemberState state) {
  switch (state) {
    case core::MemberState::kAlive:
      return v1::MEMBER_STATE_ALIVE;
    case core::MemberState::kSuspect:
      return v1::MEMBER_STATE_SUSPECT;
    case core::MemberState::kDown:
      return v1::MEMBER_STATE_DOWN;
    case core::MemberState::kLeft:
      return v1::MEMBER_STATE_LEFT;
  }
  return v1::MEMBER_STATE_UNSPECIFIED;
}

void SetText(absl::string_view from, std::string* to) {
  to->assign(from.data(), from.size());
}

void ToProto(const core::ExplainLine& line, v1::ExplainResponse::Line* to) {
  v1::Entry& entry = *to->mutable_entry();
  SetText(line.entry.topic, entry.mutable_topic());
  SetText(line.entry.key, entry.mutable_key());
  SetText(line.entry.meta, entry.mutable_meta());
  entry.set_ref(RefText(line.entry.ref));
  to->set_node(line.origin.node);
  to->set_incarnation(line.origin.incarnation.value);
  to->set_session_id(HexText(line.session.session.hi, line.session.session.lo));
  to->set_epoch(line.session.epoch);
  to->set_resume_number(line.session.resume_number);
  to->set_connected(line.connected);
  to->set_shown(line.shown);
  to->set_hidden_because(line.hidden_because);
  to->set_since_unix_ms(static_cast<uint64_t>(line.since_unix_us / 1000));
  to->set_last_heartbeat_age_ms(Milliseconds(line.heartbeat_age));
  to->set_grace_ms(static_cast<uint32_t>(Milliseconds(line.session.grace)));
}

}  // namespace

std::string HexText(uint64_t hi, uint64_t lo) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text(32, '0');
  for (size_t i = 0; i < 16; ++i) {
    text[15 - i] = kDigits[hi >> (4 * i) & 15];
    text[31 - i] = kDigits[lo >> (4 * i) & 15];
  }
  return text;
}

std::string EncodeExplainResponse(const core::ExplainReply& reply) {
  v1::ExplainResponse response;
  for (const core::ExplainLine& line : reply.lines) {
    ToProto(line, response.add_lines());
  }
  response.set_more(reply.more);
  return response.SerializeAsString();
}

void WriteOpened(const core::SessionInfo& info, absl::string_view token,
                 absl::string_view node, WireWriter& out) {
  using Response = v1::OpenSessionResponse;
  out.Bytes(Response::kSessionIdFieldNumber,
            HexText(info.session.hi, info.session.lo));
  out.Bytes(Response::kTokenFieldNumber, token);
  out.VarintIfSet(Response::kResumeNumberFieldNumber, info.resume_number);
  out.VarintIfSet(Response::kTtlMsFieldNumber, Milliseconds(info.ttl));
  out.VarintIfSet(Response::kGraceMsFieldNumber, Milliseconds(info.grace));
  out.BytesIfSet(Response::kNodeFieldNumber, node);
}

void ToProto(const core::MemberView& member, v1::Member* to) {
  to->set_node(member.origin.node);
  to->set_address(member.address);
  to->set_state(ToProto(member.state));
  to->set_incarnation(member.origin.incarnation.value);
  to->set_life_id(HexText(member.origin.life.hi, member.origin.life.lo));
  to->set_self(member.self);
  to->set_linked(member.linked);
  to->set_last_heartbeat_age_ms(Milliseconds(member.heartbeat_age));
  to->set_presence_seq(member.presence_seq.value);
  to->set_entries(member.entries);
}

void ToProto(const core::StreamView& stream, v1::StreamStatus* to) {
  to->set_node(stream.origin.node);
  to->set_incarnation(stream.origin.incarnation.value);
  to->set_life_id(HexText(stream.origin.life.hi, stream.origin.life.lo));
  to->set_seq(stream.seq.value);
  to->set_log_start(stream.log_start.value);
  to->set_digest(stream.digest);
  to->set_entries(stream.entries);
  to->set_sessions(stream.sessions);
  to->set_hidden(stream.hidden);
  to->set_source(stream.source);
  to->set_rebasing(stream.rebasing);
  to->set_age_ms(Milliseconds(stream.age));
  to->set_kind(std::string(core::NameOf(stream.kind)));
}

void ToProto(const core::StatusView& status, v1::StatusResponse* to) {
  to->set_node(status.origin.node);
  to->set_incarnation(status.origin.incarnation.value);
  to->set_life_id(HexText(status.origin.life.hi, status.origin.life.lo));
  to->set_ready(status.ready);
  to->set_draining(status.draining);
  for (const std::string& note : status.notes) to->add_notes(note);
  to->set_entries(status.entries);
  to->set_keys(status.keys);
  to->set_topics(status.topics);
  to->set_sessions(status.sessions);
  to->set_watchers(status.watchers);
  to->set_links(status.links);
  for (const core::StreamView& stream : status.streams) {
    ToProto(stream, to->add_streams());
  }
  for (const auto& [name, value] : status.counters) {
    (*to->mutable_counters())[name] = value;
  }
  for (const auto& [state, members] : status.members_by_state) {
    (*to->mutable_members_by_state())[state] = members;
  }
}

}  // namespace muster::codec
