#include "crdt/keyspace/journal.h"

#include <utility>

#include "crdt/check.h"
#include "crdt/keyspace/element_codec.h"
#include "crdt/keyspace/key_edit.h"
#include "crdt/keyspace/key_store.h"
#include "crdt/keyspace/op.h"
#include "crdt/keyspace/wire.h"

namespace muster::kv {
namespace {

void AppendKey(const KeyName& key, std::string& out) {
  out.push_back(static_cast<char>(key.db));
  AppendValue(key.key, out);
}

KeyName TakeKey(absl::string_view& bytes) {
  KeyName key;
  MUSTER_CHECK(TakeByte(bytes, key.db) && TakeBytes(bytes, key.key));
  return key;
}

}  // namespace

// An element: its key, whether it was there, and it or else its name.
void Journal::NoteElement(const KeyName& key, const ElementName& name,
                          VersionSpan before, LifeTable& lives) {
  entries_.push_back({Kind::kElement, bytes_.size()});
  AppendKey(key, bytes_);
  bytes_.push_back(before.empty() ? 0 : 1);
  if (!before.empty()) {
    LastMutation last;
    return AppendElement(name, before, lives, last, bytes_);
  }
  bytes_.push_back(static_cast<char>(name.kind));
  if (name.kind == ElementKind::kItem) return AppendDot(name.item, bytes_);
  AppendValue(name.name, bytes_);
}

void Journal::NoteUnsettled(const KeyName& key, bool was) {
  entries_.push_back({Kind::kUnsettled, bytes_.size()});
  AppendKey(key, bytes_);
  bytes_.push_back(was ? 1 : 0);
}

void Journal::NoteKey(DetachedKey key) {
  entries_.push_back({Kind::kKey, keys_.size()});
  keys_.push_back(std::move(key));
}

void Journal::NoteDatabase(uint8_t db, std::unique_ptr<Database> database) {
  entries_.push_back({Kind::kDatabase, databases_.size()});
  databases_.push_back({db, std::move(database)});
}

void Journal::UndoElement(absl::string_view bytes, KeyStore& store) {
  KeyEdit edit(store, TakeKey(bytes));
  uint8_t had = 0;
  ElementName name;
  Versions before;
  MUSTER_CHECK(TakeByte(bytes, had));
  if (had != 0) {
    LastMutation last;
    MUSTER_CHECK(TakeElement(bytes, store.lives(), last, name, before));
  } else {
    uint8_t kind = 0;
    MUSTER_CHECK(TakeByte(bytes, kind));
    name.kind = static_cast<ElementKind>(kind);
    MUSTER_CHECK(name.kind == ElementKind::kItem ? TakeDot(bytes, name.item)
                                                 : TakeBytes(bytes, name.name));
  }
  edit.Set(name, before);
}

void Journal::UndoUnsettled(absl::string_view bytes, KeyStore& store) {
  const KeyName key = TakeKey(bytes);
  store.SetUnsettled(key, bytes[0] != 0);
}

void Journal::Undo(KeyStore& store) {
  // Behind the elements of its database.
  std::vector<size_t> unsettled;
  const auto undo_unsettled = [&] {
    for (const size_t at : unsettled) {
      UndoUnsettled(absl::string_view(bytes_).substr(at), store);
    }
    unsettled.clear();
  };
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    switch (entry->kind) {
      case Kind::kElement:
        UndoElement(absl::string_view(bytes_).substr(entry->at), store);
        break;
      case Kind::kUnsettled:
        unsettled.push_back(entry->at);
        break;
      case Kind::kKey:
        store.Attach(std::move(keys_[entry->at]));
        break;
      case Kind::kDatabase: {
        undo_unsettled();
        DetachedDatabase& detached = databases_[entry->at];
        store.Attach(detached.db, std::move(detached.database));
      }
    }
  }
  undo_unsettled();
  keys_.clear();
  databases_.clear();
  Clear(store);
}

void Journal::Clear(KeyStore& store) {
  for (DetachedKey& key : keys_) store.Bury(std::move(key.large));
  for (DetachedDatabase& detached : databases_) {
    store.Bury(std::move(detached.database));
  }
  keys_.clear();
  databases_.clear();
  entries_.clear();
  bytes_.clear();
  if (bytes_.capacity() > kKeptBytes) bytes_.shrink_to_fit();
  constexpr size_t kKeptEntries = kKeptBytes / sizeof(Entry);
  if (entries_.capacity() > kKeptEntries) entries_.shrink_to_fit();
}

}  // namespace muster::kv
