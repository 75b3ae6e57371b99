// The interest streams of all nodes: what their clients subscribe to. See
// crdt/interest.h for the elements, node/core/stream/stream_state.h for how a
// kind is replicated.
//
//   publish("news") --> Match --> nodes b and c hold "news" or a pattern of it
//
// Hiding a stream is a flag: look-ups pass hidden streams over, so a node that
// is down counts for nothing and is sent nothing, at once.
//
// Costs: Match O(log channels + patterns + nodes that match); a delta costs its
// mutations. Threads: the core's.
#ifndef MUSTER_NODE_CORE_PUBSUB_INTEREST_STATE_H_
#define MUSTER_NODE_CORE_PUBSUB_INTEREST_STATE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "crdt/interest.h"
#include "node/core/message.h"
#include "node/core/stream/stream_state.h"
#include "node/core/stream/stream_table.h"

namespace muster::core {

class InterestState final : public StreamState {
 public:
  // `kind`: that of interest streams in the table.
  InterestState(StreamTable& streams, crdt::StreamKind kind)
      : streams_(streams), kind_(kind) {}

  // ---- this node's own stream ----
  // Says how many of this node's clients subscribe to a name by now.
  void Write(Stream& own, const InterestChange& change);

  // ---- what is shown ----
  struct Match {
    // Subscriptions that a message of this channel meets, by node: one client
    // with the channel and a matching pattern counts twice, as in Redis.
    std::vector<std::pair<const Stream*, uint64_t>> nodes;
    uint64_t subscriptions = 0;
  };
  Match MatchOf(absl::string_view channel) const;
  // The stream of a life, or null.
  const Stream* StreamOf(crdt::LifeId life) const;
  // Subscribers of the channel itself, over all nodes.
  uint64_t Subscribers(absl::string_view channel) const;
  // Distinct patterns that somebody subscribes to.
  uint64_t PatternCount() const;

  struct Channel {
    absl::string_view name;  // Valid until the next call that changes anything.
    uint64_t subscribers = 0;
  };
  struct Page {
    std::vector<Channel> channels;
    // The last channel looked at, if there may be more.
    absl::string_view next;
    bool more = false;
  };
  // Channels that somebody subscribes to and that match the glob, in byte
  // order, after a name. Looks at no more than kPageLooks of them.
  static constexpr size_t kPageLooks = 2048;
  Page Channels(absl::string_view glob, absl::string_view after,
                size_t limit) const;

  // Streams whose position has moved since the last call, for those who wait
  // for it.
  std::vector<crdt::LifeId> TakeMoved();

  // A slice of forgetting dropped streams; true if more is left.
  bool RunJob();
  bool has_work() const { return !dropped_.empty(); }

  // ---- StreamState ----
  StreamIdx Added(Stream& stream) override;
  void Dropped(Stream& stream) override { dropped_.push_back(&stream); }
  bool ApplyRun(Stream& stream, absl::string_view& bytes, crdt::Seq seq,
                crdt::Seq end) override;
  uint64_t Digest(const Stream& stream) const override {
    return set_.Digest(stream.idx);
  }
  std::unique_ptr<ElementWalk> Elements(Stream& stream) override;
  std::unique_ptr<ElementMerge> Rebase(Stream& stream) override;
  void Settle(Stream& stream) override { moved_.push_back(stream.origin.life); }
  // Of a node that is not there nothing is wanted: its subscribers are gone.
  bool HasWanted(const Stream& stream) const override {
    return !stream.hidden();
  }

  const crdt::InterestSet& set() const { return set_; }

 private:
  class Walk;
  class Merge;
  // (pattern, name) of this node's own elements.
  using Own = absl::btree_map<std::pair<bool, std::string>, crdt::ElementId>;

  bool Shown(crdt::InterestSet::StreamIdx idx) const;
  uint64_t ShownSum(const crdt::InterestSet::Holders& holders) const;

  StreamTable& streams_;
  const crdt::StreamKind kind_;
  crdt::InterestSet set_;
  std::vector<Stream*> by_idx_;
  std::vector<StreamIdx> free_;
  std::deque<Stream*> dropped_;
  std::vector<crdt::LifeId> moved_;
  Own own_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_PUBSUB_INTEREST_STATE_H_
