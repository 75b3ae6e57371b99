#include "crdt/keyspace/large_key.h"

#include <cstring>
#include <tuple>

#include "crdt/check.h"
#include "crdt/keyspace/wire.h"

namespace muster::kv {
namespace {

bool IsOrdered(ElementKind kind) {
  return kind == ElementKind::kScored || kind == ElementKind::kItem;
}

// Where a shown element is among those of its type.
struct Order {
  ElementKind kind;
  double score = 0;
  absl::string_view place;
  ElementName name;
  bool operator<(const Order& other) const {
    return std::tie(kind, score, place, name) <
           std::tie(other.kind, other.score, other.place, other.name);
  }
};

Order OrderOf(const ElementName& name, VersionSpan versions) {
  Order order{name.kind};
  order.name = name;
  if (name.kind == ElementKind::kScored) {
    order.score = Latest(versions, VersionKind::kScore)->score;
  } else {
    order.place = Latest(versions, VersionKind::kPlace)->bytes;
  }
  return order;
}

}  // namespace

LargeKey::LargeKey(crdt::Slab& slab, LifeTable& lives, size_t& held)
    : slab_(slab), lives_(lives), held_(held) {
  held_ += sizeof(LargeKey);
}

LargeKey::~LargeKey() {
  held_ -= sizeof(LargeKey);
  held_ -= kHandleBytes * (by_name_.size() + by_order_.size());
  for (auto at = by_name_.begin(); !by_name_.AtEnd(at);
       at = by_name_.Next(at)) {
    slab_.Free(by_name_[at]);
  }
}

void LargeKey::Decode(Handle handle, ElementName& name,
                      Versions& versions) const {
  const char* data = slab_.Data(handle);
  // The size in front: at most five bytes, and a blob has eight at least.
  absl::string_view head(data, 8);
  uint64_t size = 0;
  MUSTER_CHECK(TakeVarint(head, size));
  absl::string_view bytes(head.data(), size);
  LastMutation last;
  MUSTER_CHECK(TakeElement(bytes, lives_, last, name, versions));
}

RankedList::Position LargeKey::FindName(const ElementName& name) const {
  Versions versions;
  ElementName other;
  return by_name_.Find([&](Handle handle) {
    Decode(handle, other, versions);
    return other < name;
  });
}

RankedList::Position LargeKey::FindShown(const ElementName& name,
                                         VersionSpan versions) const {
  const Order wanted = OrderOf(name, versions);
  Versions held;
  ElementName other;
  return by_order_.Find([&](Handle handle) {
    Decode(handle, other, held);
    return OrderOf(other, held) < wanted;
  });
}

RankedList::Position LargeKey::FindScore(double score,
                                         absl::string_view member) const {
  Version version;
  version.kind = VersionKind::kScore;
  version.score = score;
  return FindShown({ElementKind::kScored, member, {}}, {version});
}

Versions LargeKey::Get(const ElementName& name) const {
  const RankedList::Position at = FindName(name);
  if (by_name_.AtEnd(at)) return {};
  Versions versions;
  ElementName found;
  Decode(by_name_[at], found, versions);
  if (found != name) versions.clear();
  return versions;
}

void LargeKey::Count(const ElementName& name, VersionSpan versions,
                     uint64_t change) {
  elements_[Index(name.kind)] += change;
  if (IsShown(name.kind, versions)) shown_[Index(name.kind)] += change;
}

LargeKey::Handle LargeKey::Store(const ElementName& name,
                                 VersionSpan versions) {
  std::string element;
  LastMutation last;
  AppendElement(name, versions, lives_, last, element);
  std::string blob;
  AppendVarint(element.size(), blob);
  blob += element;
  const Handle handle = slab_.Alloc(blob.size() < 8 ? 8 : blob.size());
  std::memcpy(slab_.Data(handle), blob.data(), blob.size());
  return handle;
}

void LargeKey::Set(const ElementName& name, VersionSpan versions) {
  const RankedList::Position at = FindName(name);
  ElementName found;
  Versions old;
  Handle gone = 0;
  bool had = false;
  if (!by_name_.AtEnd(at)) {
    gone = by_name_[at];
    Decode(gone, found, old);
    had = found == name;
  }
  const bool ordered = IsOrdered(name.kind);
  held_ -= kHandleBytes * (by_name_.size() + by_order_.size());
  // The new blob first: `versions` and `name` may be views into the old one.
  const Handle handle = versions.empty() ? 0 : Store(name, versions);
  if (had) {
    if (ordered && IsShown(name.kind, old)) {
      by_order_.Erase(FindShown(found, old));
    }
    Count(found, old, uint64_t{0} - 1);
  }
  if (!versions.empty()) {
    if (ordered && IsShown(name.kind, versions)) {
      by_order_.Insert(FindShown(name, versions), handle);
    }
    Count(name, versions, 1);
  }
  if (had && versions.empty()) {
    by_name_.Erase(at);
  } else if (had) {
    by_name_.Set(at, handle);
  } else if (!versions.empty()) {
    by_name_.Insert(at, handle);
  }
  if (had) slab_.Free(gone);
  held_ += kHandleBytes * (by_name_.size() + by_order_.size());
}

uint64_t LargeKey::NameRank(ElementKind kind) const {
  uint64_t rank = 0;
  for (size_t i = 0; i < Index(kind); ++i) rank += elements_[i];
  return rank;
}

uint64_t LargeKey::OrderRank(ElementKind kind) const {
  return kind == ElementKind::kItem ? shown(ElementKind::kScored) : 0;
}

}  // namespace muster::kv
