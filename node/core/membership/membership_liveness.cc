// Evidence and beats.
#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "crdt/mutant.h"
#include "node/core/membership/membership_impl.h"

namespace muster::core {
namespace {

using crdt::Mutant;
using crdt::Mutated;
using Kind = MembershipEvent::Kind;

// A first number is evidence only if it is younger.
constexpr absl::Duration kFirstAge = absl::Seconds(2);
// Without a datagram for this long, a peer's beats come by stream alone.
constexpr absl::Duration kUdpLately = absl::Seconds(5);
// How much longer than its round trip a last beat may be on its way.
constexpr absl::Duration kOnItsWay = absl::Milliseconds(50);
constexpr absl::Duration kLongestAge = absl::Hours(24 * 365);

// A life that had ended is at work if it beats this often.
constexpr int kReturnBeats = 2;
// A silence of a few lost beats is no rhythm.
constexpr int kMissedBeats = 3;
// Links, and addresses, that a beat goes to in one tick, at least.
constexpr size_t kBeatSlice = 64;
constexpr absl::Duration kTick = absl::Milliseconds(10);

}  // namespace

// ---------------------------------------------------------------- evidence

void Membership::Impl::Evidence(Member& member, const HeardBeat& heard,
                                Step& step) {
  Instant now = step.now.mono;
  if (heard.way == Way::kDatagram) {
    member.udp = now;
    member.stream_only = false;
    member.presence_seq = std::max(member.presence_seq, heard.presence_seq);
  }
  if (Mutated(Mutant::kRepeatedBeatIsEvidence)) member.heard = now;
  if (heard.number <= member.beat) return;
  bool first = member.beat == 0;
  member.beat = heard.number;
  absl::Duration age = std::clamp(heard.age, absl::ZeroDuration(), kLongestAge);
  // A beat that waited while this node did not run is older than it says. The
  // time of the stall does not count against its sender.
  absl::Duration true_age = age + stall_.InputDelay();
  Instant at = now - true_age;
  Instant judged = now - age;
  if (first) member.first_heard = at;
  if (judged - member.heard > kMissedBeats * times_.beat_interval) {
    member.resumed = now;
  } else if (!first && judged > member.heard && IsAlive(member.origin.life) &&
             !stall_.settling()) {
    member.gaps.Add(judged - member.heard);
  }
  member.advanced = std::max(member.advanced, at);
  member.late = stall_.stalled();
  member.heard = std::max(member.heard, judged);
  member.stream_only = heard.way == Way::kLink &&
                       now - std::max(member.udp, member.linked) > kUdpLately;
  member.suspect_after =
      detector_.SuspectAfter(member.gaps, member.stream_only);
  PassOn(member, step);

  if (member.ended && heard.way != Way::kPassedOn) HeardOfEnded(member, step);
  if (member.ended || member.state == MemberState::kLeft) return;
  bool live = member.state == MemberState::kSuspect
                  ? now - member.heard < member.suspect_after
                  : true_age < (first ? kFirstAge : member.suspect_after) &&
                        at > member.refused &&
                        !table_.EarlierBeganSince(member.origin, at, now);
  if (live && member.state != MemberState::kAlive) {
    // The way is free: no need to wait for the transport's back-off, which may
    // be long where another life refused.
    if (!links_.Any(member.origin.life)) {
      dialing_.Afresh(member.address, step.now.mono);
    }
    Revive(member, heard.presence_seq, step);
  } else if (!live && heard.way == Way::kPassedOn &&
             true_age < BeatSample::kOldest) {
    // It lived then, so there may be a younger word on a long way.
    AskFurther(member, times_.confirm / 2, 0, step);
  }
  if (member.check && at > member.check->since) {
    // It lived after its link closed. The beat may have been its last one on
    // the way, so look again, unless it was refused before by so much that it
    // is known to live where its address refuses.
    const std::optional<Instant> refused = member.check->refused;
    const bool lives_on =
        refused && at > *refused + kOnItsWay + links_.AnswerTime();
    member.check.reset();
    if (!lives_on && member.checks < kMaxChecks) StartCheck(member, step);
  }
}

void Membership::Impl::Revive(Member& member, crdt::Seq presence_seq,
                              Step& step) {
  if (member.state == MemberState::kSuspect) {
    Add(Count::kSuspicionsAverted);
  } else {
    Add(Count::kReturns);
    Log(LogLine::Level::kInfo,
        absl::StrCat("member ", member.origin.node, " (", member.address,
                     ") is alive"),
        step);
    dialing_.Changed();
  }
  for (Member* earlier : table_.Earlier(member.origin)) {
    MarkEnded(*earlier, step);
  }
  member.state = MemberState::kAlive;
  judged_.insert(member.origin.life);
  Emit(Kind::kAlive, member.origin, step, LinkTo(member.origin.life),
       presence_seq);
}

void Membership::Impl::HeardOfEnded(Member& member, Step& step) {
  if (member.state == MemberState::kLeft ||
      table_.LaterShows(member.origin, step.now.mono)) {
    member.returns = 0;
  } else if (++member.returns >= kReturnBeats) {
    returning_.insert(member.origin.life);
  }
}

// The later life that ended it is silent here, so this one counts again: as
// one that is new, since its stream was given up.
void Membership::Impl::ReturnEnded(Step& step) {
  for (crdt::LifeId life : std::exchange(returning_, {})) {
    const Member* member = table_.Find(life);
    if (member == nullptr || !member->ended) continue;
    const crdt::Origin origin = member->origin;
    if (table_.LaterShows(origin, step.now.mono)) continue;
    const std::string address = member->address;
    Forget(life, step);
    Learn(origin, {address, {}, true}, step);
    RefreshLife(life, step);
  }
}

void Membership::Impl::Passed(const BeatReport& report, Step& step) {
  if (report.life == self_.life) return;
  if (Member* member = table_.Find(report.life)) {
    Evidence(*member, {report.number, report.age}, step);
  } else {
    names_.Beat(report.life, report.number,
                step.now.mono - report.age - stall_.InputDelay());
  }
}

// Passes a later beat on to the peers that asked, over both paths, as one may
// be blocked. Not a beat that waited here: it would be told with its highest
// possible age, and a receiver of that number would not believe a better age.
void Membership::Impl::PassOn(const Member& member, Step& step) {
  if (member.late) return;
  crdt::LifeId life = member.origin.life;
  BeatReport report{life, member.beat, step.now.mono - member.advanced};
  for (LinkId id : asks_.Waiting(life, member.beat, step.now.mono)) {
    const Link* link = links_.Find(id);
    if (link == nullptr) continue;
    Add(Count::kAsksAnswered);
    step.out.frames.push_back({id, {BeatOn(id), report}});
    if (!admitted() || !link->linked) continue;
    BeatDatagram datagram = OwnBeat();
    datagram.others.push_back(report);
    Add(Count::kDatagramsSent);
    step.out.beats.push_back(
        {link->hello.address,
         std::make_shared<const BeatDatagram>(std::move(datagram))});
  }
}

void Membership::Impl::Datagram(const BeatDatagram& beat, Step& step) {
  Add(Count::kDatagramsReceived);
  if (beat.origin.life == self_.life) return;
  Member* member = table_.Find(beat.origin.life);
  if (member == nullptr) {
    Add(Count::kDatagramsUnknown);
    names_.Beat(beat.origin.life, beat.number,
                step.now.mono - stall_.InputDelay());
    return;
  }
  if (member->origin != beat.origin) {
    Add(Count::kContradictions);
    return;
  }
  const bool advanced = beat.number > member->beat;
  Evidence(*member, {beat.number, {}, Way::kDatagram, beat.presence_seq}, step);
  if (member->ended) {
    if (advanced) AnswerEnded(*member, step);
    return;
  }
  for (const BeatReport& report : beat.others) Passed(report, step);
}

void Membership::Impl::Report(LinkId id, const BeatReport& report, Step& step) {
  Link* link = links_.Find(id);
  if (link == nullptr) return;
  const bool own = report.life == link->hello.origin.life;
  // Each beat is reported once, first of all that is sent in it: a second
  // report answers a ping.
  const bool answer = own && !link->new_beat && link->pinged.has_value();
  if (answer) PeerLinks::Answered(*link, step.now.mono);
  if (link->delay > absl::ZeroDuration()) return;
  if (own && !answer) PeerLinks::ToldOfPeer(*link, report.rtt);
  Passed(report, step);
}

void Membership::Impl::Ask(LinkId id, const AskFrame& frame, Step& step) {
  if (links_.Find(id) == nullptr) return;
  BeatReport report{frame.life};
  if (frame.life == self_.life) {
    report.number = clock_.number();
    report.age = step.now.mono - clock_.advanced();
  } else if (Member* member = table_.Find(frame.life)) {
    if (!member->late) report.number = member->beat;
    report.age = step.now.mono - member->advanced;
    asks_.Add(id, frame, step.now.mono);
    if (IsHearsay(*member, step.now.mono)) {
      const bool endless = Mutated(Mutant::kAsksWithoutEnd);
      AskFurther(*member, endless ? absl::ZeroDuration() : times_.confirm / 4,
                 id, step);
    }
  }
  if (report.number <= frame.number) return;
  Add(Count::kAsksAnswered);
  step.out.frames.push_back({id, {BeatOn(id), report}});
}

bool Membership::Impl::IsHearsay(const Member& member, Instant now) const {
  Instant last = member.udp;
  if (const Link* link = links_.Used(member.origin.life)) {
    last = std::max(last, link->received);
  }
  return now - last > kUnheardBeats * times_.beat_interval;
}

// A peer that is asked about itself answers at once: any beat of its is later
// than number 0.
void Membership::Impl::Ping(absl::Duration period, Step& step) {
  for (crdt::LifeId life : judged_) {
    Link* link = links_.Used(life);
    if (!IsAlive(life) || link == nullptr || !link->linked) continue;
    if (!PeerLinks::MayPing(*link, period, step.now.mono)) continue;
    link->pinged = step.now.mono;
    Add(Count::kPingsSent);
    step.out.frames.push_back(
        {link->id, {BeatOn(link->id), AskFrame{life, 0}}});
  }
}

std::vector<LivePeer> Membership::Impl::LivePeers() const {
  std::vector<LivePeer> peers;
  for (crdt::LifeId life : judged_) {
    if (!IsAlive(life)) continue;
    const Member& member = *table_.Find(life);
    LivePeer& peer = peers.emplace_back();
    peer.life = life;
    peer.suspect = member.state == MemberState::kSuspect;
    peer.presence_seq = member.presence_seq;
    peer.datagram = member.udp;
    peer.link = LinkTo(life);
    if (peer.link != 0) peer.pong = links_.Find(peer.link)->pong;
  }
  return peers;
}

// Relays an indirect ping. Along a chain each node would pass news on with its
// own next beat; the answer to a question goes from end to end at once.
void Membership::Impl::AskFurther(Member& member, absl::Duration period,
                                  LinkId asker, Step& step) {
  if (member.ended || member.state == MemberState::kLeft) return;
  if (step.now.mono - member.asked < period) return;
  member.asked = step.now.mono;
  AskAll(member.origin.life, member.beat, asker, step);
}

// ------------------------------------------------------------------- beats

BeatDatagram Membership::Impl::OwnBeat() const {
  return {self_, clock_.number(), presence_seq_, {}};
}

BeatDatagram Membership::Impl::BeatWithSample(Instant now) {
  BeatDatagram beat = OwnBeat();
  beat.others = sample_.Next(table_, self_.node.size(), now);
  return beat;
}

// A life that beats on after it ended has not heard of its end. It is sent no
// beats, and its links may still stall from the cut: left alone it would take
// all others for down, until TCP moves again. Only an advance of its beat is
// answered: that life may take this one for ended, too, and answer in turn.
void Membership::Impl::AnswerEnded(const Member& member, Step& step) {
  if (!admitted() || member.state == MemberState::kLeft) return;
  Add(Count::kDatagramsSent);
  step.out.beats.push_back(
      {member.address,
       std::make_shared<const BeatDatagram>(BeatWithSample(step.now.mono))});
}

uint64_t Membership::Impl::BeatOn(LinkId id) const {
  const Link* link = round_.on_links ? links_.Find(id) : nullptr;
  return link == nullptr ? clock_.number() : link->announced;
}

size_t Membership::Impl::BeatSlice() const {
  const auto all = static_cast<double>(
      std::max<size_t>(table_.rows().size(), links_.all().size()));
  const double ticks = absl::FDivDuration(times_.beat_interval / 2, kTick);
  return std::max(kBeatSlice, static_cast<size_t>(all / ticks) + 1);
}

void Membership::Impl::SendBeats(Step& step) {
  // Ticks may come late: nobody's turn is skipped for that.
  ContinueBeats(std::numeric_limits<size_t>::max(), step);
  round_.on_links = true;
  round_.by_datagram = admitted();
  round_.rows_done = false;
  round_.report = {self_.life, clock_.number(), {}, links_.LongestRtt()};
  if (!admitted()) return;
  // For those whose turn comes last the ages are as old as they may be.
  const size_t slices = table_.rows().size() / BeatSlice();
  round_.beat = std::make_shared<const BeatDatagram>(
      BeatWithSample(step.now.mono + static_cast<int64_t>(slices) * kTick));
  round_.down.clear();
  round_.sent = {options_.address};
}

void Membership::Impl::ContinueBeats(size_t slice, Step& step) {
  if (round_.on_links) BeatOnLinks(slice, step);
  if (round_.by_datagram) BeatByDatagram(slice, step);
}

void Membership::Impl::BeatOnLinks(size_t slice, Step& step) {
  const uint64_t number = round_.report.number;
  round_.on_links = !round_.link.Run(links_.all(), slice, [&](auto& item) {
    auto& [id, link] = item;
    if (std::exchange(link.announced, number) == number) return true;
    if (!links_.IsUsed(link)) return true;
    step.out.frames.push_back({id, {number, round_.report}});
    return true;
  });
}

void Membership::Impl::BeatByDatagram(size_t slice, Step& step) {
  size_t left = slice;
  const auto tell = [&](const auto& item) {
    --left;
    const auto& [life, member] = item;
    if (member.ended || member.state == MemberState::kLeft) return true;
    if (member.state == MemberState::kDown) {
      // Every other beat is enough to notice that a cut has healed.
      if ((round_.report.number ^ life.lo) % 2 == 0)
        round_.down.push_back(life);
    } else {
      SendDatagram(member, step);
    }
    return true;
  };
  if (!round_.rows_done) {
    round_.rows_done = round_.row.Run(table_.rows(), slice, tell);
  }
  if (!round_.rows_done) return;
  for (; !round_.down.empty() && left > 0; --left) {
    const Member* member = table_.Find(round_.down.front());
    round_.down.pop_front();
    if (member != nullptr) SendDatagram(*member, step);
  }
  round_.by_datagram = !round_.down.empty();
}

void Membership::Impl::SendDatagram(const Member& member, Step& step) {
  if (!round_.sent.insert(member.address).second) return;
  Add(Count::kDatagramsSent);
  step.out.beats.push_back({member.address, round_.beat});
}

void Membership::Impl::AddStall(absl::Duration stall, Instant now) {
  auto later = [&](Instant t) { return std::min(t + stall, now); };
  for (auto& [life, member] : table_.rows()) {
    member.heard = later(member.heard);
    member.asked = later(member.asked);
    member.resumed = later(member.resumed);
    // Questions from before the stall are not answered any more.
    member.confirmed = std::max(member.confirmed + stall, now + times_.confirm);
    // The probe may have been answered into the stall: probe once more.
    if (member.check) member.check->again = now;
  }
  for (auto& [id, link] : links_.all()) {
    link.received = later(link.received);
    if (link.unacked != kNever) link.unacked = later(link.unacked);
  }
  start_ = start_ + stall;
  names_.Stalled(stall);
}

}  // namespace muster::core
