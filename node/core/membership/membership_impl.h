// The inside of Membership; see membership.h for what it is. Its parts:
//
//   table_     the other lives, known by life id        member_table.h
//   links_     open links, and which one is in use      peer_links.h
//   dialing_   join addresses and members to dial       dialing.h
//   names_     is another life of our name at work      name_check.h
//   clock_, sample_, asks_   beats, out and passed on   beats.h
//   detector_, stall_        silence, and our own       failure_detector.h
//
// This class is the glue: membership.cc (identity, ticks, what others see),
// membership_links.cc (links, members told and learnt, leaving),
// membership_stalls.cc (links that bring nothing), membership_liveness.cc
// (evidence, beats), membership_verdicts.cc (suspicion, probes, down) and
// membership_forget.cc (names forgotten by request).
//
// Every input is a *step*: Begin (was this node stalled?), the input, End
// (admission, name, dial set). Order of events of one life: kUnlinked before
// kEnded or kForgotten, kAdmitted of this node before any kLinked.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_MEMBERSHIP_IMPL_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_MEMBERSHIP_IMPL_H_

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "node/core/membership/beats.h"
#include "node/core/membership/dialing.h"
#include "node/core/membership/failure_detector.h"
#include "node/core/membership/member_table.h"
#include "node/core/membership/membership.h"
#include "node/core/membership/name_check.h"
#include "node/core/membership/peer_links.h"
#include "node/core/slice.h"

namespace muster::core {

// The counters of Counters(), in this order; names in membership.cc.
enum class Count {
  kDatagramsSent,
  kDatagramsReceived,
  kDatagramsUnknown,
  kSuspicions,
  kSuspicionsAverted,
  kDowns,
  kDownsByRefusal,
  kReturns,
  kAsksSent,
  kAsksAnswered,
  kPingsSent,
  kConnectProbes,
  kHelloProbes,
  kStalls,
  kLinksReplaced,
  kLinksStalled,
  kLinksToSelf,
  kMembersRefused,
  kMembersEnded,
  kMembersForgotten,
  kContradictions,
  kCount,
};

struct Step {
  Now now;
  Output& out;
};

// How a beat number came here.
enum class Way { kDatagram, kLink, kPassedOn };
struct HeardBeat {
  uint64_t number = 0;
  absl::Duration age;
  Way way = Way::kPassedOn;
  crdt::Seq presence_seq;
};

class Membership::Impl {
 public:
  Impl(const Options& options, crdt::LifeId life, uint64_t seed, Now now);

  // ---- steps; see Membership ----
  void Begin(Step& step);
  void End(Step& step);
  void LinkUp(LinkId id, const PeerHello& hello, Step& step);
  void LinkDown(LinkId id, Step& step);
  void FrameBeat(LinkId id, uint64_t beat, Step& step);
  void Members(LinkId id, const MembersFrame& frame, Step& step);
  void Ask(LinkId id, const AskFrame& frame, Step& step);
  void Report(LinkId id, const BeatReport& report, Step& step);
  void Leaving(LinkId id, Step& step);
  void Datagram(const BeatDatagram& beat, Step& step);
  void Probe(uint64_t token, bool refused, Step& step);
  void HelloProbed(uint64_t token, crdt::LifeId life, Step& step);
  void Tick(Step& step);
  void Leave(Step& step);
  void Ping(absl::Duration period, Step& step);
  absl::Status ForgetName(const std::string& name, Step& step);

  void LinkProgress(LinkId id, bool idle_or_acked, Now now);
  void Refused(const std::string& address, const std::string& why) {
    dialing_.Refused(address, why);
  }
  void UdpUnavailable(const std::string& why) { udp_unavailable_ = why; }
  void SetPresenceSeq(crdt::Seq seq) { presence_seq_ = seq; }
  std::vector<MembershipEvent> TakeEvents();

  // ---- state ----
  const crdt::Origin& self() const { return self_; }
  uint64_t BeatOn(LinkId id) const;
  LinkId LinkTo(crdt::LifeId life) const;
  const crdt::Origin* OriginOf(LinkId id) const;
  bool IsAlive(crdt::LifeId life) const;
  bool HasEnded(crdt::LifeId life) const;
  bool WasForgotten(crdt::LifeId life) const {
    return forgotten_.contains(life);
  }
  absl::Duration AgeOf(crdt::LifeId life, Now now) const;
  absl::Duration DelayOf(LinkId id) const;
  absl::Duration InputDelay() const { return stall_.InputDelay(); }
  LastBeat LastBeatOf(crdt::LifeId life) const;
  std::vector<LivePeer> LivePeers() const;
  std::vector<MemberView> View(Now now) const;
  std::vector<std::string> Notes() const;
  std::vector<std::pair<std::string, uint64_t>> Counters() const;
  std::vector<LinkMeasure> LinkMeasures() const;
  const DeathTimes& death_times() const { return death_times_; }

 private:
  // ---- membership.cc ----
  bool admitted() const { return self_.incarnation.value != 0; }
  void CheckName(Step& step);
  // The wait for the join addresses is over.
  bool WaitedToJoin(Now now) const {
    return now.mono >= start_ + times_.join_wait;
  }
  // Nobody has answered as a peer does.
  bool NobodyAnswered() const;
  void CheckRefused(Step& step);
  void TryAdmit(Step& step);
  void Admit(Step& step);
  void TryJoin(Step& step);
  void Emit(MembershipEvent::Kind kind, const crdt::Origin& origin, Step& step,
            LinkId link = 0, crdt::Seq presence_seq = {});
  void Log(LogLine::Level level, std::string text, Step& step);
  void Add(Count count, uint64_t n = 1) {
    counts_[static_cast<size_t>(count)] += n;
  }

  // ---- membership_links.cc ----
  // Whether this node decides which link to that peer is used.
  bool Decides(const Link& link) const;
  // A link is new: use it or close it, if that is for this node to decide.
  void Settle(Link& link, Step& step);
  void Use(Link& link, Step& step);
  void Close(LinkId id, const std::string& reason, Step& step,
             bool permanent = false);
  // The link is out of the table; `Close` or the transport has ended it.
  void Drop(Link& link, Step& step);
  // Tells kLinked or kUnlinked if that has changed.
  void Refresh(Link& link, Step& step);
  void RefreshLife(crdt::LifeId life, Step& step);
  void Unlink(Link& link, Step& step);
  // Every row changed since `since`; 0: all, and this node itself.
  void SendMembers(Link& link, uint64_t since, Step& step);
  void SendChangedMembers(Step& step);
  void TakeInfo(Link& link, const MemberInfo& info, Step& step);
  void ToldOfOwnName(const MemberInfo& info, Step& step);
  // How an origin came to be known.
  struct Learnt {
    std::string address;
    absl::Duration age;
    bool shown = false;  // See MemberTable::Add.
  };
  // The row of an admitted origin, new or known; null if it is refused.
  Member* Learn(const crdt::Origin& origin, const Learnt& learnt, Step& step);
  void MarkEnded(Member& member, Step& step);
  void MarkLeft(Member& member, Step& step);

  // ---- membership_stalls.cc ----
  void CloseStalledLinks(Step& step);
  void AskWhoIsThere(Step& step);
  void WhoIsThere(uint64_t token, crdt::LifeId answered, Step& step);
  bool IsStalled(const Link& link, Now now) const;

  // ---- membership_liveness.cc ----
  // A member silent for this many beats is heard by relay alone, if at all.
  static constexpr int kUnheardBeats = 2;
  void Evidence(Member& member, const HeardBeat& heard, Step& step);
  // An ended life was heard itself.
  void HeardOfEnded(Member& member, Step& step);
  void ReturnEnded(Step& step);
  void Passed(const BeatReport& report, Step& step);
  void Revive(Member& member, crdt::Seq presence_seq, Step& step);
  void PassOn(const Member& member, Step& step);
  // Whether the member is heard by relay alone.
  bool IsHearsay(const Member& member, Instant now) const;
  // Sends an indirect ping for the member, if none was sent within `period`.
  void AskFurther(Member& member, absl::Duration period, LinkId asker,
                  Step& step);
  // Begins to tell all of a new beat.
  void SendBeats(Step& step);
  // A slice of it: the links, and the addresses.
  void ContinueBeats(size_t slice, Step& step);
  void BeatOnLinks(size_t slice, Step& step);
  void BeatByDatagram(size_t slice, Step& step);
  void SendDatagram(const Member& member, Step& step);
  // How many links, and addresses, a tick: all are told in half an interval.
  size_t BeatSlice() const;
  BeatDatagram OwnBeat() const;
  BeatDatagram BeatWithSample(Instant now);
  void AnswerEnded(const Member& member, Step& step);
  void AddStall(absl::Duration stall, Instant now);

  // ---- membership_verdicts.cc ----
  // How often a refusal is looked into again after a later beat.
  static constexpr int kMaxChecks = 3;
  void Judge(Step& step);
  void JudgeOne(Member& member, Step& step);
  void Suspect(Member& member, Step& step);
  void MarkDown(Member& member, const std::string& why, Step& step);
  void Forget(crdt::LifeId life, Step& step);
  void StartCheck(Member& member, Step& step);
  // Sends an indirect ping to the peers in use, in turns, except `asker` (0:
  // none), the life itself and the dead.
  void AskAll(crdt::LifeId life, uint64_t number, LinkId asker, Step& step);
  bool HeardAllButThoseGone(const Member& member) const;
  void AskAboutRivals(Step& step);

  // ---- membership_forget.cc ----
  // That many lives, forgotten by request, are remembered as such.
  static constexpr size_t kMaxForgotten = 1024;
  // Whether relayed news of a life is to be ignored. A sign of life of its own
  // ends that.
  bool StaysForgotten(crdt::LifeId life, bool shown);
  void DropForgotten(Instant now);

  const Options options_;
  const DetectorOptions& times_ = options_.detector;
  const FailureDetector detector_;
  crdt::Origin self_;
  crdt::Seq presence_seq_;

  MemberTable table_;
  PeerLinks links_;
  Dialing dialing_;
  NameCheck names_;
  BeatClock clock_;
  BeatSample sample_;
  AskBook asks_;
  StallWatch stall_;

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
  SliceCursor<crdt::LifeId> judge_next_;
  SliceCursor<LinkId> stall_next_;
  SliceCursor<crdt::LifeId> who_next_;
  SliceCursor<LinkId> members_next_;
  uint64_t members_told_ = 0;  // All links have been told this version.
  uint64_t members_telling_ = 0;

  Instant start_;
  // The highest incarnation of our name that a peer remembers.
  crdt::Incarnation highest_;
  bool heard_admitted_ = false;  // A MembersFrame of an admitted node.
  bool joined_ = false;
  bool alone_ = false;
  bool leaving_ = false;
  bool over_ = false;  // `exit` was said.
  Instant rivals_asked_ = kLongAgo;
  Instant forgot_ = kLongAgo;
  // Lives forgotten by request, and when.
  std::map<crdt::LifeId, Instant> forgotten_;
  // All that are alive or suspect, and maybe some that were.
  std::set<crdt::LifeId> judged_;
  // Lives that had ended and are heard again.
  std::set<crdt::LifeId> returning_;
  LinkId asked_last_ = 0;
  uint64_t token_ = 0;
  bool full_logged_ = false;
  std::string udp_unavailable_;
  std::vector<MembershipEvent> events_;
  std::array<uint64_t, static_cast<size_t>(Count::kCount)> counts_ = {};
  DeathTimes death_times_{kDeathBounds};
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_MEMBERSHIP_IMPL_H_
