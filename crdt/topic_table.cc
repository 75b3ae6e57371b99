#include "crdt/topic_table.h"

#include <cstring>

#include "crdt/presence_bytes.h"

namespace muster::crdt {

TopicTable::TopicTable(EntryRows& rows, uint64_t hash_seed)
    : rows_(rows), hash_seed_(hash_seed), by_name_hash_({this}) {}

uint32_t TopicTable::HashOf(absl::string_view name) const {
  return static_cast<uint32_t>(HashBytes(name, hash_seed_));
}

absl::string_view TopicTable::name(TopicIdx topic) const {
  uint64_t size;
  const Slab& slab = rows_.slab();
  const char* at = GetVarint(slab.Data(topics_[topic].name), size);
  return {at, size};
}

TopicIdx TopicTable::Find(absl::string_view wanted) const {
  uint64_t hash = HashOf(wanted);
  for (TopicIdx i = by_name_hash_.First(hash); i != kNone;
       i = by_name_hash_.Next(i)) {
    if (name(i) == wanted) return i;
  }
  return kNone;
}

TopicIdx TopicTable::Intern(absl::string_view name) {
  TopicIdx found = Find(name);
  if (found != kNone) return found;
  TopicIdx i = topics_.Alloc();
  Topic& topic = topics_[i];
  Slab& slab = rows_.slab();
  topic.name = slab.Alloc(VarintSize(name.size()) + name.size());
  char* at = PutVarint(slab.Data(topic.name), name.size());
  std::memcpy(at, name.data(), name.size());
  if (free_orders_.empty()) {
    topic.order = static_cast<uint32_t>(orders_.size());
    orders_.emplace_back(ByStamp{&rows_});
  } else {
    topic.order = free_orders_.back();
    free_orders_.pop_back();
  }
  by_name_hash_.Insert(i);
  by_name_.emplace(std::string(name), i);
  return i;
}

void TopicTable::Release(TopicIdx i) {
  Topic& topic = topics_[i];
  if (topic.pins > 0 || !orders_[topic.order].empty()) return;
  by_name_.erase(by_name_.find(name(i)));
  by_name_hash_.Erase(i);
  free_orders_.push_back(topic.order);
  rows_.slab().Free(topic.name);
  topics_.Free(i);
}

TopicIdx TopicTable::Pin(absl::string_view name) {
  TopicIdx topic = Intern(name);
  ++topics_[topic].pins;
  return topic;
}

void TopicTable::Unpin(TopicIdx topic) {
  --topics_[topic].pins;
  Release(topic);
}

TopicIdx TopicTable::AtOrAfter(absl::string_view name) const {
  auto it = by_name_.lower_bound(name);
  return it == by_name_.end() ? kNone : it->second;
}

TopicIdx TopicTable::After(TopicIdx topic) const {
  auto it = by_name_.upper_bound(name(topic));
  return it == by_name_.end() ? kNone : it->second;
}

size_t TopicTable::bytes() const {
  // Nodes of the ordered map, by their usual fill.
  constexpr size_t kNameBytes = sizeof(std::string) + 8;
  return topics_.bytes() + orders_.size() * sizeof(Order) +
         by_name_.size() * kNameBytes;
}

}  // namespace muster::crdt
