#include "crdt/keyspace/apply.h"

#include <algorithm>
#include <limits>
#include <list>
#include <string>
#include <tuple>
#include <vector>

#include "crdt/keyspace/element_codec.h"
#include "crdt/keyspace/key_edit.h"
#include "crdt/keyspace/place.h"
#include "crdt/keyspace/transfer.h"
#include "crdt/mutant.h"

namespace muster::kv {
namespace {

using Kind = Op::Kind;
using crdt::Mutant;
using crdt::Mutated;

constexpr ElementName kKeyElement = {ElementKind::kKey, {}, {}};
constexpr ElementName kStringElement = {ElementKind::kString, {}, {}};

int64_t SaturatingAdd(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b < 0 ? std::numeric_limits<int64_t>::min()
               : std::numeric_limits<int64_t>::max();
}

class Applier {
 public:
  Applier(KeyStore& store, const Op& op, const Seen& seen, Stamp stamp)
      : store_(store), op_(op), seen_(seen), stamp_(stamp) {}

  void Apply();

 private:
  // A version of this op.
  Version Made(VersionKind kind, uint32_t offset = 0) const {
    Version version;
    version.kind = kind;
    version.dot = {seen_.leader, seen_.seq, op_.index + offset};
    version.stamp = stamp_;
    return version;
  }
  void DropSeen(Versions& versions) const {
    versions.erase(std::remove_if(versions.begin(), versions.end(),
                                  [this](const Version& v) { return Seen(v); }),
                   versions.end());
  }
  bool Seen(const Version& version) const {
    return seen_.Covers(version.dot) || Mutated(Mutant::kKvRemovesUnseen);
  }
  void Open(KeyEdit& edit) const;
  // One version replaces those of the element that the leader had seen.
  void Put(const Version& version);
  void PutString();
  void Increment();
  void Push();
  void SetItem();
  void Remove(const ElementName& name);
  // Whether what the leader had seen of an element is in the op's range.
  bool IsInRange(const ElementName& name, VersionSpan versions) const;
  void RemoveRange();
  void SetDeadline();
  void RemoveKey(const KeyName& key);
  void Flush();
  void Settle();

  KeyStore& store_;
  const Op& op_;
  const kv::Seen& seen_;
  Stamp stamp_;
};

void Applier::Open(KeyEdit& edit) const {
  if (!op_.opens) return;
  edit.Edit(kKeyElement, [this](Versions& versions) {
    Insert(versions, Made(VersionKind::kBirth));
  });
}

void Applier::Put(const Version& version) {
  KeyEdit edit(store_, op_.key);
  edit.Edit(op_.name, [&](Versions& versions) {
    DropSeen(versions);
    Insert(versions, version);
  });
  Open(edit);
}

void Applier::PutString() {
  KeyEdit edit(store_, op_.key);
  if (edit.IsString()) {
    edit.Edit(kKeyElement, [this](Versions& v) { DropSeen(v); });
  } else if (!edit.DetachIfSeen(seen_)) {
    edit.Update([this](const ElementName& name, Versions& versions) {
      if (name == kStringElement) return false;
      const size_t before = versions.size();
      DropSeen(versions);
      return versions.size() != before;
    });
  }
  Version version = Made(VersionKind::kValue);
  version.bytes = op_.value;
  version.deadline = op_.deadline;
  edit.Edit(kStringElement, [&](Versions& versions) {
    DropSeen(versions);
    Insert(versions, version);
  });
}

void Applier::Increment() {
  KeyEdit edit(store_, op_.key);
  edit.Edit(op_.name, [this](Versions& versions) {
    const Version* root = nullptr;
    for (const Version& v : versions) {
      if (v.kind != VersionKind::kValue || !Seen(v)) continue;
      if (root == nullptr || IsLater(v, *root)) root = &v;
    }
    Version count = Made(VersionKind::kCount);
    count.sum = op_.amount;
    if (root != nullptr) count.on = root->dot;
    const auto own = [this](const Version& v) {
      return v.kind == VersionKind::kCount && v.dot.life == seen_.leader &&
             Seen(v);
    };
    for (const Version& v : versions) {
      if (own(v) && Counts(v, root)) {
        count.sum = SaturatingAdd(count.sum, v.sum);
      }
    }
    versions.erase(std::remove_if(versions.begin(), versions.end(), own),
                   versions.end());
    Insert(versions, count);
  });
  Open(edit);
}

void Applier::Push() {
  std::list<std::string> places;  // The edit refers to them.
  absl::string_view place = op_.place;
  KeyEdit edit(store_, op_.key);
  absl::string_view rest = op_.values;
  absl::string_view value;
  for (uint32_t i = 0; TakeValue(rest, value); ++i) {
    if (i > 0) {
      place = places.emplace_back(op_.front ? PlaceBefore(place, seen_.leader)
                                            : PlaceBehind(place, seen_.leader));
    }
    Version existence = Made(VersionKind::kPlace, i);
    existence.bytes = place;
    Version content = Made(VersionKind::kValue, i);
    content.bytes = value;
    edit.Set({ElementKind::kItem, {}, existence.dot}, {content, existence});
  }
  Open(edit);
}

void Applier::SetItem() {
  KeyEdit edit(store_, op_.key);
  Version content = Made(VersionKind::kValue);
  content.bytes = op_.value;
  edit.Edit(op_.name, [&](Versions& versions) {
    versions.erase(std::remove_if(versions.begin(), versions.end(),
                                  [this](const Version& v) {
                                    return v.kind == VersionKind::kValue &&
                                           Seen(v);
                                  }),
                   versions.end());
    Insert(versions, content);
  });
}

void Applier::Remove(const ElementName& name) {
  KeyEdit edit(store_, op_.key);
  ElementName target = name;
  if (Mutated(Mutant::kKvRemovesByPlace)) {
    bool found = false;
    edit.ForEach([&](const ElementName& item, const Versions&) {
      if (item.kind != ElementKind::kItem || found) return;
      found = true;
      target = item;
    });
  }
  edit.Edit(target, [this](Versions& versions) { DropSeen(versions); });
}

bool Applier::IsInRange(const ElementName& name, VersionSpan versions) const {
  if (name.kind != op_.name.kind) return false;
  const bool item = name.kind == ElementKind::kItem;
  const auto kind = item ? VersionKind::kPlace : VersionKind::kScore;
  const Version* latest = nullptr;
  for (const Version& v : versions) {
    if (v.kind != kind || !Seen(v)) continue;
    if (latest == nullptr || IsLater(v, *latest)) latest = &v;
  }
  if (latest == nullptr) return false;
  const auto at = std::tie(latest->score, latest->bytes, name);
  // No place is empty, and what has none compares by the rest.
  return std::tie(op_.score, op_.place, op_.name) <= at &&
         at <= std::tie(op_.last_score, op_.last_place, op_.last);
}

void Applier::RemoveRange() {
  KeyEdit edit(store_, op_.key);
  const auto remove = [this](Versions& versions) { DropSeen(versions); };
  const LargeKey* const large = edit.large();
  if (large == nullptr || !large->bounds().IsSeen(seen_)) {
    edit.Update([&](const ElementName& name, Versions& versions) {
      if (!IsInRange(name, versions)) return false;
      remove(versions);
      return true;
    });
    return;
  }
  // All that it holds is seen, so its order is that of what was seen.
  const RankedList& list = large->by_order();
  auto at = op_.name.kind == ElementKind::kItem
                ? large->FindPlace(op_.place, op_.name.item)
                : large->FindScore(op_.score, op_.name.name);
  std::vector<ElementName> names;
  ElementName name;
  Versions versions;
  for (; !list.AtEnd(at); at = list.Next(at)) {
    large->Decode(list[at], name, versions);
    if (!IsInRange(name, versions)) break;
    names.push_back(name);
  }
  for (const ElementName& gone : names) edit.Edit(gone, remove);
}

void Applier::SetDeadline() {
  KeyEdit edit(store_, op_.key);
  const auto known = [this](Versions versions) {
    versions.erase(
        std::remove_if(versions.begin(), versions.end(),
                       [this](const Version& v) { return !Seen(v); }),
        versions.end());
    return versions;
  };
  Version deadline = Made(VersionKind::kDeadline);
  deadline.deadline = op_.deadline;
  deadline.on =
      Anchor(edit.type() == Type::kString ? known(edit.Get(kStringElement))
                                          : Versions(),
             known(edit.Get(kKeyElement)));
  edit.Edit(kKeyElement, [&](Versions& key) {
    key.erase(std::remove_if(key.begin(), key.end(),
                             [this](const Version& v) {
                               return v.kind == VersionKind::kDeadline &&
                                      Seen(v);
                             }),
              key.end());
    Insert(key, deadline);
  });
}

void Applier::RemoveKey(const KeyName& key) {
  KeyEdit edit(store_, key);
  if (edit.DetachIfSeen(seen_)) return;
  edit.Update([this](const ElementName&, Versions& versions) {
    const size_t before = versions.size();
    DropSeen(versions);
    return versions.size() != before;
  });
}

void Applier::Flush() {
  const uint8_t db = op_.key.db;
  if (store_.rows(db) == 0) return;
  if (store_.bounds(db).IsSeen(seen_)) return store_.DetachDatabase(db);
  for (RowIdx row : store_.AllOf(db)) {
    const std::string key(store_.Read(row).name.key);
    RemoveKey({db, key});
  }
}

void Applier::Settle() {
  {
    KeyEdit edit(store_, op_.key);
    const auto split = [this](const Versions& versions, bool seen) {
      Versions part;
      for (const Version& version : versions) {
        if (Seen(version) == seen) part.push_back(version);
      }
      return part;
    };
    TypeFinder finder;
    edit.ForEach([&](const ElementName& name, const Versions& versions) {
      finder.Add(name, split(versions, true));
    });
    const Dot anchor = Anchor(finder.type() == Type::kString
                                  ? split(edit.Get(kStringElement), true)
                                  : Versions(),
                              split(edit.Get(kKeyElement), true));
    edit.Update([&](const ElementName& name, Versions& versions) {
      Versions after = split(versions, false);
      if (name.kind == ElementKind::kKey ||
          TypeOf(name.kind) == finder.type()) {
        for (const Version& kept :
             Settled(name.kind, split(versions, true), anchor)) {
          Insert(after, kept);
        }
      }
      const bool changed = after.size() != versions.size();
      versions = std::move(after);
      return changed;
    });
  }
  CheckSettled(store_, op_.key);
}

void Applier::Apply() {
  switch (op_.kind) {
    case Kind::kPutString:
      return PutString();
    case Kind::kIncrement:
      return Increment();
    case Kind::kPutField: {
      Version version = Made(VersionKind::kValue);
      version.bytes = op_.value;
      return Put(version);
    }
    case Kind::kAddMember:
      return Put(Made(VersionKind::kMember));
    case Kind::kPutScore: {
      Version version = Made(VersionKind::kScore);
      version.score = op_.score;
      return Put(version);
    }
    case Kind::kPush:
      return Push();
    case Kind::kSetItem:
      return SetItem();
    case Kind::kRemove:
      return Remove(op_.name);
    case Kind::kSetDeadline:
      return SetDeadline();
    case Kind::kRemoveKey:
      return RemoveKey(op_.key);
    case Kind::kMove:
    case Kind::kCopy:
      TransferKey(store_, op_, seen_, stamp_);
      if (op_.kind == Kind::kMove) RemoveKey(op_.key);
      return;
    case Kind::kFlush:
      return Flush();
    case Kind::kSettle:
      return Settle();
    case Kind::kRemoveRange:
      return RemoveRange();
  }
}

}  // namespace

void ApplyOp(KeyStore& store, const Op& op, const Seen& seen, Stamp stamp) {
  Applier(store, op, seen, stamp).Apply();
}

void CheckSettled(KeyStore& store, const KeyName& key) {
  bool settled = true;
  {
    KeyEdit edit(store, key);
    const Type type = edit.type();
    const Dot anchor =
        Anchor(type == Type::kString ? edit.Get(kStringElement) : Versions(),
               edit.Get(kKeyElement));
    edit.ForEach([&](const ElementName& name, const Versions& versions) {
      settled = settled &&
                (name.kind == ElementKind::kKey || TypeOf(name.kind) == type) &&
                Settled(name.kind, versions, anchor).size() == versions.size();
    });
  }
  store.SetUnsettled(key, !settled);
}

}  // namespace muster::kv
