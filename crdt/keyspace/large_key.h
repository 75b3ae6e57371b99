// A key with many elements: each a blob in the slab, and their handles in
// order. Small keys are packed in one blob instead (key_store.h).
//
// Two orders: by name, of all elements, as they are exchanged; and of those
// shown, sorted sets by (score, member) and lists by (place, item).
//
// Cost: Get, Set and a rank O(log n) decoded elements. Memory: 8 to 16 bytes
// an element beside its blob. Threads: one.
#ifndef MUSTER_CRDT_KEYSPACE_LARGE_KEY_H_
#define MUSTER_CRDT_KEYSPACE_LARGE_KEY_H_

#include <array>
#include <cstdint>
#include <string>

#include "crdt/keyspace/element_codec.h"
#include "crdt/keyspace/life_table.h"
#include "crdt/keyspace/ranked_list.h"
#include "crdt/keyspace/types.h"
#include "crdt/slab.h"

namespace muster::kv {

class LargeKey {
 public:
  using Handle = crdt::Slab::Handle;

  // Adds to `held` about what it holds beside its blobs, while it lives.
  LargeKey(crdt::Slab& slab, LifeTable& lives, size_t& held);
  ~LargeKey();
  LargeKey(const LargeKey&) = delete;
  LargeKey& operator=(const LargeKey&) = delete;

  // No versions: there is none.
  Versions Get(const ElementName& name) const;
  // Without versions, removes it. They may be views into what was there.
  void Set(const ElementName& name, VersionSpan versions);

  const RankedList& by_name() const { return by_name_; }
  const RankedList& by_order() const { return by_order_; }
  void Decode(Handle handle, ElementName& name, Versions& versions) const;
  // The first with a name that is not before `name`.
  RankedList::Position FindName(const ElementName& name) const;
  // The first scored member that is not before (score, member).
  RankedList::Position FindScore(double score, absl::string_view member) const;
  RankedList::Position FindShown(const ElementName& name,
                                 VersionSpan versions) const;

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

 private:
  // Of a handle in a RankedList, about.
  static constexpr size_t kHandleBytes = 6;
  static constexpr size_t Index(ElementKind kind) {
    return static_cast<size_t>(kind);
  }
  void Count(const ElementName& name, VersionSpan versions, uint64_t change);
  Handle Store(const ElementName& name, VersionSpan versions);

  crdt::Slab& slab_;
  LifeTable& lives_;
  size_t& held_;
  RankedList by_name_;
  RankedList by_order_;
  std::array<uint64_t, kElementKinds> elements_{};
  std::array<uint64_t, kElementKinds> shown_{};
  uint64_t digest_ = 0;
};

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_LARGE_KEY_H_
