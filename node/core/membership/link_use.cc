#include "node/core/membership/link_use.h"

#include <tuple>

namespace muster::core {
namespace {

using EventKind = MembershipEvent::Kind;

}  // namespace

LinkUse::LinkUse(OwnLife& own, MemberTable& table, PeerLinks& links,
                 Dialing& dialing, IndirectPings& pings, MemberNews& news,
                 MembershipJournal& journal)
    : own_(own),
      table_(table),
      links_(links),
      dialing_(dialing),
      pings_(pings),
      news_(news),
      journal_(journal) {}

bool LinkUse::Decides(const PeerLink& link) const {
  const crdt::Origin& peer = link.hello.origin;
  return std::tie(own_.origin.node, own_.origin.life) <
         std::tie(peer.node, peer.life);
}

void LinkUse::Settle(PeerLink& link, StepContext& step) {
  if (!Decides(link)) return;
  PeerLink* old = links_.Used(link.hello.origin.life);
  if (old == nullptr) {
    Use(link, step);
    return;
  }
  journal_.Add(Counter::kLinksReplaced);
  Instant now = step.now.mono;
  if (PeerLinks::Choose(*old, link, now) == PeerLinks::Choice::kKeepOld) {
    Close(link.id, "another link of this pair is in use", step);
    return;
  }
  LinkId replaced = old->id;
  Use(link, step);
  Close(replaced, "another link of this pair has replaced it", step);
}

void LinkUse::Use(PeerLink& link, StepContext& step) {
  crdt::LifeId life = link.hello.origin.life;
  if (PeerLink* old = links_.Used(life)) Unlink(*old, step);
  links_.Use(link, step.now.mono);
  if (Member* member = table_.Find(life)) {
    member->linked = step.now.mono;
    member->dial_now = false;
    member->check.reset();
  }
  news_.TellAll(link, step);
  Refresh(link, step);
  dialing_.Changed();
}

void LinkUse::Close(LinkId id, const std::string& reason, StepContext& step) {
  step.out.closes.push_back({id, reason});
  if (PeerLink* link = links_.Find(id)) Drop(*link, step);
}

void LinkUse::Drop(PeerLink& link, StepContext& step) {
  crdt::LifeId life = link.hello.origin.life;
  Unlink(link, step);
  pings_.DropLink(link.id);
  links_.Remove(link.id);
  Member* member = table_.Find(life);
  if (member != nullptr && !links_.Any(life)) member->unlinked = step.now.mono;
  dialing_.Changed();
}

void LinkUse::Refresh(PeerLink& link, StepContext& step) {
  const Member* member = table_.Find(link.hello.origin.life);
  bool want = own_.admitted() && member != nullptr && !member->ended &&
              links_.IsUsed(link);
  if (want == link.linked) return;
  if (!want) {
    Unlink(link, step);
    return;
  }
  link.linked = true;
  own_.alone = false;
  journal_.Emit({EventKind::kLinked, member->origin, link.id}, step);
}

void LinkUse::Refresh(crdt::LifeId life, StepContext& step) {
  if (PeerLink* link = links_.Used(life)) Refresh(*link, step);
}

void LinkUse::Unlink(PeerLink& link, StepContext& step) {
  if (!link.linked) return;
  link.linked = false;
  const Member& member = *table_.Find(link.hello.origin.life);
  journal_.Emit({EventKind::kUnlinked, member.origin, link.id}, step);
}

void LinkUse::Unlink(crdt::LifeId life, StepContext& step) {
  if (PeerLink* link = links_.Used(life)) Unlink(*link, step);
}

void LinkUse::CloseAll(crdt::LifeId life, const std::string& reason,
                       StepContext& step) {
  while (const PeerLink* link = links_.First(life)) {
    Close(link->id, reason, step);
  }
}

void LinkUse::OnAdmitted(StepContext& step) {
  // The announcement goes ahead of whatever the replica sends.
  for (auto& [id, link] : links_.all()) {
    if (links_.IsUsed(link)) news_.TellAll(link, step);
  }
  for (auto& [id, link] : links_.all()) Refresh(link, step);
}

}  // namespace muster::core
