// One sample of every frame of the keyspace, for tests of its encoding.
#ifndef MUSTER_TESTS_CODEC_KEYSPACE_SAMPLES_H_
#define MUSTER_TESTS_CODEC_KEYSPACE_SAMPLES_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "crdt/check.h"
#include "crdt/keyspace/exchange.h"
#include "crdt/keyspace/transaction.h"
#include "node/core/keyspace_frames.h"
#include "tests/codec/peer_samples.h"

namespace muster::codec {

inline const crdt::LifeId kOtherLife{0x2122232425262728, 0x3132333435363738};
inline const core::Term kTerm{8, kLife};

inline core::RoutedFrame RoutedOf(core::RoutedFrame::Body body) {
  return {kLife, kOtherLife, 1, std::move(body)};
}

inline std::string BytesOf(core::RoutedFrame::Body body) {
  return Flat(EncodeFrame({.beat = 41, .body = RoutedOf(std::move(body))}));
}

inline kv::Context SampleContext() {
  kv::Context context;
  context.Cover(kOtherLife, crdt::Seq(3));
  context.Cover(kLife, crdt::Seq(300));
  return context;
}

// SET k v, as mutation 5 of kLife, on `state`.
inline std::string SampleMutation(kv::Keyspace& state) {
  const kv::Context base;
  kv::Transaction tx(state, {base, kLife, crdt::Seq(5)}, kv::StampAt(1, 0),
                     kv::Time(1));
  tx.PutString({0, "k"}, "v", {});
  return tx.Commit();
}
inline std::shared_ptr<const std::string> SampleKeyspaceMutation() {
  kv::Keyspace state;
  return std::make_shared<const std::string>(SampleMutation(state));
}

inline uint32_t SampleBucket() { return kv::BucketOf(kv::HashOf({0, "k"})); }
inline std::shared_ptr<const std::string> SamplePart() {
  kv::Keyspace state;
  SampleMutation(state);
  std::string part;
  MUSTER_CHECK(kv::BucketReader(state).Next(SampleBucket(), 1000, part));
  return std::make_shared<const std::string>(std::move(part));
}

inline core::KvForward SampleForward() {
  core::KvForward call;
  call.term = kTerm;
  call.call = 7;
  call.ticket = 300;
  call.db = 3;
  call.atomic = true;
  call.again = true;
  call.commands.Add({"GET", "k"});
  call.watched.push_back({{3, "k"}, 0xd1});
  return call;
}

inline core::KvServed SampleServed() {
  core::KvServed pop;
  pop.request = {kOtherLife, 7};
  pop.leader = kLife;
  pop.seq = crdt::Seq(5);
  pop.replies.Begin(commands::Reply::Kind::kArray, 2);
  pop.replies.Bulk("l");
  pop.replies.Bulk("x");
  return pop;
}

inline core::KvPromise SamplePromise() {
  core::KvForward call;
  call.call = 7;
  call.ticket = 300;
  call.commands.Add({"BLPOP", "l", "0"});
  return {kTerm, SampleContext(), {std::move(call)}, {SampleServed()}};
}

inline core::KvMutations SampleKvMutations() {
  core::KvMutations frame;
  frame.term = kTerm;
  frame.first = crdt::Seq(5);
  frame.count = 1;
  frame.mutations = SampleKeyspaceMutation();
  frame.number = 6;
  frame.echo = 2;
  frame.time_us = 1000;
  frame.served.push_back(SampleServed());
  return frame;
}

inline core::KvAnswers SampleAnswers() {
  using Outcome = core::KvAnswers::Outcome;
  core::KvAnswers frame;
  frame.term = kTerm;
  frame.answers.resize(3);
  frame.answers[0] = {7, Outcome::kDone, crdt::Seq(5), {}};
  frame.answers[0].replies.Ok();
  frame.answers[0].replies.Integer(-2);
  frame.answers[1] = {300, Outcome::kRefused, {}, {}};
  frame.answers[2] = {8, Outcome::kWaits, {}, {}};
  return frame;
}

inline core::KvExchangeBegin SampleExchangeBegin() {
  core::KvExchangeBegin frame{9, kTerm, {}};
  for (uint32_t i = 0; i < kv::kGroups; ++i) frame.groups[i] = i * i;
  return frame;
}

inline core::KvExchangeDigests SampleExchangeDigests() {
  core::KvExchangeDigests frame{9, {}};
  frame.groups.resize(2);
  frame.groups[0].group = 3;
  frame.groups[0].buckets.fill(0xd1);
  frame.groups[1].group = 127;
  frame.groups[1].buckets.fill(0xd2);
  return frame;
}

inline core::KvExchangePart SampleExchangePart(
    core::KvExchangePart::Kind kind) {
  using Kind = core::KvExchangePart::Kind;
  core::KvExchangePart frame;
  frame.exchange = 9;
  frame.number = 2;
  frame.kind = kind;
  if (kind == Kind::kBegin) frame.context = SampleContext();
  if (kind == Kind::kPart) {
    frame.bucket = SampleBucket();
    frame.last = true;
    frame.bytes = SamplePart();
  }
  if (kind == Kind::kMutations) {
    frame.first = crdt::Seq(5);
    frame.count = 1;
    frame.bytes = SampleKeyspaceMutation();
  }
  if (kind == Kind::kKey) {
    frame.key = {0, "k"};
    frame.bytes = SamplePart();
  }
  if (kind == Kind::kEnd) frame.first = crdt::Seq(5);
  return frame;
}

// Each alternative of KvBody, and each kind of part.
inline std::vector<core::KvBody> KeyspaceSamples() {
  using Kind = core::KvExchangePart::Kind;
  std::vector<core::KvBody> samples = {
      core::KvLeaderQuestion{4},
      core::KvLeaderAnswer{4, true, true, true, 8, -5},
      core::KvProposal{kTerm},
      SamplePromise(),
      core::KvRefusal{kTerm, {9, kOtherLife}, true, 2},
      core::KvInvitation{kTerm},
      core::KvFollowRequest{kTerm, SampleContext()},
      core::KvTermBase{kTerm, SampleContext(), true, crdt::Seq(5)},
      SampleKvMutations(),
      core::KvApplied{kTerm, crdt::Seq(5), true, 6, 2},
      core::KvLeave{kTerm},
      SampleForward(),
      SampleAnswers(),
      core::KvWithdraw{7},
      SampleExchangeBegin(),
      SampleExchangeDigests(),
      core::KvExchangeWant{9, {0, 5, 16383}},
      core::KvExchangeAck{9, 2, true, {{3, "k"}}},
  };
  for (const Kind kind : {Kind::kBegin, Kind::kPart, Kind::kMutations,
                          Kind::kKey, Kind::kEnd, Kind::kRefused}) {
    samples.push_back(SampleExchangePart(kind));
  }
  return samples;
}

}  // namespace muster::codec

#endif  // MUSTER_TESTS_CODEC_KEYSPACE_SAMPLES_H_
