#include "crdt/entry_rows.h"

#include <cstring>

#include "crdt/presence_bytes.h"
#include "crdt/presence_hash.h"

namespace muster::crdt {
namespace {

constexpr size_t kSeqBytes = 8;
constexpr size_t kRefBytes = 24;
constexpr size_t kRootBytes = 16;

}  // namespace

size_t EntryRows::HeadBytes(const Row& row) {
  return ((row.flags & kHasSeq) != 0 ? kSeqBytes : 0) +
         ((row.flags & kHasRef) != 0 ? kRefBytes : 0) +
         ((row.flags & kHasRoot) != 0 ? kRootBytes : 0);
}

void EntryRows::SetContent(RowIdx i, Seq seq, const EntryContent& content) {
  Row& row = rows_[i];
  const absl::string_view key = content.key;
  const absl::string_view meta = content.meta;
  row.flags &= ~(kHasSeq | kHasRef | kHasRoot);
  if (seq.value != row.id.value) row.flags |= kHasSeq;
  if (!content.ref.IsNone()) row.flags |= kHasRef;
  if (!content.root.IsNone()) row.flags |= kHasRoot;
  size_t size = HeadBytes(row) + VarintSize(key.size()) +
                VarintSize(meta.size()) + key.size() + meta.size();
  Slab::Handle old = row.blob;
  row.blob = slab_.Alloc(size);
  char* at = slab_.Data(row.blob);
  if ((row.flags & kHasSeq) != 0) {
    std::memcpy(at, &seq.value, kSeqBytes);
    at += kSeqBytes;
  }
  if ((row.flags & kHasRef) != 0) {
    std::memcpy(at, &content.ref, kRefBytes);
    at += kRefBytes;
  }
  if ((row.flags & kHasRoot) != 0) {
    std::memcpy(at, &content.root, kRootBytes);
    at += kRootBytes;
  }
  at = PutVarint(at, key.size());
  at = PutVarint(at, meta.size());
  std::memcpy(at, key.data(), key.size());
  if (!meta.empty()) std::memcpy(at + key.size(), meta.data(), meta.size());
  // Only now: key and meta may be views into it.
  if (old != kNone) slab_.Free(old);
}

EntryRows::Strings EntryRows::View(const Row& row) const {
  const char* at = slab_.Data(row.blob) + HeadBytes(row);
  uint64_t key_size;
  uint64_t meta_size;
  at = GetVarint(at, key_size);
  at = GetVarint(at, meta_size);
  return {{at, key_size}, {at + key_size, meta_size}};
}

Seq EntryRows::seq(RowIdx i) const {
  const Row& row = rows_[i];
  if ((row.flags & kHasSeq) == 0) return Seq(row.id.value);
  Seq seq;
  std::memcpy(&seq.value, slab_.Data(row.blob), kSeqBytes);
  return seq;
}

Ref EntryRows::explicit_ref(RowIdx i) const {
  static_assert(sizeof(Ref) == kRefBytes);
  const Row& row = rows_[i];
  Ref ref;
  if ((row.flags & kHasRef) == 0) return ref;
  const char* at = slab_.Data(row.blob);
  if ((row.flags & kHasSeq) != 0) at += kSeqBytes;
  std::memcpy(static_cast<void*>(&ref), at, kRefBytes);
  return ref;
}

EntryRoot EntryRows::explicit_root(RowIdx i) const {
  static_assert(sizeof(EntryRoot) == kRootBytes);
  const Row& row = rows_[i];
  EntryRoot root;
  if ((row.flags & kHasRoot) == 0) return root;
  const char* at = slab_.Data(row.blob) + HeadBytes(row) - kRootBytes;
  std::memcpy(static_cast<void*>(&root), at, kRootBytes);
  return root;
}

uint64_t EntryRows::ContentHash(RowIdx i, absl::string_view topic) const {
  const Row& row = rows_[i];
  const Strings blob = View(row);
  uint64_t hash = Mix(seq(i).value) + row.id.value;
  hash = HashBytes(topic, hash);
  hash = HashBytes(blob.key, hash);
  hash = HashBytes(blob.meta, hash);
  if ((row.flags & kHasRef) != 0) {
    const Ref ref = explicit_ref(i);
    hash = Mix(hash ^ ref.life) + Mix(ref.id.value) + ref.seq.value;
  }
  if ((row.flags & kHasRoot) != 0) {
    const EntryRoot root = explicit_root(i);
    hash = Mix(hash ^ root.life) + root.id.value;
  }
  return hash;
}

}  // namespace muster::crdt
