#include "node/core/watch/change_ring.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "crdt/check.h"

namespace muster::core {
namespace {

char* Put(char* to, absl::string_view bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

}  // namespace

size_t ChangeRing::BlobBytes(const Record& record) {
  size_t size = size_t{record.topic_size} + record.key_size + record.meta_size;
  if (record.kind == Change::Kind::kUpdate) size += sizeof(crdt::Ref);
  return size;
}

uint64_t ChangeRing::Append(const Change& change) {
  if (last_ - first_ + 1 == records_.size()) GrowRecords();
  ++last_;
  Record& record = Slot(last_);
  record.stamp = change.stamp;
  record.ref = change.ref;
  record.topic_size = static_cast<uint32_t>(change.topic.size());
  record.key_size = static_cast<uint32_t>(change.key.size());
  record.meta_size = static_cast<uint32_t>(change.meta.size());
  record.kind = change.kind;
  record.key_entries = change.key_entries;
  const size_t size = BlobBytes(record);
  char* to = Reserve(size);
  record.bytes = to;
  to = Put(Put(Put(to, change.topic), change.key), change.meta);
  if (change.kind == Change::Kind::kUpdate) {
    std::memcpy(to, &change.ref_prev, sizeof(crdt::Ref));
  }
  chunks_.back().last = last_;
  blob_bytes_ += size;
  Trim();
  return last_;
}

void ChangeRing::Skip() {
  MUSTER_CHECK(first_ > last_);
  ++last_;
  ++first_;
}

Change ChangeRing::At(uint64_t counter) const {
  const Record& record = records_[counter & (records_.size() - 1)];
  const char* at = record.bytes;
  Change change;
  change.kind = record.kind;
  change.key_entries = record.key_entries;
  change.topic = {at, record.topic_size};
  change.key = {at += record.topic_size, record.key_size};
  change.meta = {at += record.key_size, record.meta_size};
  change.ref = record.ref;
  if (record.kind == Change::Kind::kUpdate) {
    std::memcpy(static_cast<void*>(&change.ref_prev), at + record.meta_size,
                sizeof(crdt::Ref));
  }
  change.stamp = record.stamp;
  return change;
}

void ChangeRing::Unpin() {
  pin_ = UINT64_MAX;
  Trim();
}

char* ChangeRing::Reserve(size_t size) {
  if (chunks_.empty() || chunks_.back().capacity - chunks_.back().used < size) {
    AddChunk(size);
  }
  Chunk& chunk = chunks_.back();
  char* at = chunk.memory.get() + chunk.used;
  chunk.used += size;
  return at;
}

void ChangeRing::AddChunk(size_t at_least) {
  if (at_least <= kChunkBytes && spare_.memory != nullptr) {
    chunks_.push_back(std::exchange(spare_, {}));
    return;
  }
  Chunk chunk;
  chunk.capacity = std::max(at_least, kChunkBytes);
  // Not value-initialised: a chunk costs memory only as it is used.
  chunk.memory.reset(new char[chunk.capacity]);
  chunk_bytes_ += chunk.capacity;
  chunks_.push_back(std::move(chunk));
}

void ChangeRing::GrowRecords() {
  std::vector<Record> old = std::move(records_);
  const size_t old_size = old.size();
  records_ = std::vector<Record>(std::max<size_t>(64, old_size * 2));
  for (uint64_t c = first_; c <= last_; ++c) Slot(c) = old[c & (old_size - 1)];
}

void ChangeRing::EvictOldest() {
  blob_bytes_ -= BlobBytes(Slot(first_));
  ++first_;
  while (chunks_.size() > 1 && chunks_.front().last < first_) {
    Chunk chunk = std::move(chunks_.front());
    chunks_.pop_front();
    if (chunk.capacity == kChunkBytes && spare_.memory == nullptr) {
      chunk.used = 0;
      spare_ = std::move(chunk);
    } else {
      chunk_bytes_ -= chunk.capacity;
    }
  }
}

void ChangeRing::Trim() {
  while (first_ < last_ && first_ < pin_ &&
         (last_ - first_ >= limits_.max_changes ||
          blob_bytes_ + (last_ - first_ + 1) * sizeof(Record) >
              limits_.max_bytes)) {
    EvictOldest();
  }
}

}  // namespace muster::core
