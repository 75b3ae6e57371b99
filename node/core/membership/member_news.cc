#include "node/core/membership/member_news.h"

#include <algorithm>
#include <utility>

namespace muster::core {
namespace {

// Members in one frame, and links that one tick tells of changes.
constexpr size_t kMembersInFrame = 128;
constexpr size_t kToldLinks = 64;

}  // namespace

MemberNews::MemberNews(const OwnLife& own, const MemberTable& table,
                       PeerLinks& links, const BeatSender& beats)
    : own_(own), table_(table), links_(links), beats_(beats) {}

void MemberNews::Send(PeerLink& link, uint64_t since, StepContext& step) {
  MembersFrame frame;
  const crdt::Origin& peer = link.hello.origin;
  Instant now = step.now.mono;
  const auto send = [&](MembersFrame&& part) {
    part.your_highest = peer.node == own_.origin.node
                            ? std::max(own_.highest, own_.origin.incarnation)
                            : table_.Highest(peer.node);
    step.out.frames.push_back(
        {link.id, {beats_.BeatOn(link.id), std::move(part)}});
  };
  if (since == 0 && own_.admitted()) {
    frame.members.push_back({.origin = own_.origin,
                             .address = own_.address,
                             .beat = beats_.number(),
                             .age = now - beats_.advanced()});
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
void MemberNews::TellChanges(StepContext& step) {
  if (told_ == table_.version()) return;
  if (telling_ == 0) telling_ = table_.version();
  const bool all = next_.Run(links_.all(), kToldLinks, [&](auto& item) {
    PeerLink& link = item.second;
    if (link.sent_version != table_.version() && links_.IsUsed(link)) {
      Send(link, link.sent_version, step);
    }
    return true;
  });
  if (all) told_ = std::exchange(telling_, 0);
}

}  // namespace muster::core
