// Interest: the channels and patterns that the clients of each node subscribe
// to. Each node writes one stream of kind kInterest; an element is one channel
// or one pattern with the number of that node's subscribers.
//
//   node a:  1 put channel "news" 1       channels: news -> a: 2, b: 1
//            2 put pattern "chat.*" 1     patterns: chat.* -> a: 1
//            3 put channel "news" 2 (id 1)
//   node b:  1 put channel "news" 1
//
// A mutation, for one seq that is not encoded (as in crdt/mutation.h):
//   mutation := tag [distance(seq - id)] [name subscribers]
//   tag      := kind | kCreates (id == seq, no distance)
//   name     := a varint length and bytes; subscribers: a varint from 1
// `name` and `subscribers` are absent in a removal. docs/wire_format.md has
// the table.
//
// Names are bytes, any bytes, 1 to kMaxChannelBytes.
//
// Invariants
//   1. An id names one (name, pattern or channel) for its whole life.
//   2. A stream has at most one element for a channel, and at most one for a
//      pattern, of the same name. (If a stream breaks this, all its elements
//      count; its digest stays right.)
//   3. Digest(stream) is a function of the stream's live elements alone.
// Cost: Apply O(log n); Publish-time look-ups O(log channels + patterns).
// Memory: a heap node an element; a stream has few of them.
// Threads: one.
#ifndef MUSTER_CRDT_INTEREST_H_
#define MUSTER_CRDT_INTEREST_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "crdt/grammar.h"
#include "crdt/types.h"

namespace muster::crdt {

// The limit of names from a peer, whatever the node's own limit for clients.
inline constexpr size_t kMaxChannelBytes = 64 << 10;

struct InterestMutation {
  enum class Kind : uint8_t {
    kPutChannel = 1,
    kPutPattern = 2,
    kRemove = 3,
  };
  Kind kind = Kind::kRemove;
  Seq seq;
  ElementId id;  // == seq: creates the element.
  absl::string_view name;
  uint64_t subscribers = 0;
};

void EncodeInterest(const InterestMutation& mutation, std::string& out);
// Takes one mutation with this seq off the front of `bytes`; false if they are
// malformed. The name is a view into `bytes`.
bool DecodeInterest(absl::string_view& bytes, Seq seq, InterestMutation& out);
// REQUIRES: `bytes` was validated.
void SkipInterest(absl::string_view& bytes);
bool ValidateInterest(absl::string_view bytes, Seq first, uint32_t count);
// The elements of a rebase, as in crdt/mutation.h: gap of the seq, then a put.
bool DecodeInterestElement(absl::string_view& bytes, Seq& previous,
                           InterestMutation& out);
bool ValidateInterestElements(absl::string_view bytes, uint32_t count);
const Grammar& InterestGrammar();

class InterestSet {
 public:
  // A small number that the caller chooses, and may reuse once the stream is
  // gone.
  using StreamIdx = uint32_t;

  struct Element {
    ElementId id;
    std::string name;
    bool pattern = false;
    uint64_t subscribers = 0;
    uint16_t round = 0;  // Of a rebase; see node/core/stream/rebase.h.
  };
  // The elements of one stream, in the order of their last seqs.
  using Elements = absl::btree_map<Seq, Element>;

  // A stream that holds a name.
  struct Holder {
    StreamIdx stream = 0;
    uint64_t subscribers = 0;
  };
  using Holders = std::vector<Holder>;
  using Names = absl::btree_map<std::string, Holders, std::less<>>;

  void AddStream(StreamIdx stream);
  // Removes at most `budget` elements of a stream; true once none is left and
  // the stream is gone.
  bool RemoveSome(StreamIdx stream, size_t budget);

  // False: the mutation contradicts an element's name or kind; nothing changed.
  // True without a change: a removal of an unknown id, or a mutation older than
  // the element here. `round` marks the element that was put.
  bool Apply(StreamIdx stream, const InterestMutation& mutation,
             uint16_t round = 0);
  // As Apply of a put, but also replaces a later element: one of a rebase.
  bool Put(StreamIdx stream, const InterestMutation& mutation, uint16_t round);

  const Elements& elements(StreamIdx stream) const {
    return streams_[stream].by_seq;
  }
  // False if there is none with this seq.
  bool SetRound(StreamIdx stream, Seq seq, uint16_t round);
  // REQUIRES, of both: there is one with this seq.
  void Erase(StreamIdx stream, Seq seq);
  void EncodeElement(StreamIdx stream, Seq seq, std::string& out) const;
  uint64_t Digest(StreamIdx stream) const { return streams_[stream].digest; }
  const Names& channels() const { return channels_; }
  const Names& patterns() const { return patterns_; }

  // The first broken invariant, or "". O(n): for tests.
  std::string Audit() const;

 private:
  struct StreamElements {
    bool used = false;
    Elements by_seq;
    absl::flat_hash_map<ElementId, Seq> seq_of;
    uint64_t digest = 0;
  };

  Names& NamesOf(bool pattern) { return pattern ? patterns_ : channels_; }
  // Changes the stream's number of subscribers of the element's name.
  void Count(StreamIdx stream, const Element& element, int64_t change);
  void Insert(StreamIdx stream, Seq seq, Element element);

  std::vector<StreamElements> streams_;
  Names channels_;
  Names patterns_;
};

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_INTEREST_H_
