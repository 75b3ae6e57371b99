// The choosing half of replication: from whom each stream is pulled.
#include <algorithm>
#include <utility>

#include "crdt/mutant.h"
#include "node/core/stream/replication.h"

namespace muster::core {

using crdt::Mutant;
using crdt::Mutated;
using crdt::Seq;

namespace {

// Back-off between dials is at most 2 s.
constexpr absl::Duration kPicky = absl::Seconds(3);
// What is asked for again is waited for up to so many source_timeouts; and so
// does an origin for a rebase that another has begun.
constexpr int kLongestWait = 16;
// And what has begun to come, so many.
constexpr int kBegunWait = 4;

}  // namespace

LinkId Replication::DirectLink(const Stream& stream) const {
  LinkId link = membership_.LinkTo(stream.origin.life);
  return links_.contains(link) ? link : 0;
}

void Replication::OnHeard(LinkId id) {
  Link* link = FindLink(id);
  if (link != nullptr) link->hearing.Heard(streams_.now().mono);
}

bool Replication::Silent(const Link& link) const {
  return link.hearing.silent(streams_.now().mono);
}

Seq Replication::Furthest(const Stream& stream) const {
  Seq furthest;
  for (const auto& [id, link] : links_) {
    const auto told = link.positions.Find(stream);
    if (told.has_value()) furthest = std::max(furthest, told->seq);
  }
  return furthest;
}

// The link to the origin, else the one that is furthest on. After a rebase that
// broke off only one that has all that it left here, while the origin lives and
// for a while; then any: what it told nobody else is gone with it, and all are
// to be equal.
LinkId Replication::BestSource(const Stream& stream, LinkId not_this) const {
  auto pulling = pulling_.find(stream.id());
  Seq least = stream.vv;
  if (stream.rebasing && pulling != pulling_.end()) {
    const bool picky = streams_.now().mono - pulling->second.since() < kPicky ||
                       membership_.IsAlive(stream.origin.life);
    least = picky ? stream.applied : Seq();
  }
  LinkId direct = DirectLink(stream);
  if (direct != 0 && direct != not_this && !Silent(links_.at(direct))) {
    return direct;
  }
  LinkId best = 0;
  Seq furthest;
  for (const auto& [id, link] : links_) {
    const auto told = link.positions.Find(stream);
    if (!told.has_value() || id == not_this || Silent(link)) continue;
    if (told->rebasing || told->seq < least) continue;
    if (best == 0 || told->seq > furthest) {
      best = id;
      furthest = told->seq;
    }
  }
  return best;
}

void Replication::ChooseSource(Stream& stream, Output& out) {
  PulledStream& pulling = pulling_[stream.id()];
  LinkId best = BestSource(stream, 0);
  if (best == 0 || best == pulling.source()) return;
  SendPull(stream, pulling, best, out);
}

// Whether the peer has less than what a broken rebase has left here.
bool Replication::GoesBack(const Stream& stream, const Link& link) const {
  if (!stream.rebasing || DirectLink(stream) == link.id) return false;
  const auto told = link.positions.Find(stream);
  return told.has_value() && told->seq < stream.applied;
}

void Replication::SendPull(Stream& stream, PulledStream& pulling, LinkId to,
                           Output& out) {
  if (pulling.source() != to) {
    if (Link* old = FindLink(pulling.source())) {
      PullFrame cancel;
      cancel.stream = stream.id();
      cancel.cancel = true;
      Send(*old, out, {0, cancel});
    }
    if (pulling.source() != 0) ++counters_.source_changes;
  }
  AbandonRebase(stream, pulling);
  pulling.Ask(to, next_rebase_id_++, links_.at(to).receipts.total(),
              streams_.now().mono);
  PullFrame pull;
  pull.stream = stream.id();
  pull.after =
      pulling.force || GoesBack(stream, links_.at(to)) ? Seq() : stream.vv;
  pull.rebase_id = pulling.rebase_id();
  // Where nothing is known of a stream its past is not replayed: what has left
  // since would be shown once more.
  const bool anew =
      stream.vv == Seq() &&
      (Furthest(stream) > Seq() ||
       (!pulling.rebased && !links_.at(to).positions.Has(stream)));
  pull.force_rebase = pulling.force || stream.rebasing || anew;
  ++counters_.pulls;
  Send(links_.at(to), out, {0, pull});
}

void Replication::AbandonRebase(Stream& stream, PulledStream& pulling) {
  if (!pulling.rebasing()) return;
  // What was put is kept: the next rebase names or puts it again.
  rebasing_.erase(stream.id());
  const bool reorders = pulling.Abandon()->reorders();
  ++counters_.rebase_restarts;
  const bool half = stream.applied > stream.vv || reorders;
  if (half && !Mutated(Mutant::kMovesPositionInRebase)) return;
  stream.rebasing = false;
  streams_.Settle(stream);
}

bool Replication::Holds(LinkId link, const Stream& stream) const {
  return DirectLink(stream) == link || links_.at(link).positions.Has(stream);
}

// Whether a source that brings nothing may be left for it. Of two that have
// nothing yet each would take the other for a source.
bool Replication::Helps(const Stream& stream, const PulledStream& pulling,
                        LinkId link) const {
  if (DirectLink(stream) == link || pulling.force) return true;
  // What a broken rebase has left is to be mended by whoever has it all.
  const bool half = stream.rebasing && pulling.rebase() == nullptr;
  if (half || stream.applied > stream.vv) return true;
  return links_.at(link).positions.Find(stream)->seq > stream.vv;
}

// A source that does not bring what another peer has is given up.
void Replication::CheckProgress(Stream& stream, Output& out) {
  auto it = pulling_.find(stream.id());
  if (it == pulling_.end()) return;
  PulledStream& pulling = it->second;
  pulling.Check(stream);
  if (pulling.sweeping()) return;
  if (pulling.source() == 0) {
    ChooseSource(stream, out);
    return;
  }
  Instant now = streams_.now().mono;
  // A source that falls silent is left before it is missed.
  if (Silent(links_.at(pulling.source()))) {
    LinkId other = BestSource(stream, pulling.source());
    if (other != 0) return SendPull(stream, pulling, other, out);
  }
  const absl::Duration longest = kLongestWait * options_.source_timeout;
  // What takes so long may take less from its origin.
  if (now - pulling.last_pull() > longest &&
      std::exchange(pulling.origin_waits, false)) {
    return ChooseSource(stream, out);
  }
  bool behind = (pulling.told > stream.vv && Furthest(stream) > stream.vv) ||
                stream.rebasing || pulling.force;
  if (!behind) return pulling.Progressed(now);
  // What was asked for before may still be on the way, and be longer on it,
  // from whomever: of two slow sources neither would be waited for else.
  const absl::Duration wait = (Brings(pulling, stream) ? kBegunWait : 1) *
                              options_.source_timeout *
                              (1 << std::min(pulling.asked_again(), 4));
  if (now - pulling.since() < std::min(wait, longest)) return;
  LinkId best = BestSource(stream, pulling.source());
  if (best != 0 && !Helps(stream, pulling, best)) best = 0;
  if (best == 0 && !Holds(pulling.source(), stream)) {
    // Nobody has it any more: it can be dropped here, too.
    AbandonRebase(stream, pulling);
    pulling.LoseSource();
    return;
  }
  if (best == 0 && IsQueued(pulling, stream)) return;
  const int times = pulling.asked_again() + 1;
  SendPull(stream, pulling, best == 0 ? pulling.source() : best, out);
  pulling.AskedAgain(times);
}

// A rebase that has begun would not come faster from its beginning.
bool Replication::Brings(const PulledStream& pulling,
                         const Stream& stream) const {
  return pulling.rebase() != nullptr && !Unserved(pulling, stream);
}

// A link is in order, and has a window of bulk on its way at most: what was
// pulled comes behind that, if not at once.
bool Replication::IsQueued(const PulledStream& pulling,
                           const Stream& stream) const {
  const Link& link = links_.at(pulling.source());
  return !Unserved(pulling, stream) &&
         link.receipts.total() - pulling.ahead() < options_.window_bytes &&
         streams_.now().mono - link.brought <
             kLongestWait * options_.source_timeout;
}

bool Replication::Unserved(const PulledStream& pulling,
                           const Stream& stream) const {
  const auto told = links_.at(pulling.source()).positions.Find(stream);
  return told.has_value() &&
         (told->rebasing || pulling.unserved > pulling.since());
}

bool Replication::IsHeard(LinkId id) const {
  const auto link = links_.find(id);
  return link != links_.end() && !Silent(link->second);
}

LinkId Replication::NearestTo(const Stream& stream, LinkId not_this) const {
  LinkId nearest = 0;
  absl::Duration least;
  for (const auto& [id, link] : links_) {
    const std::optional<PeerPosition> position = link.positions.Find(stream);
    if (!position.has_value() || id == not_this || Silent(link)) continue;
    if (nearest == 0 || position->age < least) {
      nearest = id;
      least = position->age;
    }
  }
  return nearest;
}

bool Replication::IsDirect(const Stream& stream) const {
  auto it = pulling_.find(stream.id());
  return it != pulling_.end() && it->second.rebase() == nullptr &&
         !stream.rebasing && it->second.source() != 0 &&
         it->second.source() == DirectLink(stream);
}

Instant Replication::BulkAt(LinkId link) const {
  auto it = links_.find(link);
  return it == links_.end() ? Instant{} : it->second.brought;
}

std::string Replication::SourceOf(const Stream& stream) const {
  auto it = pulling_.find(stream.id());
  if (it == pulling_.end()) return "";
  auto link = links_.find(it->second.source());
  return link == links_.end() ? "" : link->second.origin.node;
}

}  // namespace muster::core
