#include "tests/sim/mirror.h"

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
  for (const core::TopicCount& count : batch.counts) {
    counts_[std::string(count.topic)] = {count.entries, count.keys};
  }
  return Versions(batch);
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
