// Links that stall, and silent ones behind which another life may be.
#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "node/core/membership/membership_impl.h"

namespace muster::core {
namespace {

// How often the address of a silent peer is probed for another life.
constexpr absl::Duration kWhoPeriod = absl::Seconds(2);
constexpr int kMaxStalls = 4;  // Sixteen times DetectorOptions::link_stall.

}  // namespace

void Membership::Impl::LinkProgress(LinkId id, bool idle_or_acked, Now now) {
  Link* link = links_.Find(id);
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

absl::Duration Membership::Impl::DelayOf(LinkId id) const {
  const Link* link = links_.Find(id);
  return link == nullptr ? absl::ZeroDuration() : link->delay;
}

bool Membership::Impl::IsStalled(const Link& link, Now now) const {
  const Member* member = table_.Find(link.hello.origin.life);
  if (member == nullptr || !link.linked || !IsAlive(member->origin.life)) {
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
void Membership::Impl::AskWhoIsThere(Step& step) {
  who_next_.Run(table_.rows(), SliceOf(table_.rows().size()), [&](auto& item) {
    auto& [life, member] = item;
    const Link* link = IsAlive(life) ? nullptr : links_.Used(life);
    if (link == nullptr) return true;
    const Instant last = std::max(link->received, member.who_asked);
    if (step.now.mono - last < kWhoPeriod) return true;
    member.who_asked = step.now.mono;
    member.who_token = ++token_;
    Add(Count::kHelloProbes);
    step.out.hello_probes.push_back({member.who_token, member.address});
    return true;
  });
}

void Membership::Impl::WhoIsThere(uint64_t token, crdt::LifeId answered,
                                  Step& step) {
  if (answered.IsZero()) return;
  for (auto& [life, member] : table_.rows()) {
    if (member.who_token != token) continue;
    const bool same = life == answered;
    if (same && IsAlive(life)) return;
    member.dial_now |= same;
    while (const Link* link = links_.First(life)) {
      Close(link->id,
            same ? "its peer answers, and not on it"
                 : "another life is at its address",
            step);
    }
    return;
  }
}

void Membership::Impl::CloseStalledLinks(Step& step) {
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
  for (LinkId id : unheard) Close(id, "nothing has come on it", step);
  AskWhoIsThere(step);
  for (LinkId id : stalled) {
    Member* member = table_.Find(links_.Find(id)->hello.origin.life);
    Add(Count::kLinksStalled);
    Log(LogLine::Level::kWarning,
        absl::StrCat("link to ", member->origin.node,
                     " stalls while its beats arrive: dialling afresh"),
        step);
    member->dial_now = true;
    member->stalls = std::min(member->stalls + 1, kMaxStalls);
    Close(id, "nothing was acknowledged for too long", step);
  }
}

}  // namespace muster::core
