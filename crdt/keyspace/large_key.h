// A key with many elements: each a blob in the slab, and their handles in
// order. Small keys are packed in one blob instead (key_store.h).
//
// Two orders: by name, of all elements, as they are exchanged; and of those
// shown, sorted sets by (score, member) and lists by (place, item).
//
// Cost: Find, Put and a rank O(log n) names compared; O(1) at the ends of a
// list. Memory: 8 to 16 bytes an element beside its blob. Threads: one.
#ifndef MUSTER_CRDT_KEYSPACE_LARGE_KEY_H_
#define MUSTER_CRDT_KEYSPACE_LARGE_KEY_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "crdt/keyspace/element_codec.h"
#include "crdt/keyspace/life_table.h"
#include "crdt/keyspace/packed.h"
#include "crdt/keyspace/ranked_list.h"
#include "crdt/keyspace/seq_bounds.h"
#include "crdt/keyspace/types.h"
#include "crdt/slab.h"

namespace muster::kv {

class LargeKey {
 public:
  using Handle = crdt::Slab::Handle;

  // Where an element is, or would be; good until the next Put.
  struct Spot {
    RankedList::Position at;
    bool found = false;
    PackedElement element;  // If it was found.
  };

  // Encodes in `scratch`. Adds to `held` about what it holds beside its blobs,
  // while it lives.
  LargeKey(crdt::Slab& slab, LifeTable& lives, std::string& scratch,
           size_t& held);
  ~LargeKey();
  LargeKey(const LargeKey&) = delete;
  LargeKey& operator=(const LargeKey&) = delete;

  // The last one found is kept: a handler looks, then an op changes it.
  const Spot& Find(const ElementName& name) const;
  // No versions: there is none.
  Versions Get(const ElementName& name) const;
  // Without versions, removes it. They and the name may be views into what
  // was there.
  void Put(const Spot& spot, const ElementName& name, VersionSpan versions);
  void Set(const ElementName& name, VersionSpan versions) {
    Put(Find(name), name, versions);
  }
  // Frees up to so many elements, of a key that nobody uses any more; returns
  // how many.
  size_t Free(size_t budget);

  const RankedList& by_name() const { return by_name_; }
  const RankedList& by_order() const { return by_order_; }
  PackedElement Read(Handle handle) const;
  void Decode(Handle handle, ElementName& name, Versions& versions) const;
  // The first with a name that is not before `name`.
  RankedList::Position FindName(const ElementName& name) const;
  // The first scored member that is not before (score, member).
  RankedList::Position FindScore(double score, absl::string_view member) const;
  // The first item that is not before (place, item).
  RankedList::Position FindPlace(absl::string_view place,
                                 const Dot& item) const;
  // Where a shown scored member or item is. REQUIRES: it is shown.
  RankedList::Position FindShown(const PackedElement& element) const;

  // Elements of a kind, and those that are shown.
  uint64_t elements(ElementKind kind) const { return elements_[Index(kind)]; }
  uint64_t shown(ElementKind kind) const { return shown_[Index(kind)]; }
  // Elements, and shown ordered ones, of the kinds before it: the rank at
  // which a kind begins.
  uint64_t NameRank(ElementKind kind) const;
  uint64_t OrderRank(ElementKind kind) const;
  bool empty() const { return by_name_.size() == 0; }

  // The sum of the digests of its versions, kept by its editor.
  uint64_t digest() const { return digest_; }
  void AddDigest(uint64_t digest) { digest_ += digest; }
  // Covers every version that it holds.
  const SeqBounds& bounds() const { return bounds_; }
  // What it holds; of its lists about.
  size_t bytes() const { return blob_bytes_ + ListBytes(); }
  // So much of it is in the usage of its database; kept by the store.
  size_t counted = 0;

 private:
  // Of a handle in a RankedList, about.
  static constexpr size_t kHandleBytes = 6;
  size_t ListBytes() const {
    return sizeof(LargeKey) +
           kHandleBytes * (by_name_.size() + by_order_.size());
  }
  static constexpr size_t Index(ElementKind kind) {
    return static_cast<size_t>(kind);
  }
  struct Order;
  // What it is ordered by, if it is a scored member or an item, and shown.
  // A score or place of concurrent ones is read from `versions`.
  Order OrderOf(const PackedElement& element, Versions& versions) const;
  RankedList::Position FindOrder(const Order& order) const;
  void Count(const PackedElement& element, uint64_t change);
  Handle Store(const std::string& bytes);
  void FreeBlob(Handle handle);

  crdt::Slab& slab_;
  LifeTable& lives_;
  std::string& scratch_;
  size_t& held_;
  RankedList by_name_;
  RankedList by_order_;
  std::array<uint64_t, kElementKinds> elements_{};
  std::array<uint64_t, kElementKinds> shown_{};
  uint64_t digest_ = 0;
  size_t blob_bytes_ = 0;
  SeqBounds bounds_;
  mutable std::string last_name_;
  mutable std::optional<ElementName> last_;
  mutable Spot last_spot_;
};

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_LARGE_KEY_H_
