#include "node/core/membership/link_stalls.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"

namespace muster::core {
namespace {

// How often the address of a silent peer is probed for another life.
constexpr absl::Duration kWhoPeriod = absl::Seconds(2);
constexpr int kMaxStalls = 4;  // Sixteen times DetectorOptions::link_stall.

}  // namespace

LinkStalls::LinkStalls(const DetectorOptions& times, MemberTable& table,
                       PeerLinks& links, LinkUse& link_use, ProbeTokens& tokens,
                       MembershipJournal& journal)
    : times_(times),
      table_(table),
      links_(links),
      link_use_(link_use),
      tokens_(tokens),
      journal_(journal) {}

void LinkStalls::OnBulk(LinkId id, bool idle_or_acked, Now now) {
  PeerLink* link = links_.Find(id);
  if (link == nullptr) return;
  if (idle_or_acked) {
    Member* member = table_.Find(link->hello.origin.life);
    if (member != nullptr && link->unacked != kNever) {
      // The first frames of a new link are small, and are acknowledged at once
      // however slow the link is.
      if (now.mono - link->up >= times_.link_stall * (1 << kMaxStalls)) {
        member->stalls = 0;
      }
      // A link without beats was cut, not slow.
      PeerLinks::Acked(*link,
                       now.mono - std::max(link->unacked, member->resumed));
    }
    link->unacked = kNever;
  } else if (link->unacked == kNever) {
    link->unacked = now.mono;
  }
}

bool LinkStalls::IsStalled(const PeerLink& link, Now now) const {
  const Member* member = table_.Find(link.hello.origin.life);
  if (member == nullptr || !link.linked ||
      !table_.IsAlive(member->origin.life)) {
    return false;
  }
  // A link may be slow and not dead: each fresh link that fares no better gets
  // twice the time.
  absl::Duration limit =
      PeerLinks::StallAfter(link, times_.link_stall) * (1 << member->stalls);
  auto long_since = [&](Instant t) {
    return now.mono - std::max(t, member->resumed) >= limit;
  };
  absl::Duration lately = 3 * times_.beat_interval;
  bool silent = long_since(link.received) && now.mono - member->udp < lately;
  bool unacked = link.unacked != kNever && long_since(link.unacked) &&
                 now.mono - member->heard < lately;
  return silent || unacked;
}

// TCP retries at longer and longer intervals. Meanwhile another life may have
// begun at the address of a silent one, and know nothing of this node. Or the
// path is free again, and a fresh link is up sooner.
void LinkStalls::AskWhoIsThere(StepContext& step) {
  who_next_.Run(table_.rows(), SliceOf(table_.rows().size()), [&](auto& item) {
    auto& [life, member] = item;
    const PeerLink* link = table_.IsAlive(life) ? nullptr : links_.Used(life);
    if (link == nullptr) return true;
    const Instant last = std::max(link->received, member.who_asked);
    if (step.now.mono - last < kWhoPeriod) return true;
    member.who_asked = step.now.mono;
    member.who_token = tokens_.Next();
    journal_.Add(Counter::kHelloProbes);
    step.out.hello_probes.push_back({member.who_token, member.address});
    return true;
  });
}

void LinkStalls::OnHelloProbe(uint64_t token, crdt::LifeId answered,
                              StepContext& step) {
  if (answered.IsZero()) return;
  for (auto& [life, member] : table_.rows()) {
    if (member.who_token != token) continue;
    const bool same = life == answered;
    if (same && table_.IsAlive(life)) return;
    member.dial_now |= same;
    link_use_.CloseAll(life,
                       same ? "its peer answers, and not on it"
                            : "another life is at its address",
                       step);
    return;
  }
}

void LinkStalls::Stalled(absl::Duration stall, Instant now) {
  const auto later = [&](Instant t) { return std::min(t + stall, now); };
  for (auto& [id, link] : links_.all()) {
    link.received = later(link.received);
    if (link.unacked != kNever) link.unacked = later(link.unacked);
  }
}

void LinkStalls::Tick(StepContext& step) {
  std::vector<LinkId> stalled;
  std::vector<LinkId> unheard;
  stall_next_.Run(
      links_.all(), SliceOf(links_.all().size()), [&](const auto& item) {
        const auto& [id, link] = item;
        if (IsStalled(link, step.now)) {
          stalled.push_back(id);
          return true;
        }
        // Of a newcomer nothing else tells that it lives, nor that TCP waits.
        const bool newcomer = link.hello.origin.incarnation.value == 0;
        const bool unused = !link.heard && !links_.IsUsed(link);
        if ((newcomer || unused) && PeerLinks::IsSilent(link, step.now.mono)) {
          unheard.push_back(id);
        }
        return true;
      });
  for (LinkId id : unheard) link_use_.Close(id, "nothing has come on it", step);
  AskWhoIsThere(step);
  for (LinkId id : stalled) {
    Member* member = table_.Find(links_.Find(id)->hello.origin.life);
    journal_.Add(Counter::kLinksStalled);
    journal_.Log(
        LogLine::Level::kWarning,
        absl::StrCat("link to ", member->origin.node,
                     " stalls while its beats arrive: dialling afresh"),
        step);
    member->dial_now = true;
    member->stalls = std::min(member->stalls + 1, kMaxStalls);
    link_use_.Close(id, "nothing was acknowledged for too long", step);
  }
}

}  // namespace muster::core
