// The telling half of replication: where every node stands.
#include <algorithm>
#include <set>
#include <utility>

#include "node/core/stream/replication.h"

namespace muster::core {

using crdt::Seq;
using crdt::StreamId;

namespace {

// How often peers are told of streams they do not pull from us.
constexpr absl::Duration kPositionsInterval = absl::Milliseconds(50);
constexpr absl::Duration kFullPositionsInterval = absl::Seconds(5);
// Links times streams that one tick looks at.
constexpr size_t kToldStreams = 1024;

}  // namespace

void Replication::SendPositions(Link& link, bool full, Output& out) {
  PositionsFrame frame;
  frame.full = full;
  streams_.ForEach([&](Stream& stream) {
    if (stream.origin.life == link.origin.life ||
        LevelOf(stream.kind) > link.feature_level) {
      return;
    }
    absl::Duration age = stream.own ? absl::ZeroDuration()
                                    : streams_.now().mono - stream.advanced;
    if (age > options_.stale) return;
    auto [told, first] = link.told.try_emplace(stream.id());
    // A change of either is news.
    Seq news(stream.vv.value * 2 + (stream.rebasing ? 1 : 0) + 1);
    bool served = link.serving.contains(stream.id());
    if (!full && (told->second == news || served)) return;
    told->second = news;
    const uint64_t beat =
        stream.own ? membership_.LastBeatOf(stream.origin.life).number
                   : stream.beat;
    frame.streams.push_back({stream.origin, stream.kind, stream.vv, age, beat,
                             streams_.state(stream.kind).HasWanted(stream),
                             IsHalf(stream)});
  });
  if (full || !frame.streams.empty()) Send(link, out, {0, std::move(frame)});
}

// One round each interval, over as many ticks as it takes.
void Replication::TellPositions(Instant now, Output& out) {
  if (next_told_ == 0) {
    if (now < next_positions_) return;
    next_positions_ = now + kPositionsInterval;
    tell_all_ = now >= next_full_positions_;
    if (tell_all_) next_full_positions_ = now + kFullPositionsInterval;
    // By then nobody tells of it any more.
    std::erase_if(lapsed_, [&](const auto& item) {
      return now - item.second.advanced > options_.stale;
    });
  }
  auto it = links_.lower_bound(next_told_);
  for (size_t told = 0; it != links_.end() && told < kToldStreams; ++it) {
    SendPositions(it->second, tell_all_, out);
    told += streams_.size();
  }
  next_told_ = it == links_.end() ? 0 : it->first;
}

// Whether the stream is one this node keeps, known before or new.
bool Replication::LearnStream(const StreamPosition& position,
                              absl::Duration delay) {
  StreamId id{position.origin.life, position.kind};
  const absl::Duration age = position.age + delay;
  const LastBeat last = {position.beat, streams_.now().mono - age,
                         delay > absl::ZeroDuration()};
  if (Stream* stream = streams_.Find(id)) {
    if (!stream->own) stream->Heard(last);
    return !stream->own;
  }
  bool alive = membership_.IsAlive(position.origin.life);
  const auto lapsed = lapsed_.find(id);
  if (!alive && lapsed != lapsed_.end() && position.seq <= lapsed->second.vv) {
    return false;
  }
  if (!alive && membership_.WasForgotten(position.origin.life)) return false;
  if (position.origin.life == membership_.self().life ||
      !streams_.Knows(position.kind) || age > options_.stale ||
      (!alive && !position.wanted) || streams_.size() >= max_streams_) {
    return false;
  }
  Stream& stream = streams_.Add(position.origin, position.kind,
                                /*own=*/false, last.at);
  stream.Heard(last);
  stream.visibility.Learnt(alive,
                           membership_.HasEnded(position.origin.life) ||
                               position.origin.node == membership_.self().node);
  return true;
}

void Replication::OnPositions(LinkId id, const PositionsFrame& frame,
                              Output& out) {
  Link* link = FindLink(id);
  if (link == nullptr) return;
  const bool news = link->hearing.Told(frame.full);
  const absl::Duration delay = membership_.DelayOf(id);
  for (const StreamPosition& position : frame.streams) {
    if (!LearnStream(position, delay)) continue;
    StreamId stream_id{position.origin.life, position.kind};
    auto [at, first] = link->positions.try_emplace(stream_id);
    // What it gave up since, as it could not be made whole, is not waited for.
    at->second.first_seq =
        first ? position.seq : std::min(at->second.first_seq, position.seq);
    at->second.seq = position.seq;
    at->second.wanted = position.wanted;
    at->second.rebasing = position.rebasing;
    at->second.age = position.age;
    if (!frame.full) at->second.unserved = streams_.now().mono;
    Stream& stream = *streams_.Find(stream_id);
    PulledStream& pulling = pulling_[stream_id];
    pulling.told = std::max(pulling.told, position.seq);
    bool direct = DirectLink(stream) == id;
    stream.visibility.OnNamed(position.seq, /*origin=*/direct);
    if (pulling.source() != 0 &&
        (!direct || pulling.source() == id || !(first || news))) {
      continue;
    }
    // A rebase that has begun would begin again: it may end first.
    if (pulling.rebase() == nullptr) {
      ChooseSource(stream, out);
    } else {
      pulling.origin_waits = true;
    }
  }
  if (frame.full) ForgetUnnamed(*link, frame);
}

// What a peer named before and names no more, it has dropped.
void Replication::ForgetUnnamed(Link& link, const PositionsFrame& full) {
  std::set<StreamId> named;
  for (const StreamPosition& position : full.streams) {
    named.insert({position.origin.life, position.kind});
  }
  std::erase_if(link.positions, [&named](const auto& item) {
    return !named.contains(item.first);
  });
}

bool Replication::CaughtUp() const {
  for (const auto& [id, link] : links_) {
    // One that has died meanwhile brings nothing more.
    if (Silent(link) && !membership_.IsAlive(link.origin.life)) continue;
    if (!link.hearing.told()) return false;
    for (const auto& [stream_id, position] : link.positions) {
      if (!position.wanted) continue;
      const Stream* stream = streams_.Find(stream_id);
      if (stream != nullptr && stream->vv < position.first_seq) return false;
    }
  }
  return true;
}

}  // namespace muster::core
