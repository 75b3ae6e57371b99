#include "tests/sim/mirror.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace muster::sim {

Content ContentOf(absl::string_view topic, const core::EntryView& entry) {
  return {std::string(topic), std::string(entry.key), std::string(entry.meta)};
}

std::string Mirror::Apply(const core::WatchBatch& batch, Listener* listener) {
  if (batch.reset) {
    entries_.clear();
    complete_ = false;
    version_ = 0;
    counts_.clear();
    keys_.clear();
    touched_.clear();
    if (listener != nullptr) listener->OnReset();
  }
  for (const core::TopicState& state : batch.state) {
    std::string error = ApplyState(state, listener);
    if (!error.empty()) return error;
  }
  for (const core::TopicDiff& diff : batch.diffs) {
    std::string error = ApplyDiff(diff, listener);
    if (!error.empty()) return error;
  }
  if (std::string error = ApplyKeys(batch); !error.empty()) return error;
  for (const core::TopicCount& count : batch.counts) {
    counts_[std::string(count.topic)] = {count.entries, count.keys};
  }
  return Versions(batch);
}

void Mirror::Count(const Content& entry, int by) {
  if (!expect_keys_) return;
  keys_[{entry.topic, entry.key}].now += by;
  touched_.emplace(entry.topic, entry.key);
}

std::string Mirror::ApplyKeys(const core::WatchBatch& batch) {
  for (const core::TopicDiff& diff : batch.diffs) {
    if (!diff.keys.empty() && (!expect_keys_ || batch.version_counter == 0)) {
      return "M5: keys that were not asked for, or too soon";
    }
    for (const core::KeyChange& change : diff.keys) {
      std::string error = ApplyKey(diff.topic, change);
      if (!error.empty()) return error;
    }
  }
  if (batch.version_counter == 0) return "";
  // The keys of a state follow from its entries.
  const bool state = batch.state_complete && !complete_ && batch.diffs.empty();
  for (const auto& name : std::exchange(touched_, {})) {
    const auto key = keys_.find(name);
    if (state) key->second.told = key->second.now;
    if (key->second.told != key->second.now) {
      return absl::StrCat("M5: key ", name.second, " of ", name.first,
                          " was not told of");
    }
    if (key->second.now == 0) keys_.erase(key);
  }
  return "";
}

std::string Mirror::ApplyKey(absl::string_view topic,
                             const core::KeyChange& change) {
  KeyEntries& key = keys_[{std::string(topic), std::string(change.key)}];
  const bool right = change.entries == key.now && key.now != key.told &&
                     change.first_in == (key.told == 0) &&
                     change.last_out == (key.now == 0);
  if (!right) {
    return absl::StrCat("M5: key ", std::string(change.key), " of ",
                        std::string(topic), " is said to have ", change.entries,
                        " entries; it has ", key.now, ", had ", key.told);
  }
  key.told = key.now;
  return "";
}

std::string Mirror::Versions(const core::WatchBatch& batch) {
  if (batch.state_complete) complete_ = true;
  if (batch.version_counter == 0) return "";
  if (!complete_) return "M4: a version before the state is complete";
  if (batch.version_life == life_ && batch.version_counter < version_) {
    return absl::StrCat("M4: version ", batch.version_counter, " after ",
                        version_);
  }
  life_ = batch.version_life;
  version_ = batch.version_counter;
  return "";
}

std::string Mirror::ApplyState(const core::TopicState& state,
                               Listener* listener) {
  if (complete_) return "M3: a state after the state was complete";
  for (const core::EntryView& entry : state.entries) {
    const RefKey ref = KeyOf(entry.ref);
    Content content = ContentOf(state.topic, entry);
    auto [it, fresh] = entries_.try_emplace(ref, std::move(content));
    if (!fresh) return absl::StrCat("M3: state twice: ", ToString(ref));
    ++states_;
    Count(it->second, 1);
    if (listener != nullptr) listener->OnJoin(ref, it->second, true);
  }
  return "";
}

std::string Mirror::ApplyDiff(const core::TopicDiff& diff, Listener* listener) {
  const std::string topic(diff.topic);
  for (const core::EntryView& entry : diff.joins) {
    const RefKey ref = KeyOf(entry.ref);
    auto [it, fresh] = entries_.try_emplace(ref, ContentOf(topic, entry));
    if (!fresh) return absl::StrCat("M1: joined twice: ", ToString(ref));
    ++diffs_;
    Count(it->second, 1);
    if (listener != nullptr) listener->OnJoin(ref, it->second, false);
  }
  for (const core::EntryView& entry : diff.updates) {
    std::string error = ApplyUpdate(topic, entry, listener);
    if (!error.empty()) return error;
  }
  for (const core::EntryView& entry : diff.leaves) {
    const RefKey ref = KeyOf(entry.ref);
    auto node = entries_.extract(ref);
    if (node.empty()) {
      return absl::StrCat("M1: left, but was not there: ", ToString(ref));
    }
    ++diffs_;
    Count(node.mapped(), -1);
    if (listener != nullptr) listener->OnLeave(ref, node.mapped());
  }
  return "";
}

std::string Mirror::ApplyUpdate(const std::string& topic,
                                const core::EntryView& entry,
                                Listener* listener) {
  const RefKey ref = KeyOf(entry.ref);
  const RefKey old = KeyOf(entry.ref_prev);
  auto node = entries_.extract(old);
  if (node.empty()) {
    return absl::StrCat("M1: ", ToString(ref), " updates ", ToString(old),
                        ", which was not there");
  }
  Content content = ContentOf(topic, entry);
  if (node.mapped().topic != content.topic ||
      node.mapped().key != content.key) {
    return absl::StrCat("M2: an update moved ", ToString(ref));
  }
  auto [it, fresh] = entries_.try_emplace(ref, std::move(content));
  if (!fresh) return absl::StrCat("M2: updated to a known ", ToString(ref));
  ++diffs_;
  if (listener != nullptr) listener->OnUpdate(old, ref, it->second);
  return "";
}

}  // namespace muster::sim
