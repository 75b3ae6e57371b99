// Membership: the members of the cluster, and a failure detector that tells
// which of them are alive.
//
// Every node numbers its beats 1, 2, 3, … *Evidence of life is an advance of a
// node's beat number*, first-hand or by relay; a repeated number is none. So
// two nodes can never keep a third alive by vouching for it in a circle.
//
//   alive --silence--> suspect --no later beat--> down --20 min--> forgotten
//     ^                  |                         |
//     +---- a beat ------+-------- a beat ---------+
//
// Membership holds the members, chooses addresses to dial, sends and receives
// beats, probes, and decides the verdicts; it does not know what a stream
// holds. It tells the replica of changes as events, and of actions as Output.
// It owns the node's own identity: until the name is admitted there is no
// incarnation, and `kAdmitted` announces it.
//
// Sources: Hayashibara et al., The phi accrual failure detector (2004); Das,
// Gupta, Motivala, SWIM (2002); Dadgar et al., Lifeguard (2018). We deviate
// in that evidence is a beat number, never a message as such, and in the
// clamp of the silence to [min_silence, max_silence].
//
// Limits: Options::max_members (a further one is refused, counted, logged).
// Cost: O(log members) an event; a Tick looks at a slice of the members and
// links, so that each has its turn within 100 ms or so. Single-threaded.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_MEMBERSHIP_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_MEMBERSHIP_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "crdt/types.h"
#include "node/core/frames.h"
#include "node/core/measures.h"
#include "node/core/membership/peer_links.h"
#include "node/core/options.h"
#include "node/core/output.h"
#include "node/core/time.h"

namespace muster::core {

struct MembershipEvent {
  enum class Kind {
    // This node's name is admitted: `origin` is its identity from now on.
    kAdmitted,
    // The search for peers is over: every join address has answered or
    // join_wait has passed without any (`alone`).
    kJoined,
    // A link to an admitted member is usable / gone. Between the two, frames
    // of it belong to `origin`.
    kLinked,
    kUnlinked,
    // A beat was heard of an origin that was unknown, suspect or down.
    // `presence_seq` is what the beat names (0 if it was passed on).
    kAlive,
    kSuspect,
    kDown,
    // The member said that it leaves.
    kLeft,
    // A later life of the name was heard, so this one is over. If this one is
    // heard again while the later one is silent, kForgotten and kAlive follow.
    kEnded,
    // Silent for DetectorOptions::forget: nothing of it is kept.
    kForgotten,
  };
  Kind kind;
  crdt::Origin origin;
  LinkId link = 0;
  crdt::Seq presence_seq;
  bool alone = false;
};

// A member that is alive or suspect, and what it has answered last.
struct LivePeer {
  crdt::LifeId life;
  bool suspect = false;
  LinkId link = 0;           // In use; 0: none.
  std::optional<Pong> pong;  // On that link.
  crdt::Seq presence_seq;    // The highest that a datagram named,
  Instant datagram;          // and when the last one came.
};

class Membership {
 public:
  Membership(const Options& options, crdt::LifeId life, uint64_t seed, Now now);
  ~Membership();
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  // ---- inputs; each appends to `out` and to the events ----
  void OnLinkUp(LinkId link, const PeerHello& hello, Now now, Output& out);
  void OnLinkDown(LinkId link, Now now, Output& out);
  // Every frame's beat number, before the frame itself is looked at.
  void OnFrameBeat(LinkId link, uint64_t beat, Now now, Output& out);
  void OnMembers(LinkId link, const MembersFrame& frame, Now now, Output& out);
  void OnAsk(LinkId link, const AskFrame& frame, Now now, Output& out);
  void OnBeatReport(LinkId link, const BeatReport& report, Now now,
                    Output& out);
  void OnLeaving(LinkId link, Now now, Output& out);
  void OnDatagram(const BeatDatagram& beat, Now now, Output& out);
  void OnProbe(uint64_t token, bool refused, Now now, Output& out);
  void OnHelloProbe(uint64_t token, crdt::LifeId life, Now now, Output& out);
  // A dial to `address` was refused for good, by the node there or by this one:
  // another secret, another cluster, no common version.
  void OnRefused(const std::string& address, const std::string& why, Now now,
                 Output& out);
  void OnUdpUnavailable(const std::string& why);
  // The peer acknowledged bulk, or there is none outstanding (true); else the
  // replica's flow control waits for an acknowledgement (false).
  void OnLinkProgress(LinkId link, bool idle_or_acked, Now now);
  void Tick(Now now, Output& out);
  // Own last seq, carried by beats.
  void SetPresenceSeq(crdt::Seq seq);
  // Asks each member that is alive for a sign of life over the link in use, one
  // ping a link at a time, each at most once in `period`.
  void Ping(absl::Duration period, Now now, Output& out);
  // Sends LeavingFrame to all; no dialling from then on.
  void Leave(Now now, Output& out);
  // Forgets a name that is down or has left: all lives of it. What others say
  // of these does not bring them back, only a sign of their own life does.
  // FAILED_PRECONDITION while it is alive or suspect; NOT_FOUND.
  absl::Status ForgetName(const std::string& name, Now now, Output& out);

  std::vector<MembershipEvent> TakeEvents();

  // ---- state ----
  const crdt::Origin& self() const;  // Incarnation 0 until admitted.
  // Own beat number, for a frame on that link.
  uint64_t BeatOn(LinkId link) const;
  // The open link to a life, or 0.
  LinkId LinkTo(crdt::LifeId life) const;
  // The origin at the other end, or null if the link is unknown, refused, or
  // its peer is not admitted yet.
  const crdt::Origin* OriginOf(LinkId link) const;
  // There is live evidence: alive, suspect or self.
  bool IsAlive(crdt::LifeId life) const;
  // A later life of its node has taken its place.
  bool HasEnded(crdt::LifeId life) const;
  // ForgetName has forgotten it, and it has given no sign of life since.
  bool WasForgotten(crdt::LifeId life) const;
  // Elapsed time since the origin's beat number last advanced anywhere, as
  // far as this node knows; absl::InfiniteDuration() if it is not a member.
  absl::Duration AgeOf(crdt::LifeId life, Now now) const;
  // How long the last frame of this link may have waited: on its way, and here
  // while this node stood still.
  absl::Duration DelayOf(LinkId id) const;
  // The members that are alive or suspect, without this node.
  std::vector<LivePeer> LivePeers() const;
  // Of a life; number 0 if it is not a member.
  LastBeat LastBeatOf(crdt::LifeId life) const;
  // presence_seq and entries are left for the replica to fill in.
  std::vector<MemberView> View(Now now) const;
  std::vector<std::string> Notes() const;
  // Name and value, for Status.
  std::vector<std::pair<std::string, uint64_t>> Counters() const;
  // The links in use; their unacknowledged bytes are for the replica to fill
  // in.
  std::vector<LinkMeasure> LinkMeasures() const;
  const DeathTimes& death_times() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_MEMBERSHIP_H_
