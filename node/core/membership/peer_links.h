// The open links, and which of several between the same two lives is used.
//
// The lower of the two (name, life) *decides*: it uses a new link from the
// moment it is up, or closes it, and is never heard on a link that it does not
// use. The other one *follows*: it uses a link from the first frame on. So
// neither side drops a frame that the other sent on a link in use. Only if
// the first frames of two links overtake each other can that be; a link on
// which a frame was dropped is closed rather than used again.
//
// The decider's rule (`Choose`): of two dials that crossed, its own is kept; a
// second dial of its own is closed while the first link is heard; otherwise
// the new link wins, since the peer dials only when it has none.
//
// All times are for a link with short round trips; on others they are longer
// by as much as these explain. A link has *stalled* when it was silent, or has
// acknowledged nothing, for `stall` and three of its round trips.
//
// Internal to membership. Cost: O(log links) a call.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_PEER_LINKS_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_PEER_LINKS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/frames.h"
#include "node/core/time.h"

namespace muster::core {

// An answer to a ping.
struct Pong {
  Instant sent;         // The ping.
  absl::Duration took;  // Until the answer came.
};

struct PeerLink {
  LinkId id = 0;
  PeerHello hello;
  Instant up;
  Instant used;       // Since when it is in use; `up` before.
  Instant received;   // The last frame, or `up`.
  uint64_t beat = 0;  // Its sender's.
  // How long it had waited: what was sent into a cut comes when TCP tries
  // again, all at once, and ends a silence. By its sender's beats since the
  // silence began.
  absl::Duration delay;
  Instant burst;   // When the last silence ended.
  Instant before;  // The last frame before it, or `up`,
  uint64_t beat_before = 0;
  Instant unacked = kNever;  // Since when bulk waits for an ack.
  // What its round trips took, the longest of late.
  absl::Duration rtt;
  // The same of its peer's slowest link, as the peer says.
  absl::Duration peer_rtt;
  // Our beat number as this link has been told it, or was when it came up:
  // frames on it carry no later one, since the report of a beat goes first.
  uint64_t announced = 0;
  bool heard = false;          // A frame has come.
  bool heard_members = false;  // A MembersFrame has come.
  bool linked = false;         // kLinked has been told of it.
  uint64_t sent_version = 0;   // Of the member table.
  bool new_beat = false;       // The last frame was the first of its beat.
  // Pings: when the open one was sent, and what the last answer was to.
  std::optional<Instant> pinged;
  std::optional<Pong> pong;
};

class PeerLinks {
 public:
  enum class Choice { kTakeNew, kKeepOld };
  // How long after a link is up a dial that crossed it may still arrive.
  static constexpr absl::Duration kCrossing = absl::Seconds(3);
  // A link on which nothing comes for this long and three of its round trips is
  // silent.
  static constexpr absl::Duration kUnheard = absl::Seconds(3);
  // A silence longer than kFresh ends in a burst of what has waited.
  static constexpr absl::Duration kBurst = absl::Milliseconds(200);
  // A link that was heard within this works.
  static constexpr absl::Duration kFresh = absl::Seconds(1);

  // Nothing from the link, or no acknowledgement, for this long is a stall.
  static absl::Duration StallAfter(const PeerLink& link, absl::Duration stall);
  // An acknowledgement came after this long.
  static void Acked(PeerLink& link, absl::Duration after);
  // Its peer says that its slowest link takes this long.
  static void ToldOfPeer(PeerLink& link, absl::Duration rtt);
  // A ping may be sent: none is open, or it is lost; and the last one was sent
  // `period` ago.
  static bool MayPing(const PeerLink& link, absl::Duration period, Instant now);
  // The open ping is answered. REQUIRES: there is one.
  static void Answered(PeerLink& link, Instant now);
  // By the time since the last frame, or since it is up.
  static bool IsSilent(const PeerLink& link, Instant now);
  // A frame has come on it, with its sender's beat number; one a `beat`.
  static void Heard(PeerLink& link, uint64_t number, absl::Duration beat,
                    Instant now);
  // For the decider: what becomes of `fresh` while it uses `old`.
  static Choice Choose(const PeerLink& old, const PeerLink& fresh, Instant now);

  // Null if the number is taken.
  PeerLink* Add(LinkId id, const PeerHello& hello, Instant now);
  void Remove(LinkId id);
  PeerLink* Find(LinkId id);
  const PeerLink* Find(LinkId id) const;
  // The link in use to a life, or null.
  PeerLink* Used(crdt::LifeId life);
  const PeerLink* Used(crdt::LifeId life) const;
  void Use(PeerLink& link, Instant now);
  bool IsUsed(const PeerLink& link) const;
  // The link in use to a life if kLinked has been told of it, or 0.
  LinkId LinkedTo(crdt::LifeId life) const;
  // How long the last frame of a link may have waited; 0 if there is none.
  absl::Duration DelayOf(LinkId id) const;
  // The round trip of the slowest link in use.
  absl::Duration LongestRtt() const;
  // Of all that are asked about another: a round trip, and theirs to that one.
  absl::Duration AnswerTime() const;
  // Any open link to a life, in use or not.
  bool Any(crdt::LifeId life) const;
  // The first of them, or null.
  const PeerLink* First(crdt::LifeId life) const;

  std::map<LinkId, PeerLink>& all() { return all_; }
  const std::map<LinkId, PeerLink>& all() const { return all_; }

 private:
  struct Peer {
    size_t open = 0;
    LinkId used = 0;
  };
  std::map<LinkId, PeerLink> all_;
  std::map<crdt::LifeId, Peer> peers_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_PEER_LINKS_H_
