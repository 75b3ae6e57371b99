#include "muster/client/roll.h"

#include <utility>

namespace muster::client {
namespace {

using Kind = Change::Kind;

v1::Entry WithTopic(const std::string& topic, const v1::Entry& entry) {
  v1::Entry result = entry;
  result.set_topic(topic);
  return result;
}

// A diff's effect on the roll. An update of an unknown entry is a join; a leave
// of an unknown entry is nothing.
void ApplyDiff(const v1::TopicDiff& diff, Roll::Entries* entries,
               std::vector<Change>* changes) {
  auto& topic = (*entries)[diff.topic()];
  for (const v1::Entry& raw : diff.joins()) {
    v1::Entry entry = WithTopic(diff.topic(), raw);
    if (!topic.emplace(entry.ref(), entry).second) continue;
    changes->push_back({Kind::kJoin, std::move(entry), {}});
  }
  for (const v1::Entry& raw : diff.updates()) {
    v1::Entry entry = WithTopic(diff.topic(), raw);
    const bool known = topic.erase(entry.ref_prev()) > 0;
    topic[entry.ref()] = entry;
    changes->push_back(
        {known ? Kind::kUpdate : Kind::kJoin, std::move(entry), {}});
  }
  for (const v1::Entry& raw : diff.leaves()) {
    if (topic.erase(raw.ref()) == 0) continue;
    changes->push_back({Kind::kLeave, WithTopic(diff.topic(), raw), {}});
  }
  if (topic.empty()) entries->erase(diff.topic());
}

// Old entries that are gone, by key, each to be matched with at most one new
// entry.
using ByKey = std::multimap<std::string, v1::Entry>;

// Appends the changes that turn `before` into `after`, both of one topic.
void CompareTopic(const std::map<std::string, v1::Entry>& before,
                  const std::map<std::string, v1::Entry>& after,
                  std::vector<Change>* changes) {
  ByKey gone;
  for (const auto& [ref, entry] : before) {
    if (!after.contains(ref)) gone.emplace(entry.key(), entry);
  }
  std::vector<Change> arrived;
  for (const auto& [ref, entry] : after) {
    if (before.contains(ref)) continue;
    Change change{Kind::kJoin, entry, {}};
    if (const auto old = gone.find(entry.key()); old != gone.end()) {
      change.kind = Kind::kUpdate;
      change.entry.set_ref_prev(old->second.ref());
      gone.erase(old);
    }
    arrived.push_back(std::move(change));
  }
  for (auto& [key, entry] : gone) {
    changes->push_back({Kind::kLeave, std::move(entry), {}});
  }
  for (Change& change : arrived) changes->push_back(std::move(change));
}

}  // namespace

std::vector<Change> Roll::Apply(const v1::WatchResponse& message) {
  if (message.reset()) {
    in_state_ = true;
    parts_.clear();
  }
  if (!in_state_ && message.version().empty() && !message.diffs().empty()) {
    parts_.push_back(message);
    return {};
  }
  if (message.state_complete()) in_state_ = false;
  std::vector<Change> changes;
  for (const v1::WatchResponse& part : std::exchange(parts_, {})) {
    for (Change& change : ApplyNow(part)) changes.push_back(std::move(change));
  }
  for (Change& change : ApplyNow(message)) changes.push_back(std::move(change));
  return changes;
}

std::vector<Change> Roll::ApplyNow(const v1::WatchResponse& message) {
  std::vector<Change> changes;
  if (message.reset()) {
    comparing_ = !entries_.empty() || !counts_.empty();
    fresh_.clear();
    fresh_counts_.clear();
  }
  ApplyStates(message, &changes);
  ApplyCounts(message, &changes);
  if (!message.state_complete()) ApplyDiffs(message, &changes);
  if (message.state_complete()) {
    if (comparing_) Compare(&changes);
    if (!known_) changes.push_back({Kind::kSynced, {}, {}});
    known_ = true;
    ApplyDiffs(message, &changes);
  }
  if (!message.version().empty()) version_ = message.version();
  return changes;
}

void Roll::Disconnected() {
  in_state_ = version_.empty();
  parts_.clear();
  comparing_ = false;
  fresh_.clear();
  fresh_counts_.clear();
}

void Roll::ApplyStates(const v1::WatchResponse& message,
                       std::vector<Change>* changes) {
  for (const v1::TopicState& state : message.state()) {
    if (state.entries().empty()) continue;
    auto& topic = (comparing_ ? fresh_ : entries_)[state.topic()];
    for (const v1::Entry& raw : state.entries()) {
      v1::Entry entry = WithTopic(state.topic(), raw);
      topic[entry.ref()] = entry;
      if (!comparing_) {
        changes->push_back({Kind::kPresent, std::move(entry), {}});
      }
    }
  }
}

void Roll::ApplyDiffs(const v1::WatchResponse& message,
                      std::vector<Change>* changes) {
  // The diff is behind the cursor of a state that still arrives: part of it.
  std::vector<Change> unreported;
  for (const v1::TopicDiff& diff : message.diffs()) {
    ApplyDiff(diff, comparing_ ? &fresh_ : &entries_,
              comparing_ ? &unreported : changes);
  }
}

void Roll::ApplyCounts(const v1::WatchResponse& message,
                       std::vector<Change>* changes) {
  for (const v1::TopicCount& count : message.counts()) {
    if (comparing_) {
      fresh_counts_[count.topic()] = count;
      continue;
    }
    v1::TopicCount& known = counts_[count.topic()];
    known = count;
    changes->push_back({Kind::kCount, {}, count});
    if (count.entries() == 0) counts_.erase(count.topic());
  }
}

void Roll::Compare(std::vector<Change>* changes) {
  comparing_ = false;
  static const std::map<std::string, v1::Entry> kNone;
  for (const auto& [topic, before] : entries_) {
    const auto after = fresh_.find(topic);
    CompareTopic(before, after == fresh_.end() ? kNone : after->second,
                 changes);
  }
  for (const auto& [topic, after] : fresh_) {
    if (!entries_.contains(topic)) CompareTopic(kNone, after, changes);
  }
  entries_ = std::exchange(fresh_, {});

  for (const auto& [topic, before] : counts_) {
    if (fresh_counts_.contains(topic)) continue;
    v1::TopicCount none;
    none.set_topic(topic);
    changes->push_back({Kind::kCount, {}, none});
  }
  for (const auto& [topic, after] : fresh_counts_) {
    const auto before = counts_.find(topic);
    if (before != counts_.end() &&
        before->second.entries() == after.entries() &&
        before->second.keys() == after.keys()) {
      continue;
    }
    changes->push_back({Kind::kCount, {}, after});
  }
  counts_ = std::exchange(fresh_counts_, {});
}

}  // namespace muster::client
