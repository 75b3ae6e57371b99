// Tells all others of this node's beats: one frame a link in use, and one
// datagram a member with the numbers of a few others in it (gossip).
//
//   tick: beat 8 is due -> links 1..64, addresses 1..64
//   tick:                  links 65..128, addresses 65..128  ...
//
// A beat goes out in slices, all of it in half an interval; it is encoded and
// signed once. Frames on a link carry no later number than the link has been
// told by a report of its own (`BeatOn`), since that report goes first.
//
// Internal to membership. Cost: O(slice) a tick.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_BEAT_SENDER_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_BEAT_SENDER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/frames.h"
#include "node/core/membership/beats.h"
#include "node/core/membership/member_table.h"
#include "node/core/membership/membership_journal.h"
#include "node/core/membership/own_life.h"
#include "node/core/membership/peer_links.h"
#include "node/core/membership/step_context.h"
#include "node/core/slice.h"
#include "node/core/time.h"

namespace muster::core {

class BeatSender {
 public:
  BeatSender(absl::Duration interval, uint64_t seed, Now now,
             const OwnLife& own, const MemberTable& table, PeerLinks& links,
             MembershipJournal& journal);

  // Begins the next beat if it is due, and goes on with the one under way.
  void Tick(StepContext& step);
  // The last beat, at once and to every link: this node leaves.
  void Farewell(StepContext& step);
  // A beat of its own for an ended life that was heard itself.
  void AnswerEnded(const Member& member, StepContext& step);
  // A datagram with one report, for the peer that asked for it.
  void SendReport(const std::string& address, const BeatReport& report,
                  StepContext& step) const;

  // The last sequence number of the own presence stream, carried by beats.
  void SetPresenceSeq(crdt::Seq seq) { presence_seq_ = seq; }
  uint64_t number() const { return clock_.number(); }
  Instant advanced() const { return clock_.advanced(); }
  // The own beat number for a frame on that link.
  uint64_t BeatOn(LinkId id) const;

 private:
  BeatDatagram OwnBeat() const;
  BeatDatagram BeatWithSample(Instant now);
  void Begin(StepContext& step);
  // A slice of it: the links, and the addresses.
  void Continue(size_t slice, StepContext& step);
  void BeatOnLinks(size_t slice, StepContext& step);
  void BeatByDatagram(size_t slice, StepContext& step);
  void SendDatagram(const Member& member, StepContext& step);
  // How many links, and addresses, a tick: all are told in half an interval.
  size_t Slice() const;

  const absl::Duration interval_;
  const OwnLife& own_;
  const MemberTable& table_;
  PeerLinks& links_;
  MembershipJournal& journal_;

  BeatClock clock_;
  BeatSample sample_;
  crdt::Seq presence_seq_;
  // The beat that is being told, and whom it has reached.
  struct {
    bool on_links = false;     // Some links wait for it,
    bool by_datagram = false;  // or addresses.
    BeatReport report;
    std::shared_ptr<const BeatDatagram> beat;
    SliceCursor<LinkId> link;
    SliceCursor<crdt::LifeId> row;
    bool rows_done = false;
    std::deque<crdt::LifeId> down;  // They come last.
    absl::flat_hash_set<std::string> sent;
  } round_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_BEAT_SENDER_H_
