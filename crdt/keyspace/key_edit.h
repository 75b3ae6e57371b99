// One key, read and changed element by element, whichever way it is held.
//
//   KeyEdit edit(store, {0, "h"});
//   Versions versions = edit.Get({ElementKind::kField, "f0"});
//   edit.Set({ElementKind::kField, "f0"}, changed);
//   edit.Commit();        // or the destructor; it ends the edit
//
// A packed key is read as a whole and written by Commit, a large one changed
// at once; Commit makes a key large that has outgrown its blob, and erases one
// without elements. Digests, the journal and the head follow here, and nowhere
// else.
//
// Views stay good until Commit, and those of an element of a large key until
// it is set. Names and values that are set must live as long.
#ifndef MUSTER_CRDT_KEYSPACE_KEY_EDIT_H_
#define MUSTER_CRDT_KEYSPACE_KEY_EDIT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "crdt/keyspace/key_store.h"
#include "crdt/keyspace/types.h"

namespace muster::kv {

// Finds the type of a key: that of the elements shown, by the latest stamp; of
// equal stamps the higher type.
class TypeFinder {
 public:
  void Add(const ElementName& name, VersionSpan versions);
  Type type() const { return type_; }

 private:
  Type type_ = Type::kNone;
  Stamp latest_;
};

class KeyEdit {
 public:
  // False: leave the element as it is; true: it is `versions` from now on.
  using Change = absl::FunctionRef<bool(const ElementName&, Versions&)>;
  using Visit = absl::FunctionRef<void(const ElementName&, const Versions&)>;

  KeyEdit(KeyStore& store, const KeyName& name);
  ~KeyEdit() { Commit(); }
  KeyEdit(const KeyEdit&) = delete;
  KeyEdit& operator=(const KeyEdit&) = delete;

  Versions Get(const ElementName& name) const;
  // Without versions: removes it.
  void Set(const ElementName& name, const Versions& versions);
  // In the order of names. `visit` must not change the key.
  void ForEach(Visit visit) const;
  // All elements, or those of which `change` returns true, are set.
  void Update(Change change);
  // The type that the key shows now.
  Type type() const;

  void Commit();

 private:
  struct Element {
    ElementName name;
    Versions versions;
  };
  using Elements = absl::InlinedVector<Element, 1>;

  // Digests and journal of a change.
  void Note(const ElementName& name, const Versions& before,
            const Versions& after);
  void Enlarge();
  std::string Packed() const;
  KeyBlob Blob() const;  // All but its elements.
  void EraseKey();

  KeyStore& store_;
  KeyName name_;
  uint64_t hash_;
  uint32_t bucket_;
  RowIdx row_;
  LargeKey* large_ = nullptr;
  Elements elements_;  // Of a packed key, in the order of their names.
  bool changed_ = false;
};

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_KEY_EDIT_H_
