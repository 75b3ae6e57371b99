// The telling half of replication: where every node stands.
#include <algorithm>
#include <set>
#include <utility>

#include "node/core/stream/replication.h"

namespace muster::core {

using crdt::Seq;
using crdt::StreamId;

namespace {

// How often peers are told of streams they do not pull from us; with many
// links, kNewsPerLink of each.
constexpr absl::Duration kNewsInterval = absl::Milliseconds(50);
constexpr absl::Duration kNewsPerLink = absl::Milliseconds(1);
// How often they are told of all; with many links and streams, as often as
// makes kFullPerSecond streams a second.
constexpr absl::Duration kFullInterval = absl::Seconds(5);
constexpr size_t kFullPerSecond = 10'000;
// Streams in one frame: to take them in is one step of the peer's.
constexpr size_t kPart = 128;
// Streams that one tick tells of, in all.
constexpr size_t kToldStreams = 1024;
// Links times streams that one tick looks at to see whether this node has
// caught up.
constexpr size_t kCompared = 1 << 16;

}  // namespace

// ------------------------------------------------------------------ telling

bool Replication::Many() const {
  return links_.size() * streams_.size() > kToldStreams;
}

absl::Duration Replication::NewsInterval() const {
  return std::max(kNewsInterval,
                  static_cast<int64_t>(links_.size()) * kNewsPerLink);
}

absl::Duration Replication::FullInterval() const {
  const auto all = static_cast<int64_t>(links_.size() * streams_.size());
  return std::max(kFullInterval, absl::Seconds(1) * all /
                                     static_cast<int64_t>(kFullPerSecond));
}

void Replication::NoteNews() {
  streams_.ForEach([this](Stream& stream) {
    // A change of either is news.
    const Seq news(stream.vv.value * 2 + (stream.rebasing ? 1 : 0) + 1);
    if (stream.news == news) return;
    stream.news = news;
    news_.erase(stream.news_number);
    stream.news_number = ++last_news_;
    news_.emplace(last_news_, stream.id());
  });
}

bool Replication::Tells(const LinkProgress& link, const Stream& stream) const {
  return stream.origin.life != link.origin.life &&
         LevelOf(stream.kind) <= link.feature_level;
}

bool Replication::AddPosition(const Stream& stream,
                              PositionsFrame& frame) const {
  absl::Duration age =
      stream.own ? absl::ZeroDuration() : streams_.now().mono - stream.advanced;
  if (age > options_.stale) return false;
  const uint64_t beat = stream.own
                            ? membership_.LastBeatOf(stream.origin.life).number
                            : stream.beat;
  frame.streams.push_back({stream.origin, stream.kind, stream.vv, age, beat,
                           streams_.state(stream.kind).HasWanted(stream),
                           IsHalf(stream)});
  return true;
}

size_t Replication::SendFull(LinkProgress& link, Output& out) {
  if (!link.full_news.has_value()) {
    NoteNews();
    link.full_news = last_news_;
    link.untold.clear();
  }
  // A node of before takes them for all there are.
  const bool parts = link.feature_level >= kRoutedLevel;
  const size_t most = parts ? kPart : kMaxStreams;
  PositionsFrame frame;
  frame.full = true;
  const bool all = streams_.ForSome(link.full_next, most, [&](Stream& stream) {
    if (!Tells(link, stream)) return;
    if (!AddPosition(stream, frame)) link.untold.insert(stream.id());
  });
  frame.more = !all;
  if (all) {
    link.told = *link.full_news;
    link.full_news.reset();
  }
  const size_t told = frame.streams.size() + 1;
  Send(link, out, {0, std::move(frame)});
  return told;
}

size_t Replication::SendNews(LinkProgress& link, Output& out) {
  std::set<StreamId> ids = std::exchange(link.untold, {});
  for (auto it = news_.upper_bound(link.told); it != news_.end(); ++it) {
    ids.insert(it->second);
  }
  link.told = last_news_;
  PositionsFrame frame;
  for (const StreamId& id : ids) {
    const Stream* stream = streams_.Find(id);
    if (stream == nullptr || !Tells(link, *stream)) continue;
    if (link.serving.contains(id) || !AddPosition(*stream, frame)) {
      link.untold.insert(id);
    }
  }
  if (!frame.streams.empty()) Send(link, out, {0, std::move(frame)});
  return ids.size() + 1;
}

void Replication::BeginRound(Instant now) {
  next_positions_ = now + NewsInterval();
  telling_news_ = true;
  if (now >= next_full_positions_) {
    next_full_positions_ = now + FullInterval();
    telling_all_ = true;
  }
  // By then nobody tells of it any more.
  std::erase_if(lapsed_, [&](const auto& item) {
    return now - item.second.advanced > options_.stale;
  });
  NoteNews();
}

void Replication::TellAll(size_t room, Output& out) {
  while (room > 0) {
    const auto at = links_.lower_bound(full_link_);
    if (at == links_.end()) {
      telling_all_ = false;
      full_link_ = 0;
      return;
    }
    LinkProgress& link = at->second;
    const bool is_new = new_links_.contains(link.id);
    if (!is_new) room -= std::min(room, SendFull(link, out));
    const bool half = !is_new && link.full_news.has_value();
    full_link_ = half ? link.id : link.id + 1;
  }
}

// Rounds go over as many ticks as they take. Full positions of links that are
// new go first; those of a round take what time they need where there are many,
// and news do not wait for them.
void Replication::TellPositions(Instant now, Output& out) {
  if (!telling_news_ && now >= next_positions_) BeginRound(now);
  size_t left = kToldStreams;
  while (!new_links_.empty() && left > 0) {
    LinkProgress& link = links_.at(*new_links_.begin());
    left -= std::min(left, SendFull(link, out));
    if (!link.full_news.has_value()) new_links_.erase(link.id);
  }
  if (telling_all_ && !Many()) {
    TellAll(left, out);
  } else if (telling_all_ && now >= next_part_) {
    next_part_ = now + absl::Seconds(1) * kPart / kFullPerSecond;
    TellAll(1, out);
  }
  if (!telling_news_) return;
  telling_news_ = !news_next_.Run(links_, links_.size(), [&](auto& item) {
    LinkProgress& link = item.second;
    if (left == 0) return false;
    const bool news = link.told != last_news_ || !link.untold.empty();
    if (news && !link.full_news.has_value()) {
      left -= std::min(left, SendNews(link, out));
    }
    return true;
  });
}

// ----------------------------------------------------------------- being told

// The stream, known before or new; null if it is none that this node keeps.
Stream* Replication::LearnStream(const StreamPosition& position,
                                 absl::Duration delay) {
  StreamId id{position.origin.life, position.kind};
  const absl::Duration age = position.age + delay;
  const LastBeat last = {position.beat, streams_.now().mono - age,
                         delay > absl::ZeroDuration()};
  if (Stream* stream = streams_.Find(id)) {
    if (!stream->own) stream->Heard(last);
    return stream->own ? nullptr : stream;
  }
  bool alive = membership_.IsAlive(position.origin.life);
  const auto lapsed = lapsed_.find(id);
  if (!alive && lapsed != lapsed_.end() && position.seq <= lapsed->second.vv) {
    return nullptr;
  }
  if (!alive && membership_.WasForgotten(position.origin.life)) return nullptr;
  if (position.origin.life == membership_.self().life ||
      !streams_.Knows(position.kind) || age > options_.stale ||
      (!alive && !position.wanted) || streams_.size() >= max_streams_) {
    return nullptr;
  }
  Stream& stream = streams_.Add(position.origin, position.kind,
                                /*own=*/false, last.at);
  stream.Heard(last);
  stream.visibility.Learnt(alive,
                           membership_.HasEnded(position.origin.life) ||
                               position.origin.node == membership_.self().node);
  return &stream;
}

void Replication::TakePosition(LinkProgress& link, Stream& stream,
                               const StreamPosition& position, bool news,
                               bool full, Output& out) {
  const bool first = link.positions.Set(
      stream, {position.seq, position.wanted, position.rebasing, position.age});
  PulledStream& pulling = pulling_[stream.id()];
  if (!full && pulling.source() == link.id) {
    pulling.unserved = streams_.now().mono;
  }
  pulling.told = std::max(pulling.told, position.seq);
  const bool elsewhere = pulling.source() != 0;
  if (elsewhere && !first && !news && !stream.visibility.catching_up()) return;
  const bool direct = DirectLink(stream) == link.id;
  stream.visibility.OnNamed(position.seq, /*origin=*/direct);
  if (elsewhere &&
      (!direct || pulling.source() == link.id || !(first || news))) {
    return;
  }
  // A rebase that has begun would begin again: it may end first.
  if (pulling.rebase() == nullptr) {
    ChooseSource(stream, out);
  } else {
    pulling.origin_waits = true;
  }
}

void Replication::OnPositions(LinkId id, const PositionsFrame& frame,
                              Output& out) {
  LinkProgress* link = FindLink(id);
  if (link == nullptr) return;
  bool news = link->hearing.Told(frame.full && !frame.more);
  if (frame.full && !link->positions.in_full()) {
    link->positions.BeginFull();
    link->full_is_news = news;
  }
  // The first part tells that the peer is heard again, and the stream for which
  // that matters may be in another.
  news |= frame.full && link->full_is_news;
  const absl::Duration delay = membership_.DelayOf(id);
  for (const StreamPosition& position : frame.streams) {
    Stream* stream = LearnStream(position, delay);
    if (stream == nullptr) continue;
    TakePosition(*link, *stream, position, news, frame.full, out);
  }
  // What a peer named before and names no more, it has dropped.
  if (frame.full && !frame.more) link->positions.EndFull();
}

bool Replication::CaughtUp() {
  if (links_.size() * streams_.size() <= kCompared) caught_up_next_.Restart();
  const size_t slice = kCompared / (streams_.size() + 1) + 1;
  bool good = true;
  const bool all = caught_up_next_.Run(links_, slice, [&](const auto& item) {
    const auto& [id, link] = item;
    // One that has died meanwhile brings nothing more.
    if (Silent(link) && !membership_.IsAlive(link.origin.life)) return true;
    good = link.hearing.told() &&
           link.positions.CaughtUp([this](crdt::StreamKind kind, StreamIdx at) {
             return streams_.PositionOf(kind, at);
           });
    return good;
  });
  if (!good) caught_up_next_.Restart();
  return all && good;
}

void Replication::StopCatchingUp() {
  catching_up_ = false;
  for (auto& [id, link] : links_) link.positions.StopCatchingUp();
}

}  // namespace muster::core
