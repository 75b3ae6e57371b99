#include "node/core/replica/router.h"

#include "crdt/mutant.h"

namespace muster::core {

uint32_t Router::LevelOf(LinkId link) const {
  const auto level = levels_.find(link);
  return level == levels_.end() ? 0 : level->second;
}

LinkId Router::WayTo(crdt::LifeId life, LinkId from) const {
  const LinkId direct = membership_.LinkTo(life);
  if (direct != 0 && LevelOf(direct) < kRoutedLevel) return 0;
  // An open link on which nothing comes stands still: a cut is not a close.
  if (replication_.IsHeard(direct)) return direct;
  const Stream* stream = streams_.Find({life, crdt::StreamKind::kInterest});
  if (stream == nullptr) return direct;
  const LinkId nearest = replication_.NearestTo(*stream, from);
  return nearest != 0 ? nearest : direct;
}

bool Router::Reaches(crdt::LifeId life) const {
  const LinkId way = WayTo(life, 0);
  return way != 0 && replication_.IsHeard(way);
}

bool Router::Forward(RoutedFrame frame, LinkId from, Output& out) {
  const LinkId way = WayTo(frame.to, from);
  const bool keys = std::holds_alternative<KvBody>(frame.body);
  if (way == 0 || (keys && LevelOf(way) < kKeyspaceLevel)) {
    ++counters_.lost;
    return false;
  }
  out.frames.push_back({way, {membership_.BeatOn(way), std::move(frame)}});
  return true;
}

void Router::Send(crdt::LifeId to, RoutedFrame::Body body, Output& out) {
  RoutedFrame frame{to, membership_.self().life, 1, std::move(body)};
  if (Forward(std::move(frame), 0, out)) ++counters_.sent;
}

bool Router::Receive(LinkId link, RoutedFrame& frame, Output& out) {
  if (frame.to == membership_.self().life) {
    ++counters_.received;
    return true;
  }
  if (frame.hops >= kMaxHops && !crdt::Mutated(crdt::Mutant::kRouterLoops)) {
    ++counters_.lost;
    return false;
  }
  ++frame.hops;
  if (Forward(std::move(frame), link, out)) ++counters_.relayed;
  return false;
}

std::vector<std::pair<std::string, uint64_t>> Router::Counters() const {
  return {{"routed_sent", counters_.sent},
          {"routed_relayed", counters_.relayed},
          {"routed_received", counters_.received},
          {"routed_lost", counters_.lost}};
}

}  // namespace muster::core
