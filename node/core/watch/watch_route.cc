// The part of WatchHub that brings changes to the channels they concern.
#include <algorithm>
#include <utility>

#include "node/core/watch/watch_hub.h"

namespace muster::core {
namespace {

using crdt::RowIdx;
using crdt::TopicIdx;

// What looking a change up costs, in messages.
constexpr size_t kWorkPerLookUp = 2;

}  // namespace

void WatchHub::OnShown(RowIdx row) { Record(Change::Kind::kJoin, row, {}); }
void WatchHub::OnHidden(RowIdx row) { Record(Change::Kind::kLeave, row, {}); }
void WatchHub::OnUpdated(RowIdx row, const crdt::Ref& previous) {
  Record(Change::Kind::kUpdate, row, previous);
}

// Shown entries of the row's key in its topic; of an update nobody asks.
uint32_t WatchHub::KeyEntries(Change::Kind kind, RowIdx row) const {
  if (kind == Change::Kind::kUpdate) return 0;
  if (store_.key_changed()) return kind == Change::Kind::kJoin ? 1 : 0;
  return store_.keys().EntriesOfPair(row);
}

void WatchHub::Record(Change::Kind kind, RowIdx row,
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
    if (channels <= work_left_) {
      for (const WatchIndex::Channels* list : lists) {
        for (WatchChannel* channel : *list) Mark(*channel, change, counter);
      }
      work_left_ -= channels;
      routed_ = counter;
    }
  }
  if (!pinned_ && (routed_ < counter || !dirty_.empty())) {
    ring_.Pin(counter);
    pinned_ = true;
  }
  if (kind == Change::Kind::kLeave &&
      store_.topics()[topic].shown_entries == 0) {
    index_.OnTopicEmpty(topic);
  }
}

void WatchHub::Route() {
  while (routed_ < ring_.last() && work_left_ > 0) {
    const uint64_t counter = routed_ + 1;
    const Change change = ring_.At(counter);
    work_left_ -= std::min(work_left_, kWorkPerLookUp);
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
bool WatchHub::RouteTo(const WatchIndex::Lists& lists, const Change& change,
                       uint64_t counter) {
  bool some = false;
  for (; route_list_ < lists.size(); ++route_list_, route_number_ = 0) {
    const WatchIndex::Channels& channels = *lists[route_list_];
    auto it = std::upper_bound(channels.begin(), channels.end(), route_number_,
                               [](uint64_t number, const WatchChannel* c) {
                                 return number < c->number;
                               });
    for (; it != channels.end(); ++it) {
      if (some && work_left_ == 0) return false;
      some = true;
      work_left_ -= std::min<size_t>(work_left_, 1);
      Mark(**it, change, counter);
      route_number_ = (*it)->number;
    }
  }
  return true;
}

void WatchHub::Mark(WatchChannel& channel, const Change& change,
                    uint64_t counter) {
  if (channel.gone) return;
  if (channel.scope.counts_only) return MarkCounts(channel, change);
  if (change.kind == Change::Kind::kUpdate && !channel.scope.TellsEntries()) {
    return;
  }
  channel.pending.push_back(counter);
  if (channel.queued_at == 0) Queue(channel, counter);
}

void WatchHub::MarkCounts(WatchChannel& channel, const Change& change) {
  if (change.kind == Change::Kind::kUpdate) return;
  const absl::string_view name = channel.scope.NameOf(change.topic, change.key);
  auto touched = channel.touched.find(name);
  if (touched == channel.touched.end()) {
    touched =
        channel.touched.emplace(std::string(name), WatchChannel::Delta()).first;
  }
  const int by = change.kind == Change::Kind::kJoin ? 1 : -1;
  touched->second.entries += by;
  if (change.KeyChanged()) touched->second.keys += by;
  if (!channel.scheduled && channel.queued_at == 0) {
    Schedule(channel, channel.counts_sent + channel.scope.interval);
  }
}

void WatchHub::Queue(WatchChannel& channel, uint64_t at) {
  channel.queued_at = at;
  dirty_.emplace(std::make_pair(at, channel.number), &channel);
}

void WatchHub::Unqueue(WatchChannel& channel) {
  if (channel.queued_at == 0) return;
  dirty_.erase({channel.queued_at, channel.number});
  channel.queued_at = 0;
}

void WatchHub::PinRing() {
  uint64_t needed = ring_.last() + 1;
  if (routed_ < ring_.last()) needed = routed_ + 1;
  if (!dirty_.empty()) needed = std::min(needed, dirty_.begin()->first.first);
  pinned_ = needed <= ring_.last();
  if (pinned_) {
    ring_.Pin(needed);
  } else {
    ring_.Unpin();
  }
}

uint64_t WatchHub::waiting() const {
  uint64_t oldest = routed_ + 1;
  if (!dirty_.empty()) oldest = std::min(oldest, dirty_.begin()->first.first);
  return ring_.last() + 1 - oldest;
}

}  // namespace muster::core
