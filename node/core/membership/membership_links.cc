// Links in use, members told and learnt, leaving.
#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "node/core/membership/membership_impl.h"

namespace muster::core {

using Kind = MembershipEvent::Kind;

namespace {

// Members in one frame, and links that one tick tells of changes.
constexpr size_t kMembersInFrame = 128;
constexpr size_t kToldLinks = 64;

}  // namespace

void Membership::Impl::LinkUp(LinkId id, const PeerHello& hello, Step& step) {
  if (hello.origin.life == self_.life) {
    Add(Count::kLinksToSelf);
    if (hello.outbound) {
      dialing_.ReachedSelf(hello.dialed, step.now.mono);
    }
    step.out.closes.push_back({id, "this is the dialling node itself", true});
    return;
  }
  Link* link = links_.Add(id, hello, step.now.mono);
  if (link == nullptr) return;
  link->announced = clock_.number();
  dialing_.Reached(hello);
  bool admitted_peer = hello.origin.incarnation.value != 0;
  if (hello.origin.node == self_.node) {
    // Of two that are not admitted the lower life may have the name.
    bool rival =
        admitted_peer || (!admitted() && hello.origin.life < self_.life);
    if (rival) {
      ToldOfOwnName({.origin = hello.origin, .address = hello.address}, step);
    }
  } else if (admitted_peer) {
    Learn(hello.origin, {hello.address, {}, true}, step);
    link = links_.Find(id);
    if (link == nullptr) return;  // The cluster is full.
  }
  Settle(*link, step);
}

bool Membership::Impl::Decides(const Link& link) const {
  const crdt::Origin& peer = link.hello.origin;
  return std::tie(self_.node, self_.life) < std::tie(peer.node, peer.life);
}

void Membership::Impl::Settle(Link& link, Step& step) {
  if (!Decides(link)) return;
  Link* old = links_.Used(link.hello.origin.life);
  if (old == nullptr) {
    Use(link, step);
    return;
  }
  Add(Count::kLinksReplaced);
  Instant now = step.now.mono;
  if (PeerLinks::Choose(*old, link, now) == PeerLinks::Choice::kKeepOld) {
    Close(link.id, "another link of this pair is in use", step);
    return;
  }
  LinkId replaced = old->id;
  Use(link, step);
  Close(replaced, "another link of this pair has replaced it", step);
}

void Membership::Impl::Use(Link& link, Step& step) {
  crdt::LifeId life = link.hello.origin.life;
  if (Link* old = links_.Used(life)) Unlink(*old, step);
  links_.Use(link, step.now.mono);
  if (Member* member = table_.Find(life)) {
    member->linked = step.now.mono;
    member->dial_now = false;
    member->check.reset();
  }
  SendMembers(link, 0, step);
  Refresh(link, step);
  dialing_.Changed();
}

void Membership::Impl::Close(LinkId id, const std::string& reason, Step& step,
                             bool permanent) {
  step.out.closes.push_back({id, reason, permanent});
  if (Link* link = links_.Find(id)) Drop(*link, step);
}

void Membership::Impl::Drop(Link& link, Step& step) {
  crdt::LifeId life = link.hello.origin.life;
  Unlink(link, step);
  asks_.Drop(link.id);
  links_.Remove(link.id);
  Member* member = table_.Find(life);
  if (member != nullptr && !links_.Any(life)) member->unlinked = step.now.mono;
  dialing_.Changed();
}

void Membership::Impl::LinkDown(LinkId id, Step& step) {
  Link* link = links_.Find(id);
  if (link == nullptr) return;
  crdt::LifeId life = link->hello.origin.life;
  Drop(*link, step);
  Member* member = table_.Find(life);
  // One that its peer has long closed may stay open here.
  const bool linked = links_.Used(life) != nullptr;
  if (member == nullptr || !IsAlive(life) || linked) return;
  member->checks = 0;
  if (times_.refused_is_proof) StartCheck(*member, step);
}

void Membership::Impl::Refresh(Link& link, Step& step) {
  const Member* member = table_.Find(link.hello.origin.life);
  bool want =
      admitted() && member != nullptr && !member->ended && links_.IsUsed(link);
  if (want == link.linked) return;
  if (!want) {
    Unlink(link, step);
    return;
  }
  link.linked = true;
  alone_ = false;
  Emit(Kind::kLinked, member->origin, step, link.id);
}

void Membership::Impl::RefreshLife(crdt::LifeId life, Step& step) {
  if (Link* link = links_.Used(life)) Refresh(*link, step);
}

void Membership::Impl::Unlink(Link& link, Step& step) {
  if (!link.linked) return;
  link.linked = false;
  Emit(Kind::kUnlinked, table_.Find(link.hello.origin.life)->origin, step,
       link.id);
}

void Membership::Impl::FrameBeat(LinkId id, uint64_t beat, Step& step) {
  Link* link = links_.Find(id);
  if (link == nullptr) return;
  const crdt::Origin peer = link->hello.origin;
  const std::string address = link->hello.address;
  bool first = !link->heard;
  PeerLinks::Heard(*link, beat, times_.beat_interval, step.now.mono);
  if (first && !links_.IsUsed(*link)) {
    Use(*link, step);
  } else if (links_.Used(peer.life) == nullptr) {
    Close(id, "this node had given it up", step);
  }
  if (peer.node == self_.node) {
    names_.Beat(peer.life, beat, step.now.mono - stall_.InputDelay());
    return;
  }
  Member* member = table_.Find(peer.life);
  if (member == nullptr && peer.incarnation.value != 0) {
    // It was forgotten, and returns on a link that stayed open.
    const absl::Duration age = DelayOf(id);
    member = Learn(peer, {address, age, age == absl::ZeroDuration()}, step);
    RefreshLife(peer.life, step);
  }
  // A beat that has waited says nothing of now, and the same beat may come in
  // time by another path.
  if (member == nullptr || DelayOf(id) > absl::ZeroDuration()) return;
  Evidence(*member, {beat, {}, Way::kLink}, step);
}

void Membership::Impl::Members(LinkId id, const MembersFrame& frame,
                               Step& step) {
  Link* link = links_.Find(id);
  if (link == nullptr) return;
  highest_ = std::max(highest_, frame.your_highest);
  for (const MemberInfo& info : frame.members) {
    TakeInfo(*link, info, step);
    link = links_.Find(id);
    if (link == nullptr) return;  // Refused meanwhile.
  }
  link->heard_members = true;
  dialing_.Answered(*link);
  if (link->hello.origin.incarnation.value != 0) heard_admitted_ = true;
}

void Membership::Impl::TakeInfo(Link& link, const MemberInfo& info,
                                Step& step) {
  const crdt::Origin& origin = info.origin;
  if (origin.life == self_.life || origin.incarnation.value == 0) return;
  bool own = origin.life == link.hello.origin.life;
  if (own) {
    crdt::Origin& hello = link.hello.origin;
    bool news = hello.incarnation.value == 0 && hello.node == origin.node;
    if (news) hello.incarnation = origin.incarnation;
    if (hello != origin) {
      Add(Count::kContradictions);
      return;
    }
  }
  if (origin.node == self_.node) {
    ToldOfOwnName(info, step);
    return;
  }
  const absl::Duration age = info.age + link.delay;
  const bool in_time = link.delay == absl::ZeroDuration();
  const Instant heard = step.now.mono - age - stall_.InputDelay();
  bool shown = (own && in_time) ||
               (info.beat != 0 && age < MemberTable::kShown &&
                (info.state == MemberState::kAlive ||
                 info.state == MemberState::kSuspect) &&
                !table_.EarlierBeganSince(origin, heard, step.now.mono));
  Member* member = Learn(origin, {info.address, age, shown}, step);
  if (member == nullptr) return;
  if (own && member->address != info.address) {
    member->address = info.address;
    table_.Touch(*member);
    dialing_.Changed();
  }
  RefreshLife(origin.life, step);
  if (info.beat != 0 && in_time) Evidence(*member, {info.beat, age}, step);
  // Of a peer that is linked, only its own word counts.
  if (info.state == MemberState::kLeft && !links_.Any(origin.life)) {
    MarkLeft(*member, step);
  }
}

void Membership::Impl::ToldOfOwnName(const MemberInfo& info, Step& step) {
  const crdt::Origin& other = info.origin;
  bool matters = !admitted() || std::tie(other.incarnation, other.life) >
                                    std::tie(self_.incarnation, self_.life);
  if (!matters || over_ || leaving_) return;
  uint64_t token = ++token_;
  if (!names_.Told(info, token, step.now.mono)) return;
  Log(LogLine::Level::kWarning,
      absl::StrCat("a peer knows another life of this node's name at ",
                   info.address, ": checking"),
      step);
  Add(Count::kHelloProbes);
  step.out.hello_probes.push_back({token, info.address});
  rivals_asked_ = kLongAgo;
}

Member* Membership::Impl::Learn(const crdt::Origin& origin,
                                const Learnt& learnt, Step& step) {
  if (StaysForgotten(origin.life, learnt.shown)) return nullptr;
  MemberTable::Added added =
      table_.Add(origin, learnt.address, learnt.shown, step.now.mono);
  using Outcome = MemberTable::Outcome;
  if (added.outcome == Outcome::kKnown) return added.member;
  if (added.outcome == Outcome::kLie) Add(Count::kContradictions);
  if (added.evicted) {
    Add(Count::kMembersForgotten);
    Emit(Kind::kForgotten, *added.evicted, step);
  }
  if (added.outcome == Outcome::kFull) {
    Add(Count::kMembersRefused);
    std::string text =
        absl::StrCat("the cluster is full: max_members is ",
                     options_.max_members, ", refused ", origin.node);
    if (!full_logged_) Log(LogLine::Level::kWarning, text, step);
    full_logged_ = true;
    while (const Link* link = links_.First(origin.life)) {
      Close(link->id, text, step);
    }
  }
  if (added.outcome != Outcome::kAdded) return nullptr;
  for (Member* lower : added.ended) MarkEnded(*lower, step);
  // As for all evidence: older than it says if it waited for this node.
  added.member->heard = step.now.mono - learnt.age;
  added.member->advanced = added.member->heard - stall_.InputDelay();
  added.member->linked = step.now.mono;
  added.member->suspect_after =
      detector_.SuspectAfter(added.member->gaps, false);
  Log(LogLine::Level::kInfo,
      absl::StrCat("learnt of member ", origin.node, " at ", learnt.address,
                   ", incarnation ", origin.incarnation.value),
      step);
  step.out.members_changed = true;
  dialing_.Changed();
  return added.member;
}

void Membership::Impl::MarkEnded(Member& member, Step& step) {
  member.ended = step.now.mono;
  member.check.reset();
  RefreshLife(member.origin.life, step);
  Add(Count::kMembersEnded);
  Emit(Kind::kEnded, member.origin, step);
}

void Membership::Impl::MarkLeft(Member& member, Step& step) {
  if (member.state == MemberState::kLeft) return;
  member.state = MemberState::kLeft;
  member.check.reset();
  if (member.ended) return;
  table_.Touch(member);
  Log(LogLine::Level::kInfo,
      absl::StrCat("member ", member.origin.node, " leaves"), step);
  Emit(Kind::kLeft, member.origin, step);
  dialing_.Changed();
}

void Membership::Impl::Leaving(LinkId id, Step& step) {
  const Link* link = links_.Find(id);
  if (link == nullptr) return;
  Member* member = table_.Find(link->hello.origin.life);
  if (member != nullptr) MarkLeft(*member, step);
}

void Membership::Impl::Leave(Step& step) {
  if (leaving_) return;
  leaving_ = true;
  dialing_.Stop();
  dialing_.Changed();
  // Graces count from its last beat that was heard: that is this one.
  clock_.AdvanceAtOnce(step.now.mono);
  for (auto& [id, link] : links_.all()) {
    link.announced = clock_.number();
    step.out.frames.push_back({id, {clock_.number(), LeavingFrame{}}});
  }
  step.out.members_changed = true;
}

void Membership::Impl::SendMembers(Link& link, uint64_t since, Step& step) {
  MembersFrame frame;
  const crdt::Origin& peer = link.hello.origin;
  Instant now = step.now.mono;
  const auto send = [&](MembersFrame&& part) {
    part.your_highest = peer.node == self_.node
                            ? std::max(highest_, self_.incarnation)
                            : table_.Highest(peer.node);
    step.out.frames.push_back({link.id, {BeatOn(link.id), std::move(part)}});
  };
  if (since == 0 && admitted()) {
    frame.members.push_back({.origin = self_,
                             .address = options_.address,
                             .beat = clock_.number(),
                             .age = now - clock_.advanced()});
  }
  size_t told = 0;
  for (const Member* member : table_.ChangedSince(since)) {
    if (member->ended || member->origin.life == peer.life) continue;
    if (++told > kMaxMembers) break;
    // To take in many at once would be a long step of the peer's.
    if (frame.members.size() >= kMembersInFrame) {
      send(std::exchange(frame, {}));
    }
    // Of a number that came late a better age may come by another way.
    const uint64_t beat = member->beat - (member->late ? 1 : 0);
    frame.members.push_back({member->origin, member->address, member->state,
                             beat, now - member->advanced});
  }
  link.sent_version = table_.version();
  if (since != 0 && frame.members.empty()) return;
  send(std::move(frame));
}

// In slices; a link that is not in use is told when it is.
void Membership::Impl::SendChangedMembers(Step& step) {
  if (members_told_ == table_.version()) return;
  if (members_telling_ == 0) members_telling_ = table_.version();
  const bool all = members_next_.Run(links_.all(), kToldLinks, [&](auto& item) {
    Link& link = item.second;
    if (link.sent_version != table_.version() && links_.IsUsed(link)) {
      SendMembers(link, link.sent_version, step);
    }
    return true;
  });
  if (all) members_told_ = std::exchange(members_telling_, 0);
}

}  // namespace muster::core
