#include "node/core/peer_links.h"

namespace muster::core {

PeerLinks::Choice PeerLinks::Choose(const Link& old, const Link& fresh,
                                    Instant now) {
  bool works = now - old.received < kFresh;
  if (fresh.hello.outbound && old.hello.outbound) {
    return works ? Choice::kKeepOld : Choice::kTakeNew;
  }
  bool crossed = old.hello.outbound && now - old.up < kCrossing;
  return crossed && works ? Choice::kKeepOld : Choice::kTakeNew;
}

Link* PeerLinks::Add(LinkId id, const PeerHello& hello, Instant now) {
  auto [it, added] = all_.try_emplace(id);
  if (!added) return nullptr;
  Link& link = it->second;
  link.id = id;
  link.hello = hello;
  link.up = now;
  link.received = now;
  ++peers_[hello.origin.life].open;
  return &link;
}

void PeerLinks::Remove(LinkId id) {
  auto it = all_.find(id);
  if (it == all_.end()) return;
  auto peer = peers_.find(it->second.hello.origin.life);
  if (peer->second.used == id) peer->second.used = 0;
  if (--peer->second.open == 0) peers_.erase(peer);
  all_.erase(it);
}

Link* PeerLinks::Find(LinkId id) {
  auto it = all_.find(id);
  return it == all_.end() ? nullptr : &it->second;
}

const Link* PeerLinks::Find(LinkId id) const {
  auto it = all_.find(id);
  return it == all_.end() ? nullptr : &it->second;
}

Link* PeerLinks::Used(crdt::LifeId life) {
  auto it = peers_.find(life);
  return it == peers_.end() ? nullptr : Find(it->second.used);
}

const Link* PeerLinks::Used(crdt::LifeId life) const {
  auto it = peers_.find(life);
  return it == peers_.end() ? nullptr : Find(it->second.used);
}

void PeerLinks::Use(Link& link) {
  peers_[link.hello.origin.life].used = link.id;
}

bool PeerLinks::IsUsed(const Link& link) const {
  return Used(link.hello.origin.life) == &link;
}

bool PeerLinks::Any(crdt::LifeId life) const { return peers_.contains(life); }

const Link* PeerLinks::First(crdt::LifeId life) const {
  if (!Any(life)) return nullptr;
  for (const auto& [id, link] : all_) {
    if (link.hello.origin.life == life) return &link;
  }
  return nullptr;
}

}  // namespace muster::core
