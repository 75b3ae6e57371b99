#include "crdt/keyspace/view.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "crdt/check.h"
#include "crdt/keyspace/element_codec.h"
#include "crdt/keyspace/key_store.h"
#include "crdt/keyspace/packed.h"

namespace muster::kv {
namespace {

void FillDecoded(const PackedElement& element, const LifeTable& lives,
                 Entry& out) {
  Versions versions;
  ReadVersions(element, lives, versions);
  out.value = ShownValue(versions, out.number);
  const Version* score = Latest(versions, VersionKind::kScore);
  out.score = score == nullptr ? 0 : score->score;
  const Version* place = Latest(versions, VersionKind::kPlace);
  out.place = place == nullptr ? absl::string_view() : place->bytes;
}

void Fill(const PackedElement& element, const LifeTable& lives, Entry& out) {
  out.name = element.name;
  if (element.kind == ElementKind::kItem) out.item = element.item.In(lives);
  if (!element.simple) return FillDecoded(element, lives, out);
  out.value = element.value;
  out.score = element.score;
  out.place = element.place;
}

// An element of a packed sorted set or list, and what orders it.
struct Ranked {
  PackedElement element;
  double score = 0;
  absl::string_view place;
  Dot item;

  Ranked(const PackedElement& from, const LifeTable& lives) : element(from) {
    Entry entry;
    Fill(from, lives, entry);
    score = entry.score;
    place = entry.place;
    item = entry.item;
  }
  bool operator<(const Ranked& other) const {
    if (element.kind == ElementKind::kScored) {
      return score != other.score ? score < other.score
                                  : element.name < other.element.name;
    }
    return place != other.place ? place < other.place : item < other.item;
  }
};

// Calls `visit` with what a packed key shows of the kind.
template <typename Visit>
void ForShown(const KeyBlob& blob, ElementKind kind, Visit visit) {
  ForPacked(blob.elements, [&](const PackedElement& element) {
    if (element.kind == kind && element.shown) visit(element);
    return element.kind <= kind;
  });
}

std::vector<Ranked> Ordered(const KeyBlob& blob, const LifeTable& lives,
                            ElementKind kind) {
  std::vector<Ranked> elements;
  elements.reserve(blob.shown);
  ForShown(blob, kind, [&](const PackedElement& element) {
    elements.emplace_back(element, lives);
  });
  std::sort(elements.begin(), elements.end());
  return elements;
}

// The first or the last of them. REQUIRES: there is one.
Ranked Extreme(const KeyBlob& blob, const LifeTable& lives, ElementKind kind,
               bool last) {
  std::optional<Ranked> found;
  ForShown(blob, kind, [&](const PackedElement& element) {
    const Ranked next(element, lives);
    if (!found.has_value() || (last ? *found < next : next < *found)) {
      found.emplace(next);
    }
  });
  return *found;
}

Versions GetVersions(const KeyBlob& blob, const LifeTable& lives,
                     const ElementName& name) {
  if (blob.large != nullptr) return blob.large->Get(name);
  Versions versions;
  const PackedSpot spot = FindPacked(blob.elements, lives, name);
  if (spot.found) ReadVersions(spot.element, lives, versions);
  return versions;
}

}  // namespace

Deadline KeyView::deadline() const {
  return exists() ? store_->Read(row_).deadline : Deadline();
}

uint64_t KeyView::size() const {
  if (!exists()) return 0;
  const KeyBlob blob = store_->Read(row_);
  if (blob.large != nullptr) return blob.large->shown(KindOf(type_));
  return type_ == Type::kString ? 1 : blob.shown;
}

absl::string_view KeyView::String(std::string& scratch) const {
  const KeyBlob blob = store_->Read(row_);
  const ElementName name{ElementKind::kString, {}, {}};
  if (blob.large == nullptr) {
    const PackedSpot spot = FindPacked(blob.elements, store_->lives(), name);
    if (spot.found && spot.element.simple) return spot.element.value;
  }
  return ShownValue(GetVersions(blob, store_->lives(), name), scratch);
}

std::optional<int64_t> KeyView::Integer() const {
  return ShownInteger(GetVersions(store_->Read(row_), store_->lives(),
                                  {ElementKind::kString, {}, {}}));
}

bool KeyView::Get(absl::string_view name, Entry& out) const {
  if (!exists()) return false;
  const ElementName wanted{KindOf(type_), name, {}};
  const KeyBlob blob = store_->Read(row_);
  if (blob.large != nullptr) {
    const LargeKey::Spot& spot = blob.large->Find(wanted);
    if (spot.found) Fill(spot.element, store_->lives(), out);
    return spot.found;
  }
  const PackedSpot spot = FindPacked(blob.elements, store_->lives(), wanted);
  if (spot.found) Fill(spot.element, store_->lives(), out);
  return spot.found;
}

std::optional<int64_t> KeyView::FieldInteger(absl::string_view field) const {
  if (!exists()) return std::nullopt;
  return ShownInteger(GetVersions(store_->Read(row_), store_->lives(),
                                  {ElementKind::kField, field, {}}));
}

void KeyView::Scan(std::optional<absl::string_view> after, Visit visit) const {
  if (!exists()) return;
  const KeyBlob blob = store_->Read(row_);
  const ElementKind kind = KindOf(type_);
  Entry entry;
  if (blob.large == nullptr) {
    ForPacked(blob.elements, [&](const PackedElement& element) {
      if (element.kind != kind) return element.kind < kind;
      if (after.has_value() && element.name <= *after) return true;
      Fill(element, store_->lives(), entry);
      return visit(entry);
    });
    return;
  }
  const RankedList& list = blob.large->by_name();
  auto at = blob.large->FindName({kind, after.value_or(""), {}});
  for (; !list.AtEnd(at); at = list.Next(at)) {
    const PackedElement element = blob.large->Read(list[at]);
    if (element.kind != kind) return;
    if (after.has_value() && element.name == *after) continue;
    Fill(element, store_->lives(), entry);
    if (!visit(entry)) return;
  }
}

void KeyView::Nth(uint64_t index, Entry& out) const {
  const KeyBlob blob = store_->Read(row_);
  const ElementKind kind = KindOf(type_);
  if (blob.large == nullptr) {
    ForPacked(blob.elements, [&](const PackedElement& element) {
      if (element.kind != kind || index-- > 0) return true;
      Fill(element, store_->lives(), out);
      return false;
    });
    return;
  }
  const RankedList& list = blob.large->by_name();
  const auto at = list.AtRank(blob.large->NameRank(kind) + index);
  MUSTER_CHECK(!list.AtEnd(at));
  Fill(blob.large->Read(list[at]), store_->lives(), out);
}

void KeyView::WalkPacked(uint64_t first, Direction direction,
                         Visit visit) const {
  const KeyBlob blob = store_->Read(row_);
  const ElementKind kind = KindOf(type_);
  const LifeTable& lives = store_->lives();
  const uint64_t step = direction == Direction::kUp ? 1 : uint64_t{0} - 1;
  const uint64_t size = blob.shown;
  if (first >= size) return;
  Entry entry;
  const bool last = first + 1 == size;
  // Most take one, at an end.
  if (first == 0 || last) {
    Fill(Extreme(blob, lives, kind, last && first != 0).element, lives, entry);
    if (!visit(entry)) return;
    first += step;
  }
  // Below rank 0 wraps around, and is beyond the end.
  if (first >= size) return;
  const std::vector<Ranked> elements = Ordered(blob, lives, kind);
  for (uint64_t rank = first; rank < size; rank += step) {
    Fill(elements[rank].element, lives, entry);
    if (!visit(entry)) return;
  }
}

void KeyView::Walk(uint64_t first, Direction direction, Visit visit) const {
  if (!exists()) return;
  const KeyBlob blob = store_->Read(row_);
  if (blob.large == nullptr) return WalkPacked(first, direction, visit);
  const ElementKind kind = KindOf(type_);
  const uint64_t step = direction == Direction::kUp ? 1 : uint64_t{0} - 1;
  const uint64_t size = blob.large->shown(kind);
  if (first >= size) return;
  const RankedList& list = blob.large->by_order();
  auto at = list.AtRank(blob.large->OrderRank(kind) + first);
  Entry entry;
  for (uint64_t rank = first;;) {
    Fill(blob.large->Read(list[at]), store_->lives(), entry);
    if (!visit(entry)) return;
    rank += step;
    if (rank >= size) return;
    at = direction == Direction::kUp ? list.Next(at) : list.Previous(at);
  }
}

bool KeyView::At(uint64_t rank, Entry& out) const {
  bool found = false;
  Walk(rank, Direction::kUp, [&](const Entry& entry) {
    out = entry;
    // A number was copied with its entry; the view goes to the copy.
    if (entry.value.data() == entry.number.data()) out.value = out.number;
    found = true;
    return false;
  });
  return found;
}

std::optional<uint64_t> KeyView::RankOf(absl::string_view member) const {
  if (type_ != Type::kSortedSet) return std::nullopt;
  const KeyBlob blob = store_->Read(row_);
  const ElementName name{ElementKind::kScored, member, {}};
  if (blob.large != nullptr) {
    const LargeKey::Spot& spot = blob.large->Find(name);
    if (!spot.found) return std::nullopt;
    return blob.large->by_order().RankOf(blob.large->FindShown(spot.element));
  }
  const LifeTable& lives = store_->lives();
  const PackedSpot spot = FindPacked(blob.elements, lives, name);
  if (!spot.found) return std::nullopt;
  const Ranked wanted(spot.element, lives);
  uint64_t rank = 0;
  ForShown(blob, ElementKind::kScored, [&](const PackedElement& element) {
    rank += Ranked(element, lives) < wanted;
  });
  return rank;
}

uint64_t KeyView::CountBelow(double score, bool inclusive) const {
  if (type_ != Type::kSortedSet) return 0;
  const KeyBlob blob = store_->Read(row_);
  if (blob.large != nullptr) {
    if (inclusive && score == INFINITY) return size();
    const double from = inclusive ? std::nextafter(score, INFINITY) : score;
    return blob.large->by_order().RankOf(blob.large->FindScore(from, ""));
  }
  uint64_t count = 0;
  ForShown(blob, ElementKind::kScored, [&](const PackedElement& element) {
    const double s = Ranked(element, store_->lives()).score;
    count += s < score || (inclusive && s == score);
  });
  return count;
}

uint64_t KeyView::digest() const {
  if (store_ == nullptr) return 0;
  const KeyBlob blob = store_->Read(row_);
  if (blob.large != nullptr) return blob.large->digest();
  const uint64_t hash = HashOf(blob.name);
  uint64_t digest = 0;
  Versions versions;
  ForPacked(blob.elements, [&](const PackedElement& element) {
    ReadVersions(element, store_->lives(), versions);
    for (const Version& version : versions) {
      digest += DigestOf(hash, element.Name(store_->lives()), version);
    }
    return true;
  });
  return digest;
}

}  // namespace muster::kv
