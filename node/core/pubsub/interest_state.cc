#include "node/core/pubsub/interest_state.h"

#include <algorithm>
#include <optional>

#include "crdt/check.h"
#include "crdt/glob.h"
#include "crdt/mutant.h"
#include "node/core/stream/rebase_elements.h"

namespace muster::core {

using crdt::ElementId;
using crdt::InterestMutation;
using crdt::InterestSet;
using crdt::Seq;
using Kind = RebaseFrame::Kind;

namespace {

// Elements that a slice of a job looks at.
constexpr size_t kSlice = 128;

}  // namespace

// -------------------------------------------------------------------- walk

class InterestState::Walk final : public ElementWalk {
 public:
  Walk(const InterestSet& set, const Stream& stream)
      : set_(set), stream_(stream) {}

  void Restart() override { at_ = Seq(); }
  std::optional<ElementWalk::Elements> Next(const Limits& limits) override {
    return TakeElements(At{*this, limits.upto}, limits, Kind::kKeep,
                        Kind::kPut);
  }

 private:
  struct At {
    Walk& walk;
    Seq upto;
    Seq seq() const {
      const auto& elements = walk.set_.elements(walk.stream_.idx);
      const auto here = elements.upper_bound(walk.at_);
      return here == elements.end() || here->first > upto ? Seq() : here->first;
    }
    void encode(std::string& out) const {
      walk.set_.EncodeElement(walk.stream_.idx, seq(), out);
    }
    void next() const { walk.at_ = seq(); }
  };

  const InterestSet& set_;
  const Stream& stream_;
  Seq at_;  // The last one walked over.
};

// ------------------------------------------------------------------- merge

class InterestState::Merge final : public ElementMerge {
 public:
  Merge(InterestSet& set, const Stream& stream) : set_(set), stream_(stream) {}

  void Restart() override { swept_ = Seq(); }

  Outcome Keep(const RebaseFrame& frame, NameProgress& progress,
               size_t& steps) override {
    return PassNames(frame, progress, [&](Seq seq) {
      if (steps == 0) return Outcome::kMore;
      --steps;
      return set_.SetRound(stream_.idx, seq, stream_.round) ? Outcome::kDone
                                                            : Outcome::kBad;
    });
  }

  bool Put(const RebaseFrame& frame, Seq& last) override {
    absl::string_view bytes = *frame.payload;
    Seq seq;
    InterestMutation put;
    for (uint32_t n = 0; n < frame.count; ++n) {
      if (!crdt::DecodeInterestElement(bytes, seq, put) ||
          !set_.Put(stream_.idx, put, stream_.round)) {
        return false;
      }
      last = seq;
    }
    return true;
  }

  uint32_t Apply(absl::string_view bytes, Seq first, uint32_t count) override {
    InterestMutation mutation;
    for (uint32_t n = 0; n < count; ++n) {
      if (!crdt::DecodeInterest(bytes, Seq(first.value + n), mutation)) {
        return n;
      }
      set_.Apply(stream_.idx, mutation, stream_.round);
    }
    return count;
  }

  bool Sweep() override {
    const InterestSet::Elements& elements = set_.elements(stream_.idx);
    for (size_t n = 0; n < kSlice; ++n) {
      const auto at = elements.upper_bound(swept_);
      if (at == elements.end()) return true;
      swept_ = at->first;
      if (at->second.round != stream_.round) set_.Erase(stream_.idx, swept_);
    }
    return false;
  }

 private:
  InterestSet& set_;
  const Stream& stream_;
  Seq swept_;  // The last one looked at.
};

// ------------------------------------------------------------------- state

StreamIdx InterestState::Added(Stream& stream) {
  StreamIdx idx;
  if (free_.empty()) {
    idx = static_cast<StreamIdx>(by_idx_.size());
    by_idx_.push_back(&stream);
  } else {
    idx = free_.back();
    free_.pop_back();
    by_idx_[idx] = &stream;
  }
  set_.AddStream(idx);
  return idx;
}

bool InterestState::RunJob() {
  if (dropped_.empty()) return false;
  Stream& stream = *dropped_.front();
  if (set_.RemoveSome(stream.idx, kSlice)) {
    dropped_.pop_front();
    by_idx_[stream.idx] = nullptr;
    free_.push_back(stream.idx);
    streams_.Free(stream);
  }
  return has_work();
}

bool InterestState::ApplyRun(Stream& stream, absl::string_view& bytes, Seq seq,
                             Seq end) {
  moved_.push_back(stream.origin.life);
  InterestMutation mutation;
  for (; seq < end; seq = seq.Next()) {
    absl::string_view rest = bytes;
    if (!crdt::DecodeInterest(rest, seq, mutation) ||
        !set_.Apply(stream.idx, mutation, stream.round)) {
      return false;
    }
    bytes = rest;
    stream.vv = seq;
  }
  return true;
}

std::unique_ptr<ElementWalk> InterestState::Elements(Stream& stream) {
  return std::make_unique<Walk>(set_, stream);
}

std::unique_ptr<ElementMerge> InterestState::Rebase(Stream& stream) {
  return std::make_unique<Merge>(set_, stream);
}

std::vector<crdt::LifeId> InterestState::TakeMoved() {
  std::vector<crdt::LifeId> moved = std::exchange(moved_, {});
  std::sort(moved.begin(), moved.end());
  moved.erase(std::unique(moved.begin(), moved.end()), moved.end());
  return moved;
}

void InterestState::Write(Stream& own, const InterestChange& change) {
  InterestMutation mutation;
  mutation.seq = own.vv.Next();
  mutation.id = ElementId(mutation.seq.value);
  mutation.name = change.name;
  mutation.subscribers = change.subscribers;
  mutation.kind = change.pattern ? InterestMutation::Kind::kPutPattern
                                 : InterestMutation::Kind::kPutChannel;
  const auto [at, is_new] =
      own_.try_emplace({change.pattern, change.name}, mutation.id);
  if (!is_new) mutation.id = at->second;
  if (change.subscribers == 0) {
    own_.erase(at);
    // It came and went before it was ever said.
    if (is_new) return;
    mutation.kind = InterestMutation::Kind::kRemove;
  }
  std::string bytes;
  crdt::EncodeInterest(mutation, bytes);
  MUSTER_CHECK(set_.Apply(own.idx, mutation));
  own.vv = mutation.seq;
  streams_.log(own.kind).Append(own.idx, bytes, 1);
}

// ------------------------------------------------------------------- reads

bool InterestState::Shown(InterestSet::StreamIdx idx) const {
  return !by_idx_[idx]->hidden() ||
         crdt::Mutated(crdt::Mutant::kDownStillCounts);
}

uint64_t InterestState::ShownSum(const InterestSet::Holders& holders) const {
  uint64_t sum = 0;
  for (const InterestSet::Holder& holder : holders) {
    if (Shown(holder.stream)) sum += holder.subscribers;
  }
  return sum;
}

const Stream* InterestState::StreamOf(crdt::LifeId life) const {
  const StreamTable& streams = streams_;
  return streams.Find({life, kind_});
}

InterestState::Match InterestState::MatchOf(absl::string_view channel) const {
  Match match;
  const auto add = [&](const InterestSet::Holders& holders) {
    for (const InterestSet::Holder& holder : holders) {
      if (!Shown(holder.stream)) continue;
      const Stream* stream = by_idx_[holder.stream];
      match.subscriptions += holder.subscribers;
      auto node = std::find_if(
          match.nodes.begin(), match.nodes.end(),
          [stream](const auto& known) { return known.first == stream; });
      if (node == match.nodes.end()) {
        match.nodes.push_back({stream, holder.subscribers});
      } else {
        node->second += holder.subscribers;
      }
    }
  };
  const auto name = set_.channels().find(channel);
  if (name != set_.channels().end()) add(name->second);
  for (const auto& [pattern, holders] : set_.patterns()) {
    if (crdt::GlobMatch(pattern, channel)) add(holders);
  }
  return match;
}

uint64_t InterestState::Subscribers(absl::string_view channel) const {
  const auto name = set_.channels().find(channel);
  return name == set_.channels().end() ? 0 : ShownSum(name->second);
}

uint64_t InterestState::PatternCount() const {
  return static_cast<uint64_t>(std::count_if(
      set_.patterns().begin(), set_.patterns().end(),
      [this](const auto& name) { return ShownSum(name.second) > 0; }));
}

InterestState::Page InterestState::Channels(absl::string_view glob,
                                            absl::string_view after,
                                            size_t limit) const {
  Page page;
  const InterestSet::Names& names = set_.channels();
  auto at = after.empty() ? names.begin() : names.upper_bound(after);
  for (size_t looks = 0; at != names.end(); ++at, ++looks) {
    if (looks == kPageLooks || page.channels.size() == limit) {
      page.more = true;
      return page;
    }
    page.next = at->first;
    const uint64_t subscribers = ShownSum(at->second);
    if (subscribers == 0 || !crdt::GlobMatch(glob, at->first)) continue;
    page.channels.push_back({at->first, subscribers});
  }
  return page;
}

}  // namespace muster::core
