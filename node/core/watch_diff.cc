#include "node/core/watch_diff.h"

#include <utility>

namespace muster::core {

bool DiffBuilder::BeginsPart(const Change& change) const {
  if (part_ == nullptr) return true;
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
  if (BeginsPart(change)) BeginPart();
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

WatchBatches DiffBuilder::Finish(uint64_t version) {
  if (part_ != nullptr) {
    part_->version_counter = version;
    done_.push_back(std::move(part_));
    part_ = nullptr;
  }
  return std::exchange(done_, {});
}

}  // namespace muster::core
