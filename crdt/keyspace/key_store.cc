#include "crdt/keyspace/key_store.h"

// Inlined: most of what is hashed is short.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "crdt/check.h"

namespace muster::kv {
namespace {

constexpr uint8_t kDbMask = 0x0f;
constexpr uint8_t kLarge = 0x10;
constexpr uint8_t kDue = 0x20;
constexpr uint8_t kMixed = 0x40;
// Beside its blob: its row, and half a list of the index.
constexpr size_t kRowBytes = sizeof(Row) + 2;

bool HasShown(const KeyBlob& blob) {
  return blob.large == nullptr && blob.type >= Type::kHash;
}

size_t VarintBytes(uint64_t value) {
  size_t bytes = 1;
  for (; value >= 0x80; value >>= 7) ++bytes;
  return bytes;
}

char* PutVarint(uint64_t value, char* at) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<char>(value | 0x80);
  *at++ = static_cast<char>(value);
  return at;
}

uint64_t ReadSize(const char*& at) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<uint8_t>(*at++);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

template <typename T>
char* PutRaw(const T& value, char* at) {
  constexpr size_t kBytes =
      sizeof(std::conditional_t<std::is_pointer_v<T>, void*, T>);
  std::memcpy(at, &value, kBytes);
  return at + kBytes;
}

char* PutBytes(absl::string_view bytes, char* at) {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

// Of all in front of the elements, or of all of a large key.
size_t HeadBytes(const KeyBlob& blob, size_t elements) {
  size_t bytes = 2 + VarintBytes(blob.name.key.size()) + blob.name.key.size();
  if (blob.deadline.IsSet()) bytes += sizeof(uint64_t);
  if (blob.large != nullptr) return bytes + sizeof(void*);
  if (HasShown(blob)) bytes += sizeof(blob.shown);
  return bytes + VarintBytes(elements);
}

// `key` too, unless it is there.
char* PutHead(const KeyBlob& blob, size_t elements, bool in_place, char* at) {
  uint8_t head = blob.name.db;
  if (blob.large != nullptr) head |= kLarge;
  if (blob.deadline.IsSet()) head |= kDue;
  if (blob.mixed) head |= kMixed;
  *at++ = static_cast<char>(head);
  *at++ = static_cast<char>(blob.type);
  at = PutVarint(blob.name.key.size(), at);
  at = in_place ? at + blob.name.key.size() : PutBytes(blob.name.key, at);
  if (blob.deadline.IsSet()) at = PutRaw(blob.deadline.at_ms, at);
  if (blob.large != nullptr) return PutRaw(blob.large, at);
  if (HasShown(blob)) at = PutRaw(blob.shown, at);
  return PutVarint(elements, at);
}

}  // namespace

KeyStore::KeyStore(uint64_t hash_seed) : hash_seed_(hash_seed) {}

KeyStore::~KeyStore() {
  for (uint8_t db = 0; db < kDatabases; ++db) {
    for (RowIdx row : AllOf(db)) delete Read(row).large;
  }
  while (RunJob(SIZE_MAX)) continue;
}

// -------------------------------------------------------------------- blobs

KeyBlob KeyStore::Read(RowIdx row) const {
  const char* at = slab_.Data(rows_[row].blob);
  const auto head = static_cast<uint8_t>(*at++);
  KeyBlob blob;
  blob.name.db = head & kDbMask;
  blob.mixed = (head & kMixed) != 0;
  blob.type = static_cast<Type>(*at++);
  size_t size = ReadSize(at);
  blob.name.key = {at, size};
  at += size;
  if ((head & kDue) != 0) {
    std::memcpy(&blob.deadline.at_ms, at, sizeof(blob.deadline.at_ms));
    at += sizeof(blob.deadline.at_ms);
  }
  if ((head & kLarge) != 0) {
    std::memcpy(&blob.large, at, sizeof(void*));
    return blob;
  }
  if (HasShown(blob)) {
    std::memcpy(&blob.shown, at, sizeof(blob.shown));
    at += sizeof(blob.shown);
  }
  size = ReadSize(at);
  blob.elements = {at, size};
  return blob;
}

RowIdx KeyStore::Write(RowIdx row, const KeyBlob& blob) {
  const size_t elements = blob.elements.size();
  const size_t bytes = HeadBytes(blob, elements) + elements;
  const crdt::Slab::Handle handle = slab_.Alloc(bytes);
  PutBytes(blob.elements, PutHead(blob, elements, false, slab_.Data(handle)));
  if (row == kNone) {
    row = AddRow(blob.name, handle);
  } else {
    const KeyBlob old = Read(row);
    MUSTER_CHECK(old.large == nullptr || old.large == blob.large);
    Uncount(row, old);
    MoveDue(row, old, blob);
    slab_.Free(std::exchange(rows_[row].blob, handle));
    Count(row, blob);
    return row;
  }
  MoveDue(row, {}, Read(row));
  Count(row, Read(row));
  return row;
}

void KeyStore::Splice(RowIdx row, const KeyBlob& before, const KeyBlob& blob,
                      const PackedChange& change, absl::string_view bytes) {
  const absl::string_view front = blob.elements.substr(0, change.begin);
  const absl::string_view back = blob.elements.substr(change.end);
  const size_t elements = front.size() + bytes.size() + back.size();
  const size_t head = HeadBytes(blob, elements);
  const size_t size = head + elements;
  const crdt::Slab::Handle old = rows_[row].blob;
  char* const data = slab_.Data(old);
  const auto old_head = static_cast<size_t>(blob.elements.data() - data);
  const bool same_slot = slab_.SlotBytes(old) == crdt::Slab::RoundUp(size);
  if (before.deadline != blob.deadline) MoveDue(row, before, blob);
  if (same_slot && head == old_head) {
    char* const at = data + head + front.size();
    if (bytes.size() != change.end - change.begin) {
      std::memmove(at + bytes.size(), back.data(), back.size());
    }
    PutBytes(bytes, at);
    PutHead(blob, elements, true, data);
    return;
  }
  Uncount(row, before);
  const crdt::Slab::Handle handle = slab_.Alloc(size);
  char* at = PutHead(blob, elements, false, slab_.Data(handle));
  PutBytes(back, PutBytes(bytes, PutBytes(front, at)));
  slab_.Free(old);
  rows_[row].blob = handle;
  Count(row, before);
}

void KeyStore::CountLarge(RowIdx row) {
  const KeyBlob blob = Read(row);
  const size_t bytes = blob.large->bytes();
  const size_t change = bytes - blob.large->counted;
  blob.large->counted = bytes;
  databases_[blob.name.db]->usage[static_cast<size_t>(blob.type)].bytes +=
      change;
}

void KeyStore::Uncount(RowIdx row, const KeyBlob& blob) {
  Database& database = *databases_[blob.name.db];
  TypeUsage& usage = database.usage[static_cast<size_t>(blob.type)];
  --usage.keys;
  usage.bytes -= kRowBytes + slab_.SlotBytes(rows_[row].blob);
  if (blob.large != nullptr) usage.bytes -= blob.large->counted;
}

void KeyStore::Count(RowIdx row, const KeyBlob& blob) {
  Database& database = *databases_[blob.name.db];
  TypeUsage& usage = database.usage[static_cast<size_t>(blob.type)];
  ++usage.keys;
  usage.bytes += kRowBytes + slab_.SlotBytes(rows_[row].blob);
  if (blob.large == nullptr) return;
  blob.large->counted = blob.large->bytes();
  usage.bytes += blob.large->counted;
}

void KeyStore::MoveDue(RowIdx row, const KeyBlob& from, const KeyBlob& to) {
  if (from.deadline == to.deadline) return;
  auto& due = databases_[to.name.db]->due;
  if (from.deadline.IsSet()) due.erase({from.deadline.at_ms, row});
  if (to.deadline.IsSet()) due.insert({to.deadline.at_ms, row});
}

// --------------------------------------------------------------------- rows

uint32_t KeyStore::SeededHash(const KeyName& name) const {
  return static_cast<uint32_t>(XXH3_64bits_withSeed(
      name.key.data(), name.key.size(), hash_seed_ + name.db));
}

RowIdx KeyStore::Find(const KeyName& name) const {
  if (found_.valid && found_.name == name) return found_.row;
  const Database* const database = databases_[name.db].get();
  if (database == nullptr) return kNone;
  const uint32_t hash = SeededHash(name);
  const auto& index = database->index;
  RowIdx row = index.First(hash);
  while (row != kNone &&
         (rows_[row].hash != hash || Read(row).name.key != name.key)) {
    row = index.Next(row);
  }
  found_.valid = name.key.size() <= kMaxFoundBytes;
  if (found_.valid) {
    found_.key.assign(name.key.data(), name.key.size());
    found_.name = {name.db, found_.key};
    found_.row = row;
  }
  return row;
}

KeyView KeyStore::ViewOf(RowIdx row, Time now) const {
  if (row == kNone) return {};
  const KeyBlob blob = Read(row);
  if (blob.deadline.IsDue(now)) return {};
  return {this, row, blob.type};
}

Database& KeyStore::DatabaseOf(uint8_t db) {
  if (databases_[db] != nullptr) return *databases_[db];
  databases_[db] = std::make_unique<Database>(rows_);
  if (split_) {
    databases_[db]->digests = std::make_unique<BucketDigests>();
    return *databases_[db];
  }
  // Digests are of each from the second one on.
  for (uint8_t other = 0; other < kDatabases; ++other) {
    if (other == db || databases_[other] == nullptr) continue;
    split_ = true;
    databases_[other]->digests = std::make_unique<BucketDigests>(digests_);
    databases_[db]->digests = std::make_unique<BucketDigests>();
  }
  return *databases_[db];
}

RowIdx KeyStore::AddRow(const KeyName& name, crdt::Slab::Handle handle) {
  Database& database = DatabaseOf(name.db);
  const RowIdx row = rows_.Alloc();
  Row& added = rows_[row];
  added.hash = SeededHash(name);
  added.blob = handle;
  RowIdx& first = database.buckets[BucketOf(HashOf(name))];
  added.after = first;
  if (first != kNone) rows_[first].before = row;
  first = row;
  database.index.Insert(row);
  if (found_.valid && found_.name == name) found_.row = row;
  return row;
}

void KeyStore::DropRow(RowIdx row, const KeyBlob& blob) {
  Database& database = *databases_[blob.name.db];
  const uint32_t bucket = BucketOf(HashOf(blob.name));
  NoteRemoval(bucket);
  if (!undoing_) SetUnsettled(blob.name, false);
  Uncount(row, blob);
  if (blob.deadline.IsSet()) database.due.erase({blob.deadline.at_ms, row});
  const Row& dropped = rows_[row];
  if (dropped.after != kNone) rows_[dropped.after].before = dropped.before;
  if (dropped.before != kNone) {
    rows_[dropped.before].after = dropped.after;
  } else {
    database.buckets[bucket] = dropped.after;
  }
  database.index.Erase(row);
  slab_.Free(dropped.blob);
  rows_.Free(row);
  if (found_.row == row) found_.row = kNone;
}

void KeyStore::Erase(RowIdx row) {
  const KeyBlob blob = Read(row);
  const std::unique_ptr<LargeKey> large(blob.large);
  DropRow(row, blob);
}

// ------------------------------------------------------------------ a whole

void KeyStore::Detach(RowIdx row) {
  const KeyBlob blob = Read(row);
  DetachedKey detached{std::string(blob.name.key),
                       blob.name.db,
                       blob.type,
                       blob.deadline,
                       blob.mixed,
                       nullptr};
  detached.large.reset(blob.large);
  AddDigest(blob.name.db, BucketOf(HashOf(blob.name)),
            uint64_t{0} - blob.large->digest());
  DropRow(row, blob);
  if (journaling_) {
    journal_.NoteKey(std::move(detached));
  } else {
    Bury(std::move(detached.large));
  }
}

void KeyStore::Attach(DetachedKey key) {
  KeyBlob blob;
  blob.name = {key.db, key.key};
  blob.type = key.type;
  blob.deadline = key.deadline;
  blob.mixed = key.mixed;
  blob.large = key.large.release();
  Write(kNone, blob);
  AddDigest(key.db, BucketOf(HashOf(blob.name)), blob.large->digest());
}

void KeyStore::DetachDatabase(uint8_t db) {
  std::unique_ptr<Database> detached = std::move(databases_[db]);
  if (detached == nullptr) return;
  found_.valid = false;
  if (writer_.seq.value != 0) {
    removals_of_ = writer_.life;
    removals_.clear();
    all_removed_ = writer_.seq;
  }
  if (detached->digests == nullptr) {
    detached->digests = std::make_unique<BucketDigests>();
    std::swap(*detached->digests, digests_);
  } else {
    digests_.Subtract(*detached->digests);
  }
  if (journaling_) {
    journal_.NoteDatabase(db, std::move(detached));
  } else {
    Bury(std::move(detached));
  }
}

void KeyStore::Attach(uint8_t db, std::unique_ptr<Database> database) {
  digests_.Add(*database->digests);
  // One that was made meanwhile is empty.
  for (uint8_t other = 0; other < kDatabases; ++other) {
    if (other == db || databases_[other] == nullptr) continue;
    if (!split_) databases_[other]->digests = std::make_unique<BucketDigests>();
    split_ = true;
  }
  if (!split_) database->digests.reset();
  databases_[db] = std::move(database);
  found_.valid = false;
}

const SeqBounds& KeyStore::bounds(uint8_t db) const {
  return databases_[db]->bounds;
}

void KeyStore::AddDigest(uint8_t db, uint32_t bucket, uint64_t change) {
  Database& database = DatabaseOf(db);
  digests_.Add(bucket, change);
  if (database.digests != nullptr) database.digests->Add(bucket, change);
}

// --------------------------------------------------------------------- jobs

void KeyStore::Bury(std::unique_ptr<LargeKey> large) {
  if (large == nullptr) return;
  large->Free(kFreedAtOnce);
  if (!large->empty()) dead_keys_.push_back(std::move(large));
}

void KeyStore::Bury(std::unique_ptr<Database> database) {
  if (database == nullptr) return;
  next_list_ = 0;
  dead_.push_back(std::move(database));
}

size_t KeyStore::FreeRows(Database& database, size_t budget) {
  size_t freed = 0;
  while (freed < budget && !database.due.empty()) {
    database.due.erase(database.due.begin());
    ++freed;
  }
  while (freed < budget && !database.unsettled.empty()) {
    database.unsettled.erase(database.unsettled.begin());
    ++freed;
  }
  const auto& index = database.index;
  for (; freed < budget && next_list_ < index.buckets(); ++next_list_) {
    for (RowIdx row = index.First(next_list_); row != kNone; ++freed) {
      const RowIdx next = index.Next(row);
      Bury(std::unique_ptr<LargeKey>(Read(row).large));
      slab_.Free(rows_[row].blob);
      rows_.Free(row);
      row = next;
    }
  }
  return freed;
}

bool KeyStore::RunJob(size_t budget) {
  while (budget > 0 && !dead_keys_.empty()) {
    budget -= dead_keys_.back()->Free(budget);
    if (dead_keys_.back()->empty()) dead_keys_.pop_back();
  }
  if (budget > 0 && !dead_.empty()) {
    Database& database = *dead_.back();
    FreeRows(database, budget);
    if (database.due.empty() && database.unsettled.empty() &&
        next_list_ == database.index.buckets()) {
      next_list_ = 0;
      dead_.pop_back();
    }
  }
  return HasJob();
}

// ---------------------------------------------------------------- databases

uint64_t KeyStore::rows(uint8_t db) const {
  return databases_[db] == nullptr ? 0 : databases_[db]->index.size();
}

TypeUsage KeyStore::usage(uint8_t db, Type type) const {
  if (databases_[db] == nullptr) return {};
  return databases_[db]->usage[static_cast<size_t>(type)];
}

void KeyStore::ForBucket(uint8_t db, uint32_t bucket,
                         absl::FunctionRef<void(RowIdx)> visit) const {
  if (databases_[db] == nullptr) return;
  RowIdx row = databases_[db]->buckets[bucket];
  for (; row != kNone; row = rows_[row].after) visit(row);
}

std::vector<RowIdx> KeyStore::Bucket(uint32_t bucket) const {
  std::vector<RowIdx> found;
  for (uint8_t db = 0; db < kDatabases; ++db) {
    ForBucket(db, bucket, [&found](RowIdx row) { found.push_back(row); });
  }
  std::sort(found.begin(), found.end(),
            [this](RowIdx a, RowIdx b) { return Read(a).name < Read(b).name; });
  return found;
}

std::vector<RowIdx> KeyStore::AllOf(uint8_t db) const {
  std::vector<RowIdx> found;
  if (databases_[db] == nullptr) return found;
  const auto& index = databases_[db]->index;
  found.reserve(index.size());
  for (uint32_t list = 0; list < index.buckets(); ++list) {
    for (RowIdx row = index.First(list); row != kNone; row = index.Next(row)) {
      found.push_back(row);
    }
  }
  return found;
}

std::optional<std::pair<uint64_t, RowIdx>> KeyStore::FirstDue() const {
  std::optional<std::pair<uint64_t, RowIdx>> first;
  for (const auto& database : databases_) {
    if (database == nullptr || database->due.empty()) continue;
    const auto& due = *database->due.begin();
    if (!first.has_value() || due.first < first->first) first = due;
  }
  return first;
}

size_t KeyStore::due(uint8_t db) const {
  return databases_[db] == nullptr ? 0 : databases_[db]->due.size();
}

bool KeyStore::IsDueKept(uint8_t db, uint64_t at_ms, RowIdx row) const {
  return databases_[db]->due.contains({at_ms, row});
}

void KeyStore::SetUnsettled(const KeyName& key, bool unsettled) {
  if (databases_[key.db] == nullptr) return;
  auto& keys = databases_[key.db]->unsettled;
  if (!unsettled && keys.empty()) return;
  std::string name(key.key);
  const bool changed =
      unsettled ? keys.insert(name).second : keys.erase(name) > 0;
  if (changed && journaling_) journal_.NoteUnsettled(key, !unsettled);
}

std::optional<OwnedKey> KeyStore::FirstUnsettled() const {
  for (uint8_t db = 0; db < kDatabases; ++db) {
    const Database* const database = databases_[db].get();
    if (database == nullptr || database->unsettled.empty()) continue;
    return OwnedKey{db, *database->unsettled.begin()};
  }
  return std::nullopt;
}

size_t KeyStore::unsettled() const {
  size_t keys = 0;
  for (const auto& database : databases_) {
    if (database != nullptr) keys += database->unsettled.size();
  }
  return keys;
}

// ---------------------------------------------------------------- mutations

void KeyStore::CommitJournal() {
  journaling_ = false;
  journal_.Clear(*this);
}

void KeyStore::UndoJournal() {
  journaling_ = false;
  undoing_ = true;
  journal_.Undo(*this);
  undoing_ = false;
}

void KeyStore::NoteRemoval(uint32_t bucket) {
  if (writer_.seq.value == 0) return;
  if (removals_.empty() || removals_of_ != writer_.life) {
    // Removals from before another life led are not known any more.
    const bool other = removals_of_ != LifeId() && removals_of_ != writer_.life;
    if (other) all_removed_ = writer_.seq;
    removals_of_ = writer_.life;
    removals_.assign(kBuckets, Seq());
  }
  removals_[bucket] = writer_.seq;
}

Seq KeyStore::LastRemoval(const LifeId& life, uint32_t bucket) const {
  if (life != removals_of_) return Seq();
  const Seq last = removals_.empty() ? Seq() : removals_[bucket];
  return std::max(last, all_removed_);
}

size_t KeyStore::bytes() const {
  size_t bytes = rows_.bytes() + slab_.bytes() + large_bytes_;
  for (const auto& database : databases_) {
    if (database == nullptr) continue;
    bytes += size_t{4} * (database->index.buckets() + kBuckets);
  }
  return bytes;
}

}  // namespace muster::kv
