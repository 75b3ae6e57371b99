// One key, read and changed element by element, whichever way it is held.
//
//   KeyEdit edit(store, {0, "h"});
//   edit.Edit({ElementKind::kField, "f0"}, [](Versions& versions) { … });
//   Versions versions = edit.Get({ElementKind::kField, "f1"});
//   edit.Commit();        // or the destructor; it ends the edit
//
// An element of a large key is changed at once, and so is one of a packed key
// where the head tells what the key shows then; what is more than that (a new
// key, one of two types, one that grows large or shows nothing any more) is
// decoded as a whole and written by Commit. Digests, the journal and the head
// follow here, and nowhere else.
//
// Views stay good until a change. Names and values that are set must live
// until Commit.
#ifndef MUSTER_CRDT_KEYSPACE_KEY_EDIT_H_
#define MUSTER_CRDT_KEYSPACE_KEY_EDIT_H_

#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "crdt/keyspace/context.h"
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
  // Changes the versions of an element, without any: removes it.
  using ChangeOne = absl::FunctionRef<void(Versions&)>;
  // False: leave the element as it is; true: it is `versions` from now on.
  using Change = absl::FunctionRef<bool(const ElementName&, Versions&)>;
  using Visit = absl::FunctionRef<void(const ElementName&, const Versions&)>;

  KeyEdit(KeyStore& store, const KeyName& name);
  ~KeyEdit() { Commit(); }
  KeyEdit(const KeyEdit&) = delete;
  KeyEdit& operator=(const KeyEdit&) = delete;

  Versions Get(const ElementName& name) const;
  // The one without a name: births and deadlines, or a string.
  Versions Get(ElementKind kind) const { return Get({kind, {}, {}}); }
  void Edit(const ElementName& name, ChangeOne change);
  void Set(const ElementName& name, const Versions& versions);
  // In the order of names. `visit` must not change the key.
  void ForEach(Visit visit) const;
  // All elements, or those of which `change` returns true, are set.
  void Update(Change change);
  // The type that the key shows now.
  Type type() const;
  // It holds a string and perhaps births and deadlines, and nothing else.
  bool IsString() const {
    return !loaded_ && blob_.type == Type::kString && !blob_.mixed;
  }
  // Null where it is packed.
  const LargeKey* large() const { return blob_.large; }

  // Takes all of it away, in O(1), if the leader had seen all of it and it is
  // large. False: nothing was done.
  bool DetachIfSeen(const Seen& seen);

  void Commit();

 private:
  struct Element {
    ElementName name;
    Versions versions;
  };
  using Elements = absl::InlinedVector<Element, 1>;

  // Decodes a packed key.
  void Load();
  void EditLarge(const ElementName& name, ChangeOne change);
  void EditLoaded(const ElementName& name, ChangeOne change);
  // False: it takes more than that; nothing was done.
  bool EditInPlace(const ElementName& name, ChangeOne change);
  // Sets the head to what the key shows once one element is changed.
  bool FitHead(const ElementName& name, VersionSpan before, VersionSpan after,
               KeyBlob& head) const;
  // Digests and journal of a change.
  void Note(const ElementName& name, VersionSpan before, VersionSpan after);
  void CommitLarge();
  void CommitLoaded();
  void Enlarge();
  Deadline DeadlineAs(Type type) const;
  uint64_t Hash();

  KeyStore& store_;
  KeyName name_;
  RowIdx row_;
  KeyBlob blob_;  // As it is in the store; for a new key, its name.
  bool hashed_ = false;
  uint64_t hash_ = 0;
  bool loaded_ = false;
  Elements elements_;  // Of a packed key, in the order of their names.
  bool changed_ = false;
  bool head_changed_ = false;  // Of a large key: perhaps.
};

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_KEY_EDIT_H_
