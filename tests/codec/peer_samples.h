// One sample of every peer frame, for tests of its encoding.
#ifndef MUSTER_TESTS_CODEC_PEER_SAMPLES_H_
#define MUSTER_TESTS_CODEC_PEER_SAMPLES_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "crdt/mutation.h"
#include "node/codec/peer_codec.h"
#include "node/codec/peer_proof.h"
#include "node/core/frames.h"

namespace muster::codec {

inline const crdt::LifeId kLife{0x0102030405060708, 0x1112131415161718};
inline const crdt::StreamId kStream{kLife, crdt::StreamKind::kPresence};
inline const crdt::Origin kOrigin{"a", crdt::Incarnation(7), kLife};

// A put of entry 5 in session 3 and a remove of entry 4, as seqs 5 and 6.
inline std::shared_ptr<const std::string> SampleMutations() {
  std::string bytes;
  crdt::EntryContent entry{crdt::ElementId(3), "room", "ann", "{}", {}};
  crdt::EncodePutEntry(crdt::Seq(5), crdt::ElementId(5), entry, bytes);
  crdt::EncodeRemove(crdt::Mutation::Kind::kRemoveEntry, crdt::Seq(6),
                     crdt::ElementId(4), bytes);
  return std::make_shared<const std::string>(std::move(bytes));
}

inline core::DeltaFrame SampleDelta() {
  return {kStream, crdt::Seq(5), 2, SampleMutations()};
}

inline core::RebaseFrame SampleRebase(core::RebaseFrame::Kind kind) {
  core::RebaseFrame frame;
  frame.stream = kStream;
  frame.rebase_id = 9;
  frame.number = 2;
  frame.kind = kind;
  frame.have = crdt::Seq(3);
  frame.seq = crdt::Seq(8);
  frame.digest = 0xd1;
  frame.payload = std::make_shared<const std::string>();
  return frame;
}

inline core::RebaseFrame SampleKeep() {
  core::RebaseFrame frame = SampleRebase(core::RebaseFrame::Kind::kKeep);
  std::string gaps;
  crdt::AppendElementSeq(crdt::Seq(0), crdt::Seq(2), gaps);
  crdt::AppendElementSeq(crdt::Seq(2), crdt::Seq(3), gaps);
  frame.count = 2;
  frame.payload = std::make_shared<const std::string>(std::move(gaps));
  return frame;
}

inline core::PositionsFrame SamplePositions() {
  return {{{kOrigin, crdt::StreamKind::kPresence, crdt::Seq(12),
            absl::Milliseconds(250), 40, true, false}},
          true,
          false};
}

inline core::MembersFrame SampleMembers() {
  return {{{kOrigin, "127.0.0.1:7700", core::MemberState::kSuspect, 40,
            absl::Milliseconds(900)}},
          crdt::Incarnation(6)};
}

inline Hello SampleHello() {
  Hello hello;
  hello.cluster = "muster";
  hello.origin = kOrigin;
  hello.address = "127.0.0.1:7700";
  hello.nonce = "0123456789abcdef";
  return hello;
}

inline core::BeatDatagram SampleBeat() {
  return {kOrigin, 40, crdt::Seq(12), {{{1, 2}, 39, absl::Milliseconds(100)}}};
}

inline std::string Flat(const EncodedFrame& frame) {
  return frame.head + (frame.payload ? *frame.payload : "");
}

}  // namespace muster::codec

#endif  // MUSTER_TESTS_CODEC_PEER_SAMPLES_H_
