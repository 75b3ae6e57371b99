// A toy kind of stream: a map of ids to short texts. It is the smallest
// StreamState there can be, and shows that replication, rebase and the stream
// table need nothing of presence.
//
//   mutation := 'p' distance(seq - id) text   put, text as a varint length and
//                                             bytes
//             | 'r' distance(seq - id)        remove
#ifndef MUSTER_TESTS_CORE_STREAM_TOY_KIND_H_
#define MUSTER_TESTS_CORE_STREAM_TOY_KIND_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "crdt/grammar.h"
#include "node/core/stream/stream_state.h"
#include "node/core/stream/stream_table.h"

namespace muster::core {

// Presence and the toy side by side: the toy borrows the number of a kind that
// has no grammar yet.
inline constexpr crdt::StreamKind kToyKind = crdt::StreamKind::kKeyValue;

const crdt::Grammar& ToyGrammar();

class ToyState final : public StreamState {
 public:
  struct Element {
    crdt::Seq seq;
    std::string text;
    uint16_t round = 0;
  };
  using ElementMap = std::map<crdt::ElementId, Element>;

  explicit ToyState(StreamTable& streams) : streams_(streams) {}

  // ---- of the own stream ----
  // A new element; its id.
  crdt::ElementId Put(Stream& stream, const std::string& text);
  void Update(Stream& stream, crdt::ElementId id, const std::string& text);
  void Remove(Stream& stream, crdt::ElementId id);

  // ---- StreamState ----
  StreamIdx Added(Stream& stream) override;
  void Dropped(Stream& stream) override { dropped_.push_back(&stream); }
  bool ApplyRun(Stream& stream, absl::string_view& bytes, crdt::Seq seq,
                crdt::Seq end) override;
  uint64_t Digest(const Stream& stream) const override;
  std::unique_ptr<ElementWalk> Elements(Stream& stream) override;
  std::unique_ptr<ElementMerge> Rebase(Stream& stream) override;
  void Settle(Stream&) override { ++settled; }
  bool HasWanted(const Stream& stream) const override {
    return !of(stream).empty();
  }

  // Forgets what was dropped.
  void RunJobs();
  const ElementMap& of(const Stream& stream) const {
    return by_idx_[stream.idx];
  }
  // "id=text@seq ...", in the order of ids.
  std::string Text(const Stream& stream) const;
  int settled = 0;

 private:
  friend class ToyWalk;
  friend class ToyMerge;

  ElementMap& At(const Stream& stream) { return by_idx_[stream.idx]; }
  // Takes a mutation off `bytes` and applies it; false if it is malformed.
  bool ApplyOne(Stream& stream, absl::string_view& bytes, crdt::Seq seq);
  void Commit(Stream& stream, const std::string& mutation);

  StreamTable& streams_;
  std::vector<ElementMap> by_idx_;
  std::vector<StreamIdx> free_;
  std::vector<Stream*> dropped_;
};

}  // namespace muster::core

#endif  // MUSTER_TESTS_CORE_STREAM_TOY_KIND_H_
