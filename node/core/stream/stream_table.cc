#include "node/core/stream/stream_table.h"

#include <algorithm>
#include <utility>

#include "crdt/check.h"
#include "crdt/mutant.h"

namespace muster::core {

using crdt::Mutant;
using crdt::Mutated;
using crdt::StreamId;
using crdt::StreamKind;

// ------------------------------------------------------------------- kinds

void StreamTable::AddKind(StreamKind kind, const crdt::Grammar& grammar,
                          StreamState& state, size_t log_bytes) {
  MUSTER_CHECK(!Knows(kind));
  const auto at = static_cast<size_t>(kind);
  if (rooms_.size() <= at) rooms_.resize(at + 1);
  rooms_[at] = std::make_unique<Room>(
      Room{&state, grammar, crdt::MutationLog(grammar, log_bytes), {}});
}

bool StreamTable::Knows(StreamKind kind) const {
  const auto at = static_cast<size_t>(kind);
  return at < rooms_.size() && rooms_[at] != nullptr;
}

size_t StreamTable::log_bytes() const {
  size_t bytes = 0;
  for (const auto& room : rooms_) {
    if (room != nullptr) bytes += room->log.bytes();
  }
  return bytes;
}

// ----------------------------------------------------------------- streams

Stream* StreamTable::Find(const StreamId& id) {
  auto it = streams_.find(id);
  return it == streams_.end() ? nullptr : it->second.get();
}

const Stream* StreamTable::Find(const StreamId& id) const {
  auto it = streams_.find(id);
  return it == streams_.end() ? nullptr : it->second.get();
}

Stream& StreamTable::Add(const crdt::Origin& origin, StreamKind kind, bool own,
                         Instant advanced) {
  MUSTER_CHECK(Knows(kind));
  auto added = std::make_unique<Stream>();
  Stream& stream = *added;
  stream.origin = origin;
  stream.kind = kind;
  stream.own = own;
  stream.advanced = advanced;
  stream.learnt = now_.mono;
  MUSTER_CHECK(streams_.emplace(stream.id(), std::move(added)).second);
  stream.idx = state(kind).Added(stream);
  std::vector<Stream*>& by_idx = room(kind).by_idx;
  if (by_idx.size() <= stream.idx) by_idx.resize(stream.idx + 1);
  by_idx[stream.idx] = &stream;
  log(kind).Reset(stream.idx, crdt::Seq());
  return stream;
}

void StreamTable::ForEach(absl::FunctionRef<void(Stream&)> visit) {
  for (auto& [id, stream] : streams_) visit(*stream);
}

void StreamTable::ForEach(absl::FunctionRef<void(const Stream&)> visit) const {
  for (const auto& [id, stream] : streams_) visit(*stream);
}

bool StreamTable::ForSome(SliceCursor<StreamId>& cursor, size_t count,
                          absl::FunctionRef<void(Stream&)> visit) {
  return cursor.Run(streams_, count, [&](auto& item) {
    visit(*item.second);
    return true;
  });
}

void StreamTable::TakeMoved(absl::FunctionRef<void(Stream&)> visit) {
  for (const auto& room : rooms_) {
    if (room == nullptr) continue;
    for (const StreamIdx idx : room->log.TakeChanged()) {
      Stream* stream = idx < room->by_idx.size() ? room->by_idx[idx] : nullptr;
      if (stream != nullptr) visit(*stream);
    }
  }
}

crdt::Seq StreamTable::PositionOf(StreamKind kind, StreamIdx idx) const {
  if (!Knows(kind)) return {};
  const std::vector<Stream*>& by_idx = room(kind).by_idx;
  const Stream* stream = idx < by_idx.size() ? by_idx[idx] : nullptr;
  return stream == nullptr ? crdt::Seq() : stream->vv;
}

void StreamTable::ForEachOf(crdt::LifeId life,
                            absl::FunctionRef<void(Stream&)> visit) {
  auto it = streams_.lower_bound({life, StreamKind{0}});
  for (; it != streams_.end() && it->first.life == life; ++it) {
    visit(*it->second);
  }
}

void StreamTable::Drop(Stream& stream) {
  if (Mutated(Mutant::kForgottenKeepsSlot)) return;
  auto it = streams_.find(stream.id());
  MUSTER_CHECK(it != streams_.end() && it->second.get() == &stream);
  dropping_.push_back(std::move(it->second));
  streams_.erase(it);
  room(stream.kind).by_idx[stream.idx] = nullptr;
  stream.visibility.OnDropped();
  state(stream.kind).Dropped(stream);
}

void StreamTable::Free(Stream& stream) {
  log(stream.kind).Drop(stream.idx);
  auto it = std::find_if(dropping_.begin(), dropping_.end(),
                         [&](const auto& s) { return s.get() == &stream; });
  MUSTER_CHECK(it != dropping_.end());
  dropping_.erase(it);
}

// -------------------------------------------------------------------- time

void StreamTable::SetTime(Now now, absl::Duration stalled) {
  now_ = now;
  stalled_us_ += absl::ToInt64Microseconds(stalled);
  lived_us_ = now.mono.us - stalled_us_;
}

}  // namespace muster::core
