#include "node/core/membership/indirect_pings.h"

#include <algorithm>

#include "crdt/mutant.h"

namespace muster::core {
namespace {

using crdt::Mutant;
using crdt::Mutated;

}  // namespace

IndirectPings::IndirectPings(const DetectorOptions& times, const OwnLife& own,
                             MemberTable& table, const PeerLinks& links,
                             const BeatSender& beats,
                             MembershipJournal& journal)
    : times_(times),
      own_(own),
      table_(table),
      links_(links),
      beats_(beats),
      journal_(journal) {}

void IndirectPings::OnAsk(LinkId id, const AskFrame& frame, StepContext& step) {
  if (links_.Find(id) == nullptr) return;
  BeatReport report{frame.life};
  if (frame.life == own_.origin.life) {
    report.number = beats_.number();
    report.age = step.now.mono - beats_.advanced();
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
  journal_.Add(Counter::kAsksAnswered);
  step.out.frames.push_back({id, {beats_.BeatOn(id), report}});
}

// Passes a later beat on to the peers that asked, over both paths, as one may
// be blocked. Not a beat that waited here: it would be told with its highest
// possible age, and a receiver of that number would not believe a better age.
void IndirectPings::PassOn(const Member& member, StepContext& step) {
  if (member.late) return;
  crdt::LifeId life = member.origin.life;
  BeatReport report{life, member.beat, step.now.mono - member.advanced};
  for (LinkId id : asks_.Waiting(life, member.beat, step.now.mono)) {
    const PeerLink* link = links_.Find(id);
    if (link == nullptr) continue;
    journal_.Add(Counter::kAsksAnswered);
    step.out.frames.push_back({id, {beats_.BeatOn(id), report}});
    if (!own_.admitted() || !link->linked) continue;
    beats_.SendReport(link->hello.address, report, step);
  }
}

bool IndirectPings::IsHearsay(const Member& member, Instant now) const {
  Instant last = member.udp;
  if (const PeerLink* link = links_.Used(member.origin.life)) {
    last = std::max(last, link->received);
  }
  return now - last > kUnheardBeats * times_.beat_interval;
}

// Relays an indirect ping. Along a chain each node would pass news on with its
// own next beat; the answer to a question goes from end to end at once.
void IndirectPings::AskFurther(Member& member, absl::Duration period,
                               LinkId asker, StepContext& step) {
  if (member.ended || member.state == MemberState::kLeft) return;
  if (step.now.mono - member.asked < period) return;
  member.asked = step.now.mono;
  AskAll(member.origin.life, member.beat, asker, step);
}

// In turns, if there are more links than may be asked.
void IndirectPings::AskAll(crdt::LifeId life, uint64_t number, LinkId asker,
                           StepContext& step) {
  const auto& all = links_.all();
  auto it = all.upper_bound(asked_last_);
  size_t asked = 0;
  for (size_t i = 0; i < all.size() && asked < kMaxAsked; ++i, ++it) {
    if (it == all.end()) it = all.begin();
    const PeerLink& link = it->second;
    asked_last_ = link.id;
    crdt::LifeId peer = link.hello.origin.life;
    const Member* member = table_.Find(peer);
    bool dead = member != nullptr && !table_.IsAlive(peer) && member->beat != 0;
    const bool out = peer == life || link.id == asker || dead;
    if (out || !links_.IsUsed(link)) continue;
    ++asked;
    journal_.Add(Counter::kAsksSent);
    step.out.frames.push_back(
        {link.id, {beats_.BeatOn(link.id), AskFrame{life, number}}});
  }
}

}  // namespace muster::core
