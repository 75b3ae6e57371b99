#include "crdt/keyspace/view.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "crdt/check.h"
#include "crdt/keyspace/element_codec.h"
#include "crdt/keyspace/key_store.h"

namespace muster::kv {
namespace {

struct Element {
  ElementName name;
  Versions versions;
};

// Calls `visit` with each element of a packed key until it returns false.
template <typename Visit>
void ForPacked(const KeyBlob& blob, const LifeTable& lives, Visit visit) {
  absl::string_view rest = blob.elements;
  LastMutation last;
  Element element;
  while (!rest.empty()) {
    MUSTER_CHECK(
        TakeElement(rest, lives, last, element.name, element.versions));
    if (!visit(element)) return;
  }
}

void Fill(const ElementName& name, const Versions& versions, Entry& out) {
  out.name = name.name;
  out.item = name.item;
  out.value = ShownValue(versions, out.number);
  const Version* score = Latest(versions, VersionKind::kScore);
  out.score = score == nullptr ? 0 : score->score;
  const Version* place = Latest(versions, VersionKind::kPlace);
  out.place = place == nullptr ? absl::string_view() : place->bytes;
}

bool InOrder(const Element& a, const Element& b) {
  if (a.name.kind == ElementKind::kScored) {
    const double p = Latest(a.versions, VersionKind::kScore)->score;
    const double q = Latest(b.versions, VersionKind::kScore)->score;
    if (p != q) return p < q;
  } else {
    const auto& p = Latest(a.versions, VersionKind::kPlace)->bytes;
    const auto& q = Latest(b.versions, VersionKind::kPlace)->bytes;
    if (p != q) return p < q;
  }
  return a.name < b.name;
}

// What a packed key shows of the kind, sorted set or list, by rank.
std::vector<Element> Ordered(const KeyBlob& blob, const LifeTable& lives,
                             ElementKind kind) {
  std::vector<Element> elements;
  ForPacked(blob, lives, [&](const Element& element) {
    if (element.name.kind == kind && IsShown(kind, element.versions)) {
      elements.push_back(element);
    }
    return true;
  });
  std::sort(elements.begin(), elements.end(), InOrder);
  return elements;
}

Versions GetVersions(const KeyBlob& blob, const LifeTable& lives,
                     const ElementName& name) {
  if (blob.large != nullptr) return blob.large->Get(name);
  Versions found;
  ForPacked(blob, lives, [&](const Element& element) {
    if (element.name == name) found = element.versions;
    return element.name < name;
  });
  return found;
}

}  // namespace

Deadline KeyView::deadline() const {
  return exists() ? store_->Read(row_).deadline : Deadline();
}

uint64_t KeyView::size() const {
  if (!exists()) return 0;
  const KeyBlob blob = store_->Read(row_);
  const ElementKind kind = KindOf(type_);
  if (blob.large != nullptr) return blob.large->shown(kind);
  uint64_t size = 0;
  ForPacked(blob, store_->lives(), [&](const Element& element) {
    size += element.name.kind == kind && IsShown(kind, element.versions);
    return true;
  });
  return size;
}

absl::string_view KeyView::String(std::string& scratch) const {
  return ShownValue(GetVersions(store_->Read(row_), store_->lives(),
                                {ElementKind::kString, {}, {}}),
                    scratch);
}

std::optional<int64_t> KeyView::Integer() const {
  return ShownInteger(GetVersions(store_->Read(row_), store_->lives(),
                                  {ElementKind::kString, {}, {}}));
}

bool KeyView::Get(absl::string_view name, Entry& out) const {
  if (!exists()) return false;
  const ElementName wanted{KindOf(type_), name, {}};
  const Versions versions =
      GetVersions(store_->Read(row_), store_->lives(), wanted);
  if (versions.empty()) return false;
  Fill(wanted, versions, out);
  return true;
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
    ForPacked(blob, store_->lives(), [&](const Element& element) {
      if (element.name.kind != kind) return element.name.kind < kind;
      if (after.has_value() && element.name.name <= *after) return true;
      Fill(element.name, element.versions, entry);
      return visit(entry);
    });
    return;
  }
  const RankedList& list = blob.large->by_name();
  Element element;
  auto at = blob.large->FindName({kind, after.value_or(""), {}});
  for (; !list.AtEnd(at); at = list.Next(at)) {
    blob.large->Decode(list[at], element.name, element.versions);
    if (element.name.kind != kind) return;
    if (after.has_value() && element.name.name == *after) continue;
    Fill(element.name, element.versions, entry);
    if (!visit(entry)) return;
  }
}

void KeyView::Nth(uint64_t index, Entry& out) const {
  const KeyBlob blob = store_->Read(row_);
  const ElementKind kind = KindOf(type_);
  if (blob.large == nullptr) {
    ForPacked(blob, store_->lives(), [&](const Element& element) {
      if (element.name.kind != kind || index-- > 0) return true;
      Fill(element.name, element.versions, out);
      return false;
    });
    return;
  }
  const RankedList& list = blob.large->by_name();
  const auto at = list.AtRank(blob.large->NameRank(kind) + index);
  MUSTER_CHECK(!list.AtEnd(at));
  Element element;
  blob.large->Decode(list[at], element.name, element.versions);
  Fill(element.name, element.versions, out);
}

void KeyView::Walk(uint64_t first, Direction direction, Visit visit) const {
  if (!exists()) return;
  const KeyBlob blob = store_->Read(row_);
  const ElementKind kind = KindOf(type_);
  Entry entry;
  const uint64_t step = direction == Direction::kUp ? 1 : uint64_t{0} - 1;
  if (blob.large == nullptr) {
    const auto elements = Ordered(blob, store_->lives(), kind);
    // Below rank 0 wraps around, and is beyond the end.
    for (uint64_t rank = first; rank < elements.size(); rank += step) {
      Fill(elements[rank].name, elements[rank].versions, entry);
      if (!visit(entry)) return;
    }
    return;
  }
  const uint64_t size = blob.large->shown(kind);
  if (first >= size) return;
  const RankedList& list = blob.large->by_order();
  auto at = list.AtRank(blob.large->OrderRank(kind) + first);
  Element element;
  for (uint64_t rank = first;;) {
    blob.large->Decode(list[at], element.name, element.versions);
    Fill(element.name, element.versions, entry);
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
    const Versions versions = blob.large->Get(name);
    if (versions.empty()) return std::nullopt;
    return blob.large->by_order().RankOf(blob.large->FindShown(name, versions));
  }
  const auto elements = Ordered(blob, store_->lives(), ElementKind::kScored);
  for (uint64_t rank = 0; rank < elements.size(); ++rank) {
    if (elements[rank].name == name) return rank;
  }
  return std::nullopt;
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
  ForPacked(blob, store_->lives(), [&](const Element& element) {
    if (element.name.kind != ElementKind::kScored) return true;
    const double s = Latest(element.versions, VersionKind::kScore)->score;
    count += s < score || (inclusive && s == score);
    return true;
  });
  return count;
}

uint64_t KeyView::digest() const {
  if (store_ == nullptr) return 0;
  const KeyBlob blob = store_->Read(row_);
  if (blob.large != nullptr) return blob.large->digest();
  const uint64_t hash = HashOf(blob.name);
  uint64_t digest = 0;
  ForPacked(blob, store_->lives(), [&](const Element& element) {
    for (const Version& version : element.versions) {
      digest += DigestOf(hash, element.name, version);
    }
    return true;
  });
  return digest;
}

}  // namespace muster::kv
