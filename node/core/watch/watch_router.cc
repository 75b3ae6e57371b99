#include "node/core/watch/watch_router.h"

#include <algorithm>

namespace muster::core {
namespace {

using crdt::RowIdx;
using crdt::TopicIdx;

// What looking a change up costs, in messages.
constexpr size_t kWorkPerLookUp = 2;

}  // namespace

WatchRouter::WatchRouter(crdt::PresenceStore& store,
                         const ChangeRing::Limits& limits, ChannelQueue& queue,
                         WatchCounts& counts, WorkLeft& work)
    : store_(store),
      queue_(queue),
      counts_(counts),
      work_(work),
      ring_(limits),
      index_(store),
      routed_(ring_.last()) {}

// Shown entries of the row's key in its topic; of an update nobody asks.
uint32_t WatchRouter::KeyEntries(Change::Kind kind, RowIdx row) const {
  if (kind == Change::Kind::kUpdate) return 0;
  if (store_.key_changed()) return kind == Change::Kind::kJoin ? 1 : 0;
  return store_.keys().EntriesOfPair(row);
}

void WatchRouter::Record(Change::Kind kind, RowIdx row,
                         const crdt::Ref& previous) {
  if (!recording_) {
    ring_.Skip();
    routed_ = ring_.last();
    return;
  }
  const TopicIdx topic = store_.topic_of(row);
  const Change change = {
      .kind = kind,
      .topic = store_.topics().name(topic),
      .key = store_.key(row),
      .meta = store_.meta(row),
      .ref = store_.ref(row),
      .ref_prev = previous,
      .stamp = store_.stamp(row),
      .key_entries = KeyEntries(kind, row),
  };
  const uint64_t counter = ring_.Append(change);
  if (routed_ + 1 == counter) {
    const WatchIndex::Lists lists = index_.Of(topic, change.key);
    size_t channels = 0;
    for (const WatchIndex::Channels* list : lists) channels += list->size();
    if (work_.Covers(channels)) {
      for (const WatchIndex::Channels* list : lists) {
        for (WatchChannel* channel : *list) Mark(*channel, change, counter);
      }
      work_.Take(channels);
      routed_ = counter;
    }
  }
  if (!pinned_ && (routed_ < counter || !queue_.empty())) {
    ring_.Pin(counter);
    pinned_ = true;
  }
  if (kind == Change::Kind::kLeave &&
      store_.topics()[topic].shown_entries == 0) {
    index_.OnTopicEmpty(topic);
  }
}

void WatchRouter::Route() {
  while (routed_ < ring_.last() && !work_.none()) {
    const uint64_t counter = routed_ + 1;
    const Change change = ring_.At(counter);
    work_.Take(kWorkPerLookUp);
    if (!RouteTo(index_.OfName(change.topic, change.key), change, counter)) {
      return;
    }
    route_list_ = 0;
    route_number_ = 0;
    routed_ = counter;
  }
}

// False: the step has done enough. Channels may come and go until the next one
// goes on after the number of the last.
bool WatchRouter::RouteTo(const WatchIndex::Lists& lists, const Change& change,
                          uint64_t counter) {
  bool some = false;
  for (; route_list_ < lists.size(); ++route_list_, route_number_ = 0) {
    const WatchIndex::Channels& channels = *lists[route_list_];
    auto it = std::upper_bound(channels.begin(), channels.end(), route_number_,
                               [](uint64_t number, const WatchChannel* c) {
                                 return number < c->number;
                               });
    for (; it != channels.end(); ++it) {
      if (some && work_.none()) return false;
      some = true;
      work_.Take(1);
      Mark(**it, change, counter);
      route_number_ = (*it)->number;
    }
  }
  return true;
}

void WatchRouter::Mark(WatchChannel& channel, const Change& change,
                       uint64_t counter) {
  if (channel.gone) return;
  if (channel.scope.counts_only) return counts_.Mark(channel, change);
  if (change.kind == Change::Kind::kUpdate && !channel.scope.TellsEntries()) {
    return;
  }
  channel.pending.push_back(counter);
  if (channel.queued_at == 0) queue_.Add(channel, counter);
}

void WatchRouter::Pin() {
  uint64_t needed = ring_.last() + 1;
  if (routed_ < ring_.last()) needed = routed_ + 1;
  if (!queue_.empty()) needed = std::min(needed, queue_.oldest());
  pinned_ = needed <= ring_.last();
  if (pinned_) {
    ring_.Pin(needed);
  } else {
    ring_.Unpin();
  }
}

uint64_t WatchRouter::waiting() const {
  uint64_t oldest = routed_ + 1;
  if (!queue_.empty()) oldest = std::min(oldest, queue_.oldest());
  return ring_.last() + 1 - oldest;
}

}  // namespace muster::core
