#include "crdt/keyspace/large_key.h"

#include <algorithm>
#include <cstring>

#include "crdt/check.h"

namespace muster::kv {
namespace {

bool IsOrdered(ElementKind kind) {
  return kind == ElementKind::kScored || kind == ElementKind::kItem;
}

}  // namespace

// Where a shown element is among those of its type.
struct LargeKey::Order {
  ElementKind kind = ElementKind::kScored;
  double score = 0;
  absl::string_view place;
  absl::string_view name;
  Dot item;
  bool operator<(const Order& other) const {
    if (kind != other.kind) return kind < other.kind;
    if (kind == ElementKind::kScored) {
      return score != other.score ? score < other.score : name < other.name;
    }
    const int order = place.compare(other.place);
    return order != 0 ? order < 0 : item < other.item;
  }
};

LargeKey::LargeKey(crdt::Slab& slab, LifeTable& lives, std::string& scratch,
                   size_t& held)
    : slab_(slab), lives_(lives), scratch_(scratch), held_(held) {
  held_ += ListBytes();
}

LargeKey::~LargeKey() {
  Free(SIZE_MAX);
  held_ -= ListBytes();
}

PackedElement LargeKey::Read(Handle handle) const {
  PackedElement element;
  ReadPacked(slab_.Data(handle), {}, element);
  return element;
}

void LargeKey::Decode(Handle handle, ElementName& name,
                      Versions& versions) const {
  const PackedElement element = Read(handle);
  name = element.Name(lives_);
  ReadVersions(element, lives_, versions);
}

LargeKey::Order LargeKey::OrderOf(const PackedElement& element,
                                  Versions& versions) const {
  Order order{element.kind, element.score, element.place, element.name, {}};
  const bool scored = element.kind == ElementKind::kScored;
  if (!element.simple) {
    ReadVersions(element, lives_, versions);
    const Version* latest =
        Latest(versions, scored ? VersionKind::kScore : VersionKind::kPlace);
    order.score = latest->score;
    order.place = latest->bytes;
  }
  if (!scored) order.item = element.item.In(lives_);
  return order;
}

RankedList::Position LargeKey::FindName(const ElementName& name) const {
  if (name.kind == ElementKind::kKey) return by_name_.begin();
  if (name.kind == ElementKind::kItem) {
    return by_name_.FindNearEnd([&](Handle handle) {
      return CompareTo(Read(handle), name, lives_) < 0;
    });
  }
  return by_name_.Find([&](Handle handle) {
    return CompareName(slab_.Data(handle), name.kind, name.name) < 0;
  });
}

RankedList::Position LargeKey::FindOrder(const Order& order) const {
  Versions versions;
  const auto before = [&](Handle handle) {
    return OrderOf(Read(handle), versions) < order;
  };
  return order.kind == ElementKind::kItem ? by_order_.FindNearEnd(before)
                                          : by_order_.Find(before);
}

RankedList::Position LargeKey::FindShown(const PackedElement& element) const {
  Versions versions;
  return FindOrder(OrderOf(element, versions));
}

RankedList::Position LargeKey::FindScore(double score,
                                         absl::string_view member) const {
  return FindOrder({ElementKind::kScored, score, {}, member, {}});
}

RankedList::Position LargeKey::FindPlace(absl::string_view place,
                                         const Dot& item) const {
  return FindOrder({ElementKind::kItem, 0, place, {}, item});
}

const LargeKey::Spot& LargeKey::Find(const ElementName& name) const {
  if (last_.has_value() && *last_ == name) return last_spot_;
  last_name_.assign(name.name.data(), name.name.size());
  last_ = ElementName{name.kind, last_name_, name.item};
  Spot& spot = last_spot_;
  spot = Spot();
  spot.at = FindName(name);
  if (by_name_.AtEnd(spot.at)) return spot;
  spot.element = Read(by_name_[spot.at]);
  spot.found = CompareTo(spot.element, name, lives_) == 0;
  return spot;
}

Versions LargeKey::Get(const ElementName& name) const {
  Versions versions;
  const Spot& spot = Find(name);
  if (spot.found) ReadVersions(spot.element, lives_, versions);
  return versions;
}

void LargeKey::Count(const PackedElement& element, uint64_t change) {
  elements_[Index(element.kind)] += change;
  if (element.shown) shown_[Index(element.kind)] += change;
}

void LargeKey::FreeBlob(Handle handle) {
  blob_bytes_ -= slab_.SlotBytes(handle);
  slab_.Free(handle);
}

LargeKey::Handle LargeKey::Store(const std::string& bytes) {
  const Handle handle = slab_.Alloc(bytes.size());
  std::memcpy(slab_.Data(handle), bytes.data(), bytes.size());
  blob_bytes_ += slab_.SlotBytes(handle);
  return handle;
}

void LargeKey::Put(const Spot& spot, const ElementName& name,
                   VersionSpan versions) {
  last_.reset();
  held_ -= ListBytes();
  std::string& bytes = scratch_;
  bytes.clear();
  if (!versions.empty()) {
    LastMutation last;
    AppendElement(name, versions, lives_, last, bytes);
    for (const Version& version : versions) bounds_.Cover(version.dot);
  }
  if (spot.found) {
    const Handle gone = by_name_[spot.at];
    if (IsOrdered(spot.element.kind) && spot.element.shown) {
      by_order_.Erase(FindShown(spot.element));
    }
    Count(spot.element, uint64_t{0} - 1);
    if (versions.empty()) by_name_.Erase(spot.at);
    FreeBlob(gone);
  }
  if (!versions.empty()) {
    const Handle handle = Store(bytes);
    if (spot.found) {
      by_name_.Set(spot.at, handle);
    } else {
      by_name_.Insert(spot.at, handle);
    }
    const PackedElement element = Read(handle);
    Count(element, 1);
    if (IsOrdered(element.kind) && element.shown) {
      by_order_.Insert(FindShown(element), handle);
    }
  }
  held_ += ListBytes();
}

size_t LargeKey::Free(size_t budget) {
  size_t freed = 0;
  last_.reset();
  held_ -= ListBytes();
  for (; freed < budget && by_name_.size() > 0; ++freed) {
    FreeBlob(by_name_.PopBack());
    if (by_order_.size() > 0) by_order_.PopBack();
  }
  held_ += ListBytes();
  return freed;
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
