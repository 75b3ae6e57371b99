#include "crdt/keyspace/collector.h"

#include "crdt/check.h"
#include "crdt/keyspace/apply.h"
#include "crdt/keyspace/exchange.h"
#include "crdt/keyspace/key_edit.h"
#include "crdt/keyspace/key_store.h"
#include "crdt/mutant.h"

namespace muster::kv {
namespace {

using crdt::Mutant;
using crdt::Mutated;
using Kind = Op::Kind;

OwnedKey Owned(const KeyName& key) { return {key.db, std::string(key.key)}; }

bool IsTransfer(const Op& op) {
  return op.kind == Kind::kMove || op.kind == Kind::kCopy;
}

// What the op does depends on more of its key than the element it names.
bool NeedsWholeKey(const Op& op) {
  return op.kind == Kind::kSetDeadline || op.kind == Kind::kSettle;
}

bool Flushes(absl::string_view mutation) {
  MutationReader reader;
  MUSTER_CHECK(reader.Take(mutation));
  Op op;
  while (reader.Next(op)) {
    if (op.kind == Kind::kFlush) return true;
  }
  return false;
}

}  // namespace

Collector::Collector(const Keyspace& own,
                     const std::vector<uint32_t>& differing,
                     const Context& context)
    : own_(own), ahead_(differing.begin(), differing.end()) {
  state_.Cover(context);
}

std::optional<uint32_t> Collector::bucket() const {
  if (ahead_.empty()) return std::nullopt;
  return *ahead_.begin();
}

void Collector::Add(absl::string_view part) {
  std::optional<KeyEdit> edit;
  ReadPart(part, [&](const KeyName& key, const ElementName& name,
                     const Versions& versions) {
    if (!edit.has_value() || key_.name() != key || !begun_) {
      key_ = Owned(key);
      edit.emplace(*state_.store_, key);
    }
    begun_ = true;
    if (Mutated(Mutant::kKvAppliesAhead) && !edit->Get(name).empty()) return;
    if (!again_.contains(key_) && !had_again_.contains(key_)) {
      edit->Set(name, versions);
    }
  });
}

void Collector::End() {
  MUSTER_CHECK(!ahead_.empty());
  collected_.insert(*ahead_.begin());
  ahead_.erase(ahead_.begin());
  begun_ = false;
}

void Collector::Adopt(uint32_t bucket) {
  own_.ScanBucket(bucket, [this](const KeyName& key, const ElementName& name,
                                 const Versions& versions) {
    KeyEdit(*state_.store_, key).Set(name, versions);
  });
  collected_.insert(bucket);
}

Collector::Place Collector::PlaceOf(const KeyName& key) {
  const OwnedKey owned = Owned(key);
  if (again_.contains(owned)) return Place::kAhead;
  if (had_again_.contains(owned)) return Place::kBehind;
  const uint32_t bucket = BucketOf(HashOf(key));
  if (!ahead_.contains(bucket)) {
    if (!collected_.contains(bucket)) Adopt(bucket);
    return Place::kBehind;
  }
  if (bucket != *ahead_.begin() || !begun_ || key > key_.name()) {
    return Place::kAhead;
  }
  return key == key_.name() ? Place::kAtCursor : Place::kBehind;
}

void Collector::AskAgain(const KeyName& key) {
  KeyEdit edit(*state_.store_, key);
  edit.Update([](const ElementName&, Versions& versions) {
    versions.clear();
    return true;
  });
  had_again_.erase(Owned(key));
  again_.insert(Owned(key));
}

void Collector::Transfer(const Op& op, const Seen& seen, Stamp stamp) {
  const Place from = PlaceOf(op.key);
  const Place to = PlaceOf(op.to);
  if (from == Place::kBehind && to != Place::kAhead) {
    return ApplyOp(*state_.store_, op, seen, stamp);
  }
  // What was moved is not here as a whole, or goes to where it will come from.
  if (to != Place::kAhead) AskAgain(op.to);
  if (op.kind == Kind::kCopy || from == Place::kAhead) return;
  Op removal;
  removal.kind = Kind::kRemoveKey;
  removal.key = op.key;
  ApplyOp(*state_.store_, removal, seen, stamp);
}

void Collector::ApplyHere(const Op& op, const Seen& seen, Stamp stamp) {
  if (IsTransfer(op)) return Transfer(op, seen, stamp);
  const Place place = PlaceOf(op.key);
  if (place == Place::kAhead && !Mutated(Mutant::kKvAppliesAhead)) return;
  if (place == Place::kAtCursor && NeedsWholeKey(op)) return AskAgain(op.key);
  ApplyOp(*state_.store_, op, seen, stamp);
}

Collector::Outcome Collector::Apply(absl::string_view mutation,
                                    const Seen& seen) {
  if (Flushes(mutation)) return Outcome::kStartOver;
  MutationReader reader;
  MUSTER_CHECK(reader.Take(mutation));
  Op op;
  while (reader.Next(op)) ApplyHere(op, seen, reader.stamp());
  MUSTER_CHECK(reader.ok());
  state_.context_.Cover(seen.leader, seen.seq);
  return Outcome::kApplied;
}

std::optional<OwnedKey> Collector::FirstAgain() const {
  if (again_.empty()) return std::nullopt;
  return *again_.begin();
}

void Collector::AddAgain(const OwnedKey& key,
                         absl::Span<const std::string> parts) {
  MUSTER_CHECK(again_.contains(key));
  BucketWriter writer(state_);
  for (const std::string& part : parts) writer.Add(part);
  again_.erase(key);
  had_again_.insert(key);
}

}  // namespace muster::kv
