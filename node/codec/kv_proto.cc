// Kv messages that go through the generated classes.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "node/codec/kv_codec.h"

namespace muster::codec {
namespace {

using commands::Reply;
using Role = core::KvStatusView::Role;
using State = core::KvFollowerView::State;

std::string HexText(const crdt::LifeId& life) {
  return absl::StrCat(absl::Hex(life.hi, absl::kZeroPad16),
                      absl::Hex(life.lo, absl::kZeroPad16));
}

v1::KeyspaceRole ToProto(Role role) {
  switch (role) {
    case Role::kWaiting:
      return v1::KEYSPACE_ROLE_WAITING;
    case Role::kGathering:
      return v1::KEYSPACE_ROLE_GATHERING;
    case Role::kLeading:
      return v1::KEYSPACE_ROLE_LEADING;
    case Role::kFollowing:
      return v1::KEYSPACE_ROLE_FOLLOWING;
  }
  return v1::KEYSPACE_ROLE_UNSPECIFIED;
}

v1::KeyspaceFollower::State ToProto(State state) {
  switch (state) {
    case State::kOut:
      return v1::KeyspaceFollower::STATE_OUT;
    case State::kAsked:
      return v1::KeyspaceFollower::STATE_ASKED;
    case State::kExchanging:
      return v1::KeyspaceFollower::STATE_EXCHANGING;
    case State::kFollowing:
      return v1::KeyspaceFollower::STATE_FOLLOWING;
  }
  return v1::KeyspaceFollower::STATE_UNSPECIFIED;
}

std::string NodeOf(const crdt::LifeId& life,
                   const std::vector<core::MemberView>& members) {
  const auto member =
      std::find_if(members.begin(), members.end(),
                   [&](const auto& m) { return m.origin.life == life; });
  return member == members.end() ? "" : member->origin.node;
}

void AppendValues(Reply::Kind kind, const v1::KvValue::Values& values,
                  Reply& reply) {
  reply.Begin(kind, static_cast<uint32_t>(values.values_size()));
  for (const v1::KvValue& value : values.values()) AppendReply(value, reply);
}

}  // namespace

void AppendReply(const v1::KvValue& value, Reply& reply) {
  switch (value.kind_case()) {
    case v1::KvValue::kBulk:
      return reply.Bulk(value.bulk());
    case v1::KvValue::kSimple:
      return reply.Simple(value.simple());
    case v1::KvValue::kError:
      return reply.Error(value.error());
    case v1::KvValue::kInteger:
      return reply.Integer(value.integer());
    case v1::KvValue::kNumber:
      return reply.Double(value.number());
    case v1::KvValue::kNil:
    case v1::KvValue::KIND_NOT_SET:
      return reply.Nil();
    case v1::KvValue::kArray:
      return AppendValues(Reply::Kind::kArray, value.array(), reply);
    case v1::KvValue::kMap:
      return AppendValues(Reply::Kind::kMap, value.map(), reply);
    case v1::KvValue::kSet:
      return AppendValues(Reply::Kind::kSet, value.set(), reply);
    case v1::KvValue::kPairs:
      return AppendValues(Reply::Kind::kPairs, value.pairs(), reply);
  }
}

void ToProto(const core::KvPosition& position, v1::KvPosition* to) {
  to->set_term(position.term.number);
  to->set_leader(LifeIdBytes(position.term.leader));
  to->set_seq(position.seq.value);
}

std::string EncodeExplain(const core::KvExplainReply& reply,
                          const std::vector<core::MemberView>& members) {
  v1::KvExplainResponse response;
  response.set_bucket(reply.bucket);
  response.set_type(reply.type);
  response.set_due_ms(reply.due_ms);
  for (const core::KvVersionView& version : reply.versions) {
    v1::KvVersion* to = response.add_versions();
    to->set_element(version.element);
    to->set_what(version.what);
    to->set_node(version.node.empty() ? NodeOf(version.life, members)
                                      : version.node);
    to->set_life_id(HexText(version.life));
    to->set_seq(version.seq.value);
    to->set_index(version.index);
    to->set_stamp_ms(version.stamp_ms);
    to->set_shown(version.shown);
  }
  response.set_more(reply.more);
  return response.SerializeAsString();
}

void ToProto(const core::KvStatusView& keyspace,
             const std::vector<core::MemberView>& members,
             v1::KeyspaceStatus* to) {
  to->set_role(ToProto(keyspace.role));
  to->set_leader(NodeOf(keyspace.position.term.leader, members));
  to->set_leader_life_id(HexText(keyspace.position.term.leader));
  to->set_term(keyspace.position.term.number);
  to->set_seq(keyspace.position.seq.value);
  to->set_promised(keyspace.promised.number);
  to->set_exchanging(keyspace.exchanging);
  to->set_alone(keyspace.alone);
  to->set_context_lives(keyspace.context_lives);
  to->set_context_digest(keyspace.context_digest);
  to->set_digest(keyspace.digest);
  for (const core::KvFollowerView& follower : keyspace.followers) {
    v1::KeyspaceFollower* other = to->add_followers();
    other->set_node(NodeOf(follower.life, members));
    other->set_life_id(HexText(follower.life));
    other->set_state(ToProto(follower.state));
    other->set_applied(follower.applied.value);
    other->set_unapplied_bytes(follower.unapplied_bytes);
  }
  to->set_calls_waiting(keyspace.calls_waiting);
  to->set_blocked(keyspace.blocked);
  to->set_unsettled(keyspace.unsettled);
  to->set_joins(keyspace.joins);
  to->set_joined_buckets(keyspace.joined_buckets);
  to->set_settled_keys(keyspace.settled_keys);
  to->set_bytes(keyspace.bytes);
  for (const uint64_t keys : keyspace.keys) to->add_keys(keys);
}

void ToProto(const core::KvStatusView& keyspace, const core::MemberView& member,
             v1::Member* to) {
  const crdt::LifeId& life = member.origin.life;
  if (member.self) {
    to->set_keyspace_role(ToProto(keyspace.role));
    to->set_keyspace_exchanging(keyspace.exchanging);
  } else if (keyspace.role == Role::kFollowing &&
             keyspace.position.term.leader == life) {
    to->set_keyspace_role(v1::KEYSPACE_ROLE_LEADING);
  }
  for (const core::KvFollowerView& follower : keyspace.followers) {
    if (follower.life != life) continue;
    const bool exchanging = follower.state == State::kExchanging;
    if (!exchanging && follower.state != State::kFollowing) continue;
    to->set_keyspace_role(v1::KEYSPACE_ROLE_FOLLOWING);
    to->set_keyspace_exchanging(exchanging);
  }
}

}  // namespace muster::codec
