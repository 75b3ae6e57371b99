// A presence store that is obviously right: ordered maps, every answer made
// by looking at everything. What the real one is compared with.
#ifndef MUSTER_TESTS_CRDT_STORE_MODEL_H_
#define MUSTER_TESTS_CRDT_STORE_MODEL_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "crdt/presence_store.h"

namespace muster::crdt {

// One call of the observer, with all that could be read then.
struct ViewEvent {
  enum class Kind { kShown, kHidden, kUpdated } kind = Kind::kShown;
  std::string topic;
  std::string key;
  std::string meta;
  Ref ref;
  Ref previous;
  bool operator==(const ViewEvent&) const = default;
};

// Elements are named as the store named them: by row and session index.
class StoreModel {
 public:
  struct Entry {
    StreamIdx stream = kNone;
    SessionIdx session = kNone;
    ElementId id;
    Seq seq;
    std::string topic;
    std::string key;
    std::string meta;
    Ref explicit_ref;
    bool shown = false;
    bool detached = false;
    uint64_t stamp = 0;
  };
  struct Session {
    StreamIdx stream = kNone;
    ElementId id;
    Seq seq;
    SessionContent content;
  };
  struct Stream {
    uint64_t life = 0;
    Seq last;
  };

  std::map<StreamIdx, Stream> streams;
  std::map<SessionIdx, Session> sessions;
  std::map<RowIdx, Entry> entries;
  std::map<std::string, int> pins;
  std::vector<ViewEvent> events;

  Ref RefOf(const Entry& entry) const;
  void Show(RowIdx row);
  void Hide(RowIdx row);
  void Update(RowIdx row, Seq seq, const std::string& meta, const Ref& ref);
  void Transfer(RowIdx from, RowIdx to);
  void Remove(RowIdx row);

  bool HasRows(SessionIdx session) const;
  std::set<std::string> Topics() const;

  // Fails the running test where `store` answers otherwise.
  void Compare(const PresenceStore& store) const;
  // The digests of a store that was never told anything but what is live now.
  std::map<StreamIdx, uint64_t> FreshDigests(uint64_t hash_seed) const;

 private:
  void Report(ViewEvent::Kind kind, const Entry& entry, const Ref& previous);
  void CompareEntries(const PresenceStore& store) const;
  void CompareGroups(const PresenceStore& store) const;
  void CompareSessions(const PresenceStore& store) const;
  void CompareStreams(const PresenceStore& store) const;
  void CompareTopics(const PresenceStore& store) const;
  void ComparePages(const PresenceStore& store, TopicIdx topic,
                    const std::map<uint64_t, RowIdx>& order) const;
};

}  // namespace muster::crdt

#endif  // MUSTER_TESTS_CRDT_STORE_MODEL_H_
