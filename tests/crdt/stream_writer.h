// A writer of one presence stream that makes random valid mutations, and the
// smallest reader that applies them: what a node does, without what it shows.
#ifndef MUSTER_TESTS_CRDT_STREAM_WRITER_H_
#define MUSTER_TESTS_CRDT_STREAM_WRITER_H_

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "crdt/mutation.h"
#include "crdt/presence_store.h"

namespace muster::crdt {

class StreamWriter {
 public:
  explicit StreamWriter(uint64_t seed) : random_(seed) {}

  // The encoding of the next mutation.
  std::string Next();
  Seq last() const { return last_; }

 private:
  uint64_t Below(uint64_t limit) { return random_() % limit; }
  std::string PutSession(ElementId id);
  std::string PutEntry(ElementId id);
  std::string Remove();

  struct Entry {
    ElementId session;
    std::string topic;
    std::string key;
  };
  std::mt19937_64 random_;
  Seq last_;
  std::vector<ElementId> sessions_;
  std::map<ElementId, Entry> entries_;
};

// Applies one stream, in seq order and each mutation once.
class StreamReader {
 public:
  StreamReader(PresenceStore& store, StreamIdx stream)
      : store_(store), stream_(stream) {}

  // `count` mutations, the first with seq `first`; those at or below position()
  // change nothing. False, and nothing is changed, if there is a gap.
  bool Apply(absl::string_view bytes, Seq first, uint32_t count);
  // The state of a stream that stands at `at`, as EncodeState makes it.
  void Rebase(absl::string_view sessions, absl::string_view entries, Seq at);
  Seq position() const { return position_; }

 private:
  void Put(const Mutation& mutation);
  void Apply(const Mutation& mutation);

  PresenceStore& store_;
  StreamIdx stream_;
  Seq position_;
};

// The elements of a stream, each kind in seq order, as a rebase sends them.
struct EncodedState {
  std::string sessions;
  std::string entries;
};
EncodedState EncodeState(const PresenceStore& store, StreamIdx stream);

}  // namespace muster::crdt

#endif  // MUSTER_TESTS_CRDT_STREAM_WRITER_H_
