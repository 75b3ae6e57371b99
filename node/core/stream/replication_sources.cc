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
// The longest wait, in source_timeouts, for the answer to a repeated pull. The
// origin is asked after as long if a relay has begun a rebase.
constexpr int kLongestWait = 16;
// The first wait, in source_timeouts, for the next frame of a rebase.
constexpr int kBegunWait = 4;

}  // namespace

LinkId Replication::DirectLink(const Stream& stream) const {
  LinkId link = membership_.LinkTo(stream.origin.life);
  return links_.contains(link) ? link : 0;
}

void Replication::OnHeard(LinkId id) {
  LinkProgress* link = FindLink(id);
  if (link != nullptr) link->hearing.Heard(streams_.now().mono);
}

bool Replication::Silent(const LinkProgress& link) const {
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

// The link to the origin, else the link that is furthest on. After a rebase
// that broke off, only a link that has everything which the rebase left here;
// any link if the origin is gone and kPicky has passed: changes that no other
// node has are gone with the origin, and all nodes must become equal.
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

// Whether the peer has less than a broken rebase has left here.
bool Replication::GoesBack(const Stream& stream,
                           const LinkProgress& link) const {
  if (!stream.rebasing || DirectLink(stream) == link.id) return false;
  const auto told = link.positions.Find(stream);
  return told.has_value() && told->seq < stream.applied;
}

void Replication::SendPull(Stream& stream, PulledStream& pulling, LinkId to,
                           Output& out) {
  if (pulling.source() != to) {
    if (LinkProgress* old = FindLink(pulling.source())) {
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
  // A stream of which this node knows nothing comes by a rebase. A replay of
  // its log would show entries once more that have left since.
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

// Whether a source that brings nothing may be changed for `link`. Two nodes
// that have nothing yet would otherwise take each other for a source.
bool Replication::Helps(const Stream& stream, const PulledStream& pulling,
                        LinkId link) const {
  if (DirectLink(stream) == link || pulling.force) return true;
  // Any peer that has everything may mend the state after a broken rebase.
  const bool half = stream.rebasing && pulling.rebase() == nullptr;
  if (half || stream.applied > stream.vv) return true;
  return links_.at(link).positions.Find(stream)->seq > stream.vv;
}

// Changes the source if it does not bring mutations that another peer has.
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
  // A silent source is changed at once, even if nothing is missing yet.
  if (Silent(links_.at(pulling.source()))) {
    LinkId other = BestSource(stream, pulling.source());
    if (other != 0) return SendPull(stream, pulling, other, out);
  }
  const absl::Duration longest = kLongestWait * options_.source_timeout;
  // A rebase that takes this long may be quicker from the origin.
  if (now - pulling.last_pull() > longest &&
      std::exchange(pulling.origin_waits, false)) {
    return ChooseSource(stream, out);
  }
  bool behind = (pulling.told > stream.vv && Furthest(stream) > stream.vv) ||
                stream.rebasing || pulling.force;
  if (!behind) return pulling.Progressed(now);
  // The wait doubles with each repeated pull, whatever the source: otherwise
  // the node would flap between two slow sources.
  const absl::Duration wait = (Brings(pulling, stream) ? kBegunWait : 1) *
                              options_.source_timeout *
                              (1 << std::min(pulling.asked_again(), 4));
  if (now - pulling.since() < std::min(wait, longest)) return;
  LinkId best = BestSource(stream, pulling.source());
  if (best != 0 && !Helps(stream, pulling, best)) best = 0;
  if (best == 0 && !Holds(pulling.source(), stream)) {
    // No peer has the stream any more: it can be dropped here, too.
    AbandonRebase(stream, pulling);
    pulling.LoseSource();
    return;
  }
  if (best == 0 && IsQueued(pulling, stream)) return;
  const int times = pulling.asked_again() + 1;
  SendPull(stream, pulling, best == 0 ? pulling.source() : best, out);
  pulling.AskedAgain(times);
}

// Whether a rebase is coming in: to begin it again would not be faster.
bool Replication::Brings(const PulledStream& pulling,
                         const Stream& stream) const {
  return pulling.rebase() != nullptr && !Unserved(pulling, stream);
}

// Whether the pulled stream may be queued behind others (head-of-line
// blocking). A link is in order, and at most one flow-control window of bulk is
// in flight on it: the stream comes after that at the latest.
bool Replication::IsQueued(const PulledStream& pulling,
                           const Stream& stream) const {
  const LinkProgress& link = links_.at(pulling.source());
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
  // Whether its peer has the stream from here, and the age that it told.
  std::pair<bool, absl::Duration> least;
  for (const auto& [id, link] : links_) {
    const std::optional<PeerPosition> position = link.positions.Find(stream);
    if (!position.has_value() || id == not_this || Silent(link)) continue;
    const std::pair far(link.serving.contains(stream.id()), position->age);
    if (nearest == 0 || far < least) {
      nearest = id;
      least = far;
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
