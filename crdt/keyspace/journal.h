// The changes of a transaction, as all was before: for Transaction::Abandon.
//
// One buffer of bytes, so that noting a change allocates nothing once the
// buffer has grown. What was detached as a whole is held until the end.
// Cost: O(bytes) of the element. Threads: one.
#ifndef MUSTER_CRDT_KEYSPACE_JOURNAL_H_
#define MUSTER_CRDT_KEYSPACE_JOURNAL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "crdt/keyspace/database.h"
#include "crdt/keyspace/large_key.h"
#include "crdt/keyspace/types.h"

namespace muster::kv {

class KeyStore;

// A large key that was taken out of its row.
struct DetachedKey {
  std::string key;
  uint8_t db = 0;
  Type type = Type::kNone;
  Deadline deadline;
  bool mixed = false;
  std::unique_ptr<LargeKey> large;
};

class Journal {
 public:
  // Each is called before the change, or with what was taken.
  void NoteElement(const KeyName& key, const ElementName& name,
                   VersionSpan before, LifeTable& lives);
  void NoteUnsettled(const KeyName& key, bool was);
  void NoteKey(DetachedKey key);
  void NoteDatabase(uint8_t db, std::unique_ptr<Database> database);

  // Puts everything back, the latest first.
  void Undo(KeyStore& store);
  // Forgets it; what was detached is buried in `store`.
  void Clear(KeyStore& store);

 private:
  enum class Kind : uint8_t { kElement, kUnsettled, kKey, kDatabase };
  struct Entry {
    Kind kind;
    size_t at;  // In bytes_, keys_ or databases_.
  };
  struct DetachedDatabase {
    uint8_t db = 0;
    std::unique_ptr<Database> database;
  };
  // A buffer above it is not kept.
  static constexpr size_t kKeptBytes = 64 << 10;

  void UndoUnsettled(absl::string_view bytes, KeyStore& store);
  void UndoElement(absl::string_view bytes, KeyStore& store);

  std::vector<Entry> entries_;
  std::string bytes_;
  std::vector<DetachedKey> keys_;
  std::vector<DetachedDatabase> databases_;
};

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_JOURNAL_H_
