#include "node/core/membership/membership.h"

#include <algorithm>
#include <tuple>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "node/core/membership/membership_impl.h"

namespace muster::core {
namespace {

// The codec's bound of a number.
constexpr uint64_t kMaxIncarnation = uint64_t{1} << 62;

constexpr std::array<const char*, static_cast<size_t>(Count::kCount)>
    kCountNames = {
        "datagrams_sent",
        "datagrams_received",
        "datagrams_unknown",
        "suspicions",
        "suspicions_averted",
        "downs",
        "downs_by_refusal",
        "returns",
        "asks_sent",
        "asks_answered",
        "pings_sent",
        "connect_probes",
        "hello_probes",
        "stalls",
        "links_replaced",
        "links_stalled",
        "links_to_self",
        "members_refused",
        "members_ended",
        "members_forgotten",
        "member_contradictions",
};

}  // namespace

Membership::Impl::Impl(const Options& options, crdt::LifeId life, uint64_t seed,
                       Now now)
    : options_(options),
      detector_(options.detector),
      self_{options.node, crdt::Incarnation(), life},
      table_(std::max<size_t>(options.max_members, 1) - 1),
      dialing_(options),
      names_(options.detector.name_check),
      clock_(options.detector.beat_interval, seed, now.mono),
      stall_(now.mono),
      start_(now.mono) {}

void Membership::Impl::Begin(Step& step) {
  absl::Duration stall = stall_.Step(step.now.mono);
  if (stall == absl::ZeroDuration()) return;
  Add(Count::kStalls);
  Log(LogLine::Level::kWarning,
      absl::StrCat("this node did not run for ", absl::FormatDuration(stall),
                   ": its deadlines move by as much"),
      step);
  AddStall(stall, step.now.mono);
}

void Membership::Impl::End(Step& step) {
  CheckName(step);
  CheckRefused(step);
  TryAdmit(step);
  TryJoin(step);
  auto dial = dialing_.Wanted(table_, links_, self_, step.now.mono);
  if (dial) step.out.dial = std::move(*dial);
}

void Membership::Impl::Tick(Step& step) {
  stall_.Tick(step.now.mono);
  if (clock_.Advance(step.now.mono)) SendBeats(step);
  ContinueBeats(BeatSlice(), step);
  names_.Tick(step.now.mono);
  asks_.Tick(step.now.mono);
  AskAboutRivals(step);
  ReturnEnded(step);
  if (!stall_.settling()) {
    Judge(step);
    CloseStalledLinks(step);
  }
  SendChangedMembers(step);
}

void Membership::Impl::CheckName(Step& step) {
  if (over_) return;
  const Rival* rival = names_.AtWork();
  if (rival == nullptr) return;
  if (admitted()) {
    Log(LogLine::Level::kError,
        absl::StrCat("a later life of this node's name is at work at ",
                     rival->address, ": this one ends"),
        step);
    Leave(step);
    step.out.exit = absl::AbortedError(
        absl::StrCat("node name ", self_.node,
                     " was taken over by a later life at ", rival->address));
  } else {
    step.out.exit = absl::AlreadyExistsError(absl::StrCat(
        "node name ", self_.node, " is in use by ", rival->address));
  }
  over_ = true;
  dialing_.Stop();
  dialing_.Changed();
}

bool Membership::Impl::NobodyAnswered() const {
  const bool heard =
      std::any_of(links_.all().begin(), links_.all().end(),
                  [](const auto& row) { return row.second.heard_members; });
  return dialing_.has_join() && !dialing_.AnyAnswered() && !heard;
}

// A node exits if every address that answers refuses it: it would serve alone,
// and clients would take it for a part of the cluster. Silent addresses do not
// count. Once a node serves, no refusal ends it: else a stranger started at a
// join address could.
void Membership::Impl::CheckRefused(Step& step) {
  if (joined_ || over_ || leaving_ || options_.join_optional) return;
  if (!WaitedToJoin(step.now) || !NobodyAnswered()) return;
  const std::string refusals = dialing_.Refusals();
  if (refusals.empty()) return;
  step.out.exit = absl::FailedPreconditionError(absl::StrCat(
      "node ", self_.node, " is refused by every --join address that answers (",
      refusals, "); --join-optional would have it serve alone"));
  over_ = true;
  dialing_.Stop();
  dialing_.Changed();
}

void Membership::Impl::TryAdmit(Step& step) {
  if (admitted() || over_ || leaving_ || names_.Pending()) return;
  // A node that is not admitted itself may not have heard of our rival. Its
  // word alone counts only once no other node is left to wait for.
  bool heard_enough = !dialing_.has_join() || heard_admitted_ ||
                      dialing_.AllAnswered() || WaitedToJoin(step.now);
  if (heard_enough) Admit(step);
}

void Membership::Impl::Admit(Step& step) {
  uint64_t incarnation = std::max<int64_t>(step.now.wall_us, 1);
  uint64_t highest = highest_.value;
  for (const auto& [life, rival] : names_.rivals()) {
    highest = std::max(highest, rival.origin.incarnation.value);
  }
  self_.incarnation = crdt::Incarnation(
      std::min(std::max(incarnation, highest + 1), kMaxIncarnation));
  names_.Admitted(self_);
  Log(LogLine::Level::kInfo,
      absl::StrCat("node ", self_.node, " is admitted, incarnation ",
                   self_.incarnation.value),
      step);
  Emit(MembershipEvent::Kind::kAdmitted, self_, step);
  // The announcement goes ahead of whatever the replica sends.
  for (auto& [id, link] : links_.all()) {
    if (links_.IsUsed(link)) SendMembers(link, 0, step);
  }
  for (auto& [id, link] : links_.all()) Refresh(link, step);
  dialing_.Changed();
}

void Membership::Impl::TryJoin(Step& step) {
  if (joined_ || over_ || !admitted()) return;
  if (dialing_.has_join() && !dialing_.AllAnswered() &&
      !WaitedToJoin(step.now)) {
    return;
  }
  joined_ = true;
  alone_ = NobodyAnswered();
  if (alone_) {
    const char* how = dialing_.Refusals().empty()
                          ? "no join address has answered within "
                          : "refused by every join address that answered in ";
    Log(LogLine::Level::kWarning,
        absl::StrCat(how, absl::FormatDuration(times_.join_wait),
                     ": serving alone"),
        step);
  }
  Emit(MembershipEvent::Kind::kJoined, self_, step);
  events_.back().alone = alone_;
}

void Membership::Impl::Emit(MembershipEvent::Kind kind,
                            const crdt::Origin& origin, Step& step, LinkId link,
                            crdt::Seq presence_seq) {
  events_.push_back({.kind = kind,
                     .origin = origin,
                     .link = link,
                     .presence_seq = presence_seq});
  step.out.members_changed = true;
}

void Membership::Impl::Log(LogLine::Level level, std::string text, Step& step) {
  step.out.log.push_back({level, std::move(text)});
}

std::vector<MembershipEvent> Membership::Impl::TakeEvents() {
  return std::exchange(events_, {});
}

LinkId Membership::Impl::LinkTo(crdt::LifeId life) const {
  const Link* link = links_.Used(life);
  return link != nullptr && link->linked ? link->id : 0;
}

const crdt::Origin* Membership::Impl::OriginOf(LinkId id) const {
  const Link* link = links_.Find(id);
  if (link == nullptr || !link->linked) return nullptr;
  return &table_.Find(link->hello.origin.life)->origin;
}

bool Membership::Impl::IsAlive(crdt::LifeId life) const {
  if (life == self_.life) return true;
  const Member* member = table_.Find(life);
  return member != nullptr && !member->ended &&
         (member->state == MemberState::kAlive ||
          member->state == MemberState::kSuspect);
}

absl::Duration Membership::Impl::AgeOf(crdt::LifeId life, Now now) const {
  if (life == self_.life) return absl::ZeroDuration();
  const Member* member = table_.Find(life);
  if (member == nullptr) return absl::InfiniteDuration();
  return now.mono - member->advanced;
}

bool Membership::Impl::HasEnded(crdt::LifeId life) const {
  const Member* member = table_.Find(life);
  return member != nullptr && member->ended.has_value();
}

LastBeat Membership::Impl::LastBeatOf(crdt::LifeId life) const {
  if (life == self_.life) return {clock_.number(), clock_.advanced()};
  const Member* member = table_.Find(life);
  if (member == nullptr) return {};
  return {member->beat, member->advanced, member->late};
}

std::vector<MemberView> Membership::Impl::View(Now now) const {
  std::vector<MemberView> view;
  view.push_back({.origin = self_,
                  .address = options_.address,
                  .state = leaving_ ? MemberState::kLeft : MemberState::kAlive,
                  .self = true});
  for (const auto& [life, member] : table_.rows()) {
    if (member.ended) continue;
    view.push_back({.origin = member.origin,
                    .address = member.address,
                    .state = member.state,
                    .linked = LinkTo(life) != 0,
                    .heartbeat_age = now.mono - member.advanced});
  }
  std::sort(view.begin(), view.end(),
            [](const MemberView& a, const MemberView& b) {
              return std::tie(a.origin.node, a.origin.life) <
                     std::tie(b.origin.node, b.origin.life);
            });
  return view;
}

std::vector<std::string> Membership::Impl::Notes() const {
  std::vector<std::string> notes;
  if (alone_) {
    const std::string refusals = dialing_.Refusals();
    notes.push_back(refusals.empty()
                        ? "serving alone: no join address has answered"
                        : absl::StrCat("serving alone: refused by ", refusals));
  }
  if (!udp_unavailable_.empty()) {
    notes.push_back(absl::StrCat("UDP is unavailable: ", udp_unavailable_));
  }
  for (const auto& [life, member] : table_.rows()) {
    if (!member.stream_only || !IsAlive(life)) continue;
    notes.push_back(absl::StrCat(
        "no beats by UDP from ", member.origin.node, " (", member.address,
        "): its stream alone carries them, and a freeze is noticed later"));
  }
  if (const Rival* rival = names_.Silent(); rival != nullptr && admitted()) {
    notes.push_back(
        absl::StrCat("peers remember a later life of this node's name at ",
                     rival->address, ", which is silent"));
  }
  return notes;
}

std::vector<std::pair<std::string, uint64_t>> Membership::Impl::Counters()
    const {
  std::vector<std::pair<std::string, uint64_t>> counters;
  for (size_t i = 0; i < counts_.size(); ++i) {
    counters.emplace_back(kCountNames[i], counts_[i]);
  }
  return counters;
}

std::vector<LinkMeasure> Membership::Impl::LinkMeasures() const {
  std::vector<LinkMeasure> measures;
  for (const auto& [id, link] : links_.all()) {
    if (!link.linked) continue;
    measures.push_back(
        {.peer = link.hello.origin.node, .id = id, .round_trip = link.rtt});
  }
  return measures;
}

}  // namespace muster::core
