#include "crdt/keyspace/key_store.h"

#include <algorithm>
#include <cstring>

#include "crdt/check.h"
#include "crdt/keyspace/wire.h"

namespace muster::kv {
namespace {

constexpr uint8_t kDbMask = 0x0f;
constexpr uint8_t kLarge = 0x10;
constexpr uint8_t kDue = 0x20;
// Head, key size and key: what is read before the size of a blob is known.
constexpr size_t kMaxVarint = 10;
// Of a blob with a large key: where its elements are.
constexpr size_t kPointerBytes = sizeof(void*);

}  // namespace

KeyStore::KeyStore() {
  indexes_.reserve(kDatabases);
  for (uint8_t db = 0; db < kDatabases; ++db)
    indexes_.emplace_back(Traits{&rows_});
}

KeyStore::~KeyStore() {
  for (uint8_t db = 0; db < kDatabases; ++db) {
    for (RowIdx row : Database(db)) delete Read(row).large;
  }
}

KeyBlob KeyStore::Read(RowIdx row) const {
  const char* at = slab_.Data(rows_[row].blob);
  const auto head = static_cast<uint8_t>(at[0]);
  KeyBlob blob;
  blob.name.db = head & kDbMask;
  blob.type = static_cast<Type>(at[1]);
  // A blob ends behind what these sizes say; no view reads beyond it.
  absl::string_view bytes(at + 2, kMaxVarint);
  uint64_t size = 0;
  MUSTER_CHECK(TakeVarint(bytes, size));
  blob.name.key = {bytes.data(), size};
  at = bytes.data() + size;
  if ((head & kDue) != 0) {
    std::memcpy(&blob.deadline.at_ms, at, 8);
    at += 8;
  }
  if ((head & kLarge) != 0) {
    std::memcpy(&blob.large, at, kPointerBytes);
    return blob;
  }
  bytes = {at, kMaxVarint};
  MUSTER_CHECK(TakeVarint(bytes, size));
  blob.elements = {bytes.data(), size};
  return blob;
}

RowIdx KeyStore::Find(const KeyName& name, uint64_t hash) const {
  const auto& index = indexes_[name.db];
  const auto low = static_cast<uint32_t>(hash);
  for (RowIdx row = index.First(low); row != kNone; row = index.Next(row)) {
    if (rows_[row].hash == low && Read(row).name.key == name.key) return row;
  }
  return kNone;
}

KeyView KeyStore::ViewOf(RowIdx row, Time now) const {
  if (row == kNone) return {};
  const KeyBlob blob = Read(row);
  if (blob.deadline.IsDue(now)) return {};
  return {this, row, blob.type};
}

void KeyStore::Write(RowIdx row, uint64_t hash, const KeyBlob& blob) {
  std::string& bytes = scratch_;
  bytes.clear();
  uint8_t head = blob.name.db;
  if (blob.large != nullptr) head |= kLarge;
  if (blob.deadline.IsSet()) head |= kDue;
  bytes.push_back(static_cast<char>(head));
  bytes.push_back(static_cast<char>(blob.type));
  AppendVarint(blob.name.key.size(), bytes);
  bytes.append(blob.name.key.data(), blob.name.key.size());
  if (blob.deadline.IsSet()) AppendFixed(blob.deadline.at_ms, bytes);
  if (blob.large != nullptr) {
    bytes.append(reinterpret_cast<const char*>(&blob.large), kPointerBytes);
  } else {
    AppendVarint(blob.elements.size(), bytes);
    bytes.append(blob.elements.data(), blob.elements.size());
  }
  const uint8_t db = blob.name.db;
  const crdt::Slab::Handle handle = slab_.Alloc(bytes.size());
  std::memcpy(slab_.Data(handle), bytes.data(), bytes.size());
  KeyBlob old;
  if (row == kNone) {
    row = rows_.Alloc();
    rows_[row].hash = static_cast<uint32_t>(hash);
    rows_[row].blob = handle;
    indexes_[db].Insert(row);
  } else {
    old = Read(row);
    if (old.large != blob.large) delete old.large;
    slab_.Free(rows_[row].blob);
    rows_[row].blob = handle;
  }
  shown_[db] += (blob.type != Type::kNone) - (old.type != Type::kNone);
  if (old.deadline == blob.deadline) return;
  if (old.deadline.IsSet()) due_.erase({old.deadline.at_ms, row});
  if (blob.deadline.IsSet()) due_.insert({blob.deadline.at_ms, row});
}

void KeyStore::Erase(RowIdx row) {
  const KeyBlob blob = Read(row);
  if (!unsettled_.empty()) {
    unsettled_.erase({blob.name.db, std::string(blob.name.key)});
  }
  if (blob.deadline.IsSet()) due_.erase({blob.deadline.at_ms, row});
  if (blob.type != Type::kNone) --shown_[blob.name.db];
  delete blob.large;
  indexes_[blob.name.db].Erase(row);
  slab_.Free(rows_[row].blob);
  rows_.Free(row);
}

void KeyStore::ForBucket(uint8_t db, uint32_t bucket,
                         absl::FunctionRef<void(RowIdx)> visit) const {
  const auto& index = indexes_[db];
  const auto chain = [&](uint32_t hash) {
    for (RowIdx row = index.First(hash); row != kNone; row = index.Next(row)) {
      if (BucketOf(rows_[row].hash) == bucket) visit(row);
    }
  };
  // The lists of the index that rows of the bucket are in: those with its
  // number in their low bits, or while there are fewer the one it falls into.
  chain(bucket);
  for (uint64_t list = uint64_t{bucket} + kBuckets; list < index.buckets();
       list += kBuckets) {
    chain(static_cast<uint32_t>(list));
  }
}

std::vector<RowIdx> KeyStore::Bucket(uint32_t bucket) const {
  std::vector<RowIdx> found;
  for (uint8_t db = 0; db < kDatabases; ++db) {
    if (indexes_[db].size() == 0) continue;
    ForBucket(db, bucket, [&found](RowIdx row) { found.push_back(row); });
  }
  std::sort(found.begin(), found.end(),
            [this](RowIdx a, RowIdx b) { return Read(a).name < Read(b).name; });
  return found;
}

std::vector<RowIdx> KeyStore::Database(uint8_t db) const {
  std::vector<RowIdx> found;
  const auto& index = indexes_[db];
  found.reserve(index.size());
  for (uint32_t list = 0; list < index.buckets(); ++list) {
    for (RowIdx row = index.First(list); row != kNone; row = index.Next(row)) {
      found.push_back(row);
    }
  }
  return found;
}

size_t KeyStore::bytes() const {
  size_t heads = 0;
  for (const auto& index : indexes_) heads += size_t{4} * index.buckets();
  return rows_.bytes() + heads + slab_.bytes() + large_bytes_;
}

}  // namespace muster::kv
