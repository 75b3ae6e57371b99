#include "node/core/watch/watch_diff.h"

#include <utility>

namespace muster::core {

DiffContent::DiffContent(WatchDetail detail, bool live)
    : entries(detail != WatchDetail::kKeys) {
  if (detail == WatchDetail::kEntries || (entries && !live)) return;
  keys = live ? Keys::kChanges : Keys::kNumbers;
}

bool DiffBuilder::BeginsPart(const Change& change) const {
  if (part_ == nullptr) return true;
  // A key is told of once.
  if (!content_.entries) return false;
  if (part_->arena.used() + entries_ * kEntryOverheadBytes >=
      kWatchBatchBytes) {
    return true;
  }
  switch (change.kind) {
    case Change::Kind::kJoin:
      return left_.contains(change.ref) || replaced_.contains(change.ref);
    case Change::Kind::kUpdate:
      return left_.contains(change.ref);
    case Change::Kind::kLeave:
      return false;
  }
  return false;
}

void DiffBuilder::Add(const Change& change) {
  const bool update = change.kind == Change::Kind::kUpdate;
  if (update && !content_.entries) return;
  if (BeginsPart(change)) BeginPart();
  EntryView copy;
  if (content_.entries) copy = AddEntry(change);
  if (!update && content_.keys != DiffContent::Keys::kNone) {
    AddKey(change, copy);
  }
}

EntryView DiffBuilder::AddEntry(const Change& change) {
  ++entries_;
  TopicDiff& diff = DiffOf(change.topic);
  EntryView entry;
  entry.topic = diff.topic;
  entry.key = part_->arena.Copy(change.key);
  entry.meta = part_->arena.Copy(change.meta);
  entry.ref = change.ref;
  switch (change.kind) {
    case Change::Kind::kJoin:
      diff.joins.push_back(entry);
      break;
    case Change::Kind::kUpdate:
      entry.ref_prev = change.ref_prev;
      replaced_.insert(change.ref_prev);
      diff.updates.push_back(entry);
      break;
    case Change::Kind::kLeave:
      left_.insert(change.ref);
      diff.leaves.push_back(entry);
      break;
  }
  return entry;
}

// `copy`: of the change in the part, empty where only keys are told of.
void DiffBuilder::AddKey(const Change& change, const EntryView& copy) {
  const uint64_t after = change.key_entries;
  const auto found = touched_of_.find({change.topic, change.key});
  if (found != touched_of_.end()) {
    touched_[found->second].after = after;
    return;
  }
  Touched touched;
  if (content_.entries) {
    touched.topic = copy.topic;
    touched.key = copy.key;
  } else {
    touched.topic = DiffOf(change.topic).topic;
    touched.key = part_->arena.Copy(change.key);
  }
  touched.before = change.kind == Change::Kind::kJoin ? after - 1 : after + 1;
  touched.after = after;
  touched_of_.emplace(std::make_pair(touched.topic, touched.key),
                      touched_.size());
  touched_.push_back(touched);
}

void DiffBuilder::BeginPart() {
  if (part_ != nullptr) done_.push_back(std::move(part_));
  part_ = std::make_shared<WatchBatch>();
  part_->version_life = self_;
  entries_ = 0;
  diff_of_.clear();
  left_.clear();
  replaced_.clear();
}

TopicDiff& DiffBuilder::DiffOf(absl::string_view topic) {
  std::vector<TopicDiff>& diffs = part_->diffs;
  if (!diffs.empty() && diffs.back().topic == topic) return diffs.back();
  const auto found = diff_of_.find(topic);
  if (found != diff_of_.end()) return diffs[found->second];
  diffs.emplace_back();
  diffs.back().topic = part_->arena.Copy(topic);
  diff_of_.emplace(diffs.back().topic, diffs.size() - 1);
  return diffs.back();
}

void DiffBuilder::CompleteReplay() {
  if (part_ == nullptr) BeginPart();
  part_->state_complete = true;
}

void DiffBuilder::TellKeys() {
  for (const Touched& touched : touched_) {
    if (touched.before == touched.after) continue;
    TopicDiff& diff = DiffOf(touched.topic);
    KeyChange key;
    // What an earlier part holds may go before this one does.
    key.key = done_.empty() ? touched.key : part_->arena.Copy(touched.key);
    key.entries = touched.after;
    if (content_.keys == DiffContent::Keys::kChanges) {
      key.first_in = touched.before == 0;
      key.last_out = touched.after == 0;
    }
    diff.keys.push_back(key);
  }
  touched_.clear();
  touched_of_.clear();
  if (content_.entries) return;
  std::erase_if(part_->diffs,
                [](const TopicDiff& diff) { return diff.keys.empty(); });
}

WatchBatches DiffBuilder::Finish(uint64_t version) {
  if (part_ != nullptr) {
    TellKeys();
    part_->version_counter = version;
    if (version != 0 || !part_->diffs.empty()) {
      done_.push_back(std::move(part_));
    }
    part_ = nullptr;
  }
  content_ = {};
  return std::exchange(done_, {});
}

}  // namespace muster::core
