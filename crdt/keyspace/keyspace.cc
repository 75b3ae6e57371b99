#include "crdt/keyspace/keyspace.h"

#include <algorithm>

#include "crdt/check.h"
#include "crdt/keyspace/apply.h"
#include "crdt/keyspace/element_codec.h"
#include "crdt/keyspace/key_edit.h"
#include "crdt/keyspace/key_store.h"
#include "crdt/mutant.h"

namespace muster::kv {
namespace {

using crdt::Mutant;
using crdt::Mutated;
// SCAN goes through buckets, and in them through the rest of the hash.
uint32_t ScanPosition(uint32_t hash) {
  return BucketOf(hash) << 18 | hash >> 14;
}

// Below it, SCAN looks at all keys of the database at once.
constexpr uint64_t kFewKeys = 1024;

bool Has(const Versions& versions, const Version& version) {
  return std::any_of(versions.begin(), versions.end(),
                     [&version](const Version& v) {
                       return v.dot == version.dot && v.kind == version.kind;
                     });
}

// Drops what the other side saw and does not have.
bool DropGone(Versions& mine, const Versions& theirs, const Context& context) {
  const auto gone = [&](const Version& v) {
    const bool seen =
        context.Covers(v.dot) || Mutated(Mutant::kKvRemovesUnseen);
    return seen && !Has(theirs, v);
  };
  const size_t before = mine.size();
  mine.erase(std::remove_if(mine.begin(), mine.end(), gone), mine.end());
  return mine.size() != before;
}

// Adds what this side has not seen.
bool AddNew(Versions& mine, const Versions& theirs, const Context& context) {
  bool changed = false;
  for (const Version& version : theirs) {
    if (context.Covers(version.dot) || Has(mine, version)) continue;
    Insert(mine, version);
    changed = true;
  }
  return changed;
}

// Two states under their contexts; `mine` becomes the join.
class KeyJoin {
 public:
  KeyJoin(KeyStore& mine, const Context& my_context, KeyStore& theirs,
          const Context& their_context)
      : mine_(mine),
        my_context_(my_context),
        theirs_(theirs),
        their_context_(their_context) {}

  void Join(const KeyName& key) {
    bool changed = false;
    {
      const KeyEdit theirs(theirs_, key);
      KeyEdit mine(mine_, key);
      mine.Update([&](const ElementName& name, Versions& versions) {
        const Versions other = theirs.Get(name);
        bool joined = DropGone(versions, other, their_context_);
        joined |= AddNew(versions, other, my_context_);
        changed |= joined;
        return joined;
      });
      theirs.ForEach([&](const ElementName& name, const Versions& other) {
        Versions versions = mine.Get(name);
        if (!AddNew(versions, other, my_context_)) return;
        mine.Set(name, versions);
        changed = true;
      });
    }
    if (changed) CheckSettled(mine_, key);
  }

 private:
  KeyStore& mine_;
  const Context& my_context_;
  KeyStore& theirs_;
  const Context& their_context_;
};

}  // namespace

Keyspace::Keyspace(uint64_t hash_seed)
    : store_(std::make_unique<KeyStore>(hash_seed)) {}
Keyspace::~Keyspace() = default;
Keyspace::Keyspace(Keyspace&&) noexcept = default;
Keyspace& Keyspace::operator=(Keyspace&&) noexcept = default;

KeyView Keyspace::Find(const KeyName& key, Time now) const {
  return store_->ViewOf(store_->Find(key), now);
}

uint64_t Keyspace::Keys(uint8_t db) const {
  uint64_t keys = 0;
  for (size_t type = 1; type < kTypes; ++type) {
    keys += Usage(db, static_cast<Type>(type)).keys;
  }
  return keys;
}

TypeUsage Keyspace::Usage(uint8_t db, Type type) const {
  return store_->usage(db, type);
}

bool Keyspace::HasJob() const { return store_->HasJob(); }

bool Keyspace::RunJob(size_t budget) { return store_->RunJob(budget); }

Seq Keyspace::LastRemoval(const KeyName& key, const LifeId& leader) const {
  return store_->LastRemoval(leader, BucketOf(HashOf(key)));
}

const LifeId& Keyspace::last_leader() const { return store_->last_writer(); }

const BucketDigests& Keyspace::digests() const { return store_->digests(); }

size_t Keyspace::bytes() const { return store_->bytes(); }

uint32_t Keyspace::ScanKeys(
    uint8_t db, uint32_t cursor, uint32_t count, Time now,
    absl::FunctionRef<void(absl::string_view)> visit) const {
  std::vector<std::pair<uint32_t, RowIdx>> found;
  const auto add = [&](RowIdx row) {
    const auto hash = static_cast<uint32_t>(HashOf(store_->Read(row).name));
    const uint32_t at = ScanPosition(hash);
    if (at >= cursor) found.emplace_back(at, row);
  };
  bool all = true;
  if (store_->rows(db) <= kFewKeys) {
    for (RowIdx row : store_->AllOf(db)) add(row);
  } else {
    uint32_t bucket = cursor >> 18;
    while (bucket < kBuckets && found.size() <= count) {
      store_->ForBucket(db, bucket++, add);
    }
    all = bucket == kBuckets;
  }
  std::sort(found.begin(), found.end());
  uint32_t visited = 0;
  for (const auto& [at, row] : found) {
    // Keys of one position go together, since the cursor names it.
    if (visited >= count && at != cursor) return at;
    cursor = at;
    ++visited;
    const KeyView view = store_->ViewOf(row, now);
    if (view.exists()) visit(store_->Read(row).name.key);
  }
  MUSTER_CHECK(all || visited > 0);
  return all || found.empty() ? 0 : found.back().first + 1;
}

void Keyspace::ScanKey(const KeyName& key, VisitElement visit) const {
  const KeyEdit edit(*store_, key);
  edit.ForEach([&](const ElementName& name, const Versions& versions) {
    visit(key, name, versions);
  });
}

void Keyspace::ScanBucket(uint32_t bucket, VisitElement visit) const {
  for (RowIdx row : store_->Bucket(bucket)) {
    ScanKey(store_->Read(row).name, visit);
  }
}

std::optional<OwnedKey> Keyspace::FirstDue(Time now) const {
  const auto due = store_->FirstDue();
  if (!due.has_value() || due->first > now.value) return std::nullopt;
  const KeyName name = store_->Read(due->second).name;
  return OwnedKey{name.db, std::string(name.key)};
}

Deadline Keyspace::NextDeadline() const {
  const auto due = store_->FirstDue();
  return due.has_value() ? Deadline{due->first} : Deadline();
}

void Keyspace::Apply(absl::string_view mutation, const Seen& seen) {
  MutationReader reader;
  MUSTER_CHECK(reader.Take(mutation));
  store_->BeginMutation(seen.leader, seen.seq);
  Op op;
  while (reader.Next(op)) ApplyOp(*store_, op, seen, reader.stamp());
  store_->EndMutation();
  MUSTER_CHECK(reader.ok());
  context_.Cover(seen.leader, seen.seq);
}

void Keyspace::JoinBucket(const Keyspace& other, uint32_t bucket) {
  if (digests().bucket(bucket) == other.digests().bucket(bucket)) return;
  std::vector<OwnedKey> keys;
  for (const KeyStore* store : {store_.get(), other.store_.get()}) {
    for (RowIdx row : store->Bucket(bucket)) {
      const KeyName name = store->Read(row).name;
      keys.push_back({name.db, std::string(name.key)});
    }
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  KeyJoin join(*store_, context_, *other.store_, other.context_);
  for (const OwnedKey& key : keys) join.Join(key.name());
}

void Keyspace::Cover(const Context& context) { context_.Join(context); }

void Keyspace::Join(const Keyspace& other) {
  for (uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
    JoinBucket(other, bucket);
  }
  Cover(other.context_);
}

std::optional<OwnedKey> Keyspace::FirstUnsettled() const {
  return store_->FirstUnsettled();
}

size_t Keyspace::unsettled() const { return store_->unsettled(); }

}  // namespace muster::kv
