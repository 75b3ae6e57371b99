#include "tests/core/stream/toy_kind.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "crdt/check.h"
#include "crdt/varint.h"
#include "node/core/stream/rebase_elements.h"

namespace muster::core {

using crdt::ElementId;
using crdt::Seq;
using Kind = RebaseFrame::Kind;

namespace {

struct ToyMutation {
  bool put = false;
  ElementId id;
  std::string text;
};

bool Take(absl::string_view& bytes, Seq seq, ToyMutation& out) {
  if (bytes.empty() || (bytes[0] != 'p' && bytes[0] != 'r')) return false;
  out.put = bytes[0] == 'p';
  bytes.remove_prefix(1);
  uint64_t distance = 0;
  if (!crdt::TakeVarint(bytes, distance) || distance >= seq.value) return false;
  out.id = ElementId(seq.value - distance);
  if (!out.put) return distance > 0;
  uint64_t size = 0;
  if (!crdt::TakeVarint(bytes, size) || size > bytes.size()) return false;
  out.text.assign(bytes.data(), size);
  bytes.remove_prefix(size);
  return true;
}

std::string EncodePut(Seq seq, ElementId id, const std::string& text) {
  std::string out = "p";
  crdt::AppendVarint(seq.value - id.value, out);
  crdt::AppendVarint(text.size(), out);
  return out + text;
}

void SkipOne(absl::string_view& bytes) {
  const bool put = bytes[0] == 'p';
  bytes.remove_prefix(1);
  uint64_t number = 0;
  crdt::TakeVarint(bytes, number);
  if (!put) return;
  crdt::TakeVarint(bytes, number);
  bytes.remove_prefix(number);
}

bool ValidRun(absl::string_view bytes, Seq first, uint32_t count) {
  ToyMutation mutation;
  for (uint32_t i = 0; i < count; ++i) {
    if (!Take(bytes, Seq(first.value + i), mutation)) return false;
  }
  return bytes.empty();
}

bool ValidElements(absl::string_view bytes, uint32_t count) {
  ToyMutation mutation;
  Seq seq;
  for (uint32_t i = 0; i < count; ++i) {
    if (!crdt::DecodeSeqGap(bytes, seq) || !Take(bytes, seq, mutation) ||
        !mutation.put) {
      return false;
    }
  }
  return bytes.empty();
}

uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15u;
  return x ^ (x >> 29);
}

}  // namespace

const crdt::Grammar& ToyGrammar() {
  static constexpr crdt::Grammar kGrammar = {&crdt::SkipRun<&SkipOne>,
                                             &ValidRun, &ValidElements};
  return kGrammar;
}

// -------------------------------------------------------------------- walk

// The elements of a stream whose seqs are above the cursor, sorted anew each
// frame: a toy has few.
class ToyWalk final : public ElementWalk {
 public:
  ToyWalk(ToyState& state, Stream& stream) : state_(state), stream_(stream) {}

  void Restart() override { at_ = Seq(); }
  std::optional<Elements> Next(const Limits& limits) override {
    return TakeElements(At{*this, limits.upto}, limits, Kind::kKeep,
                        Kind::kPut);
  }

 private:
  struct At {
    ToyWalk& walk;
    Seq upto;
    std::pair<ElementId, const ToyState::Element*> here() const {
      std::pair<ElementId, const ToyState::Element*> best = {{}, nullptr};
      for (const auto& [id, element] : walk.state_.of(walk.stream_)) {
        if (element.seq <= walk.at_ || element.seq > upto) continue;
        if (best.second == nullptr || element.seq < best.second->seq) {
          best = {id, &element};
        }
      }
      return best;
    }
    Seq seq() const {
      auto [id, element] = here();
      return element == nullptr ? Seq() : element->seq;
    }
    void encode(std::string& out) const {
      auto [id, element] = here();
      out += EncodePut(element->seq, id, element->text);
    }
    void next() const { walk.at_ = seq(); }
  };

  ToyState& state_;
  Stream& stream_;
  Seq at_;
};

// ------------------------------------------------------------------- merge

class ToyMerge final : public ElementMerge {
 public:
  ToyMerge(ToyState& state, Stream& stream) : state_(state), stream_(stream) {}

  void Restart() override { swept_ = ElementId(); }

  Outcome Keep(const RebaseFrame& frame, NameProgress& progress,
               size_t& steps) override {
    return PassNames(frame, progress, [&](Seq seq) {
      if (steps == 0) return Outcome::kMore;
      --steps;
      for (auto& [id, element] : state_.At(stream_)) {
        if (element.seq != seq) continue;
        element.round = stream_.round;
        return Outcome::kDone;
      }
      return Outcome::kBad;
    });
  }

  bool Put(const RebaseFrame& frame, Seq& last) override {
    absl::string_view bytes = *frame.payload;
    Seq seq;
    ToyMutation mutation;
    for (uint32_t i = 0; i < frame.count; ++i) {
      if (!crdt::DecodeSeqGap(bytes, seq) || !Take(bytes, seq, mutation)) {
        return false;
      }
      state_.At(stream_)[mutation.id] = {seq, mutation.text, stream_.round};
      last = seq;
    }
    return true;
  }

  uint32_t Apply(absl::string_view bytes, Seq first, uint32_t count) override {
    for (uint32_t i = 0; i < count; ++i) {
      if (!state_.ApplyOne(stream_, bytes, Seq(first.value + i))) return i;
    }
    return count;
  }

  bool Sweep() override {
    ToyState::ElementMap& elements = state_.At(stream_);
    auto it = elements.upper_bound(swept_);
    for (int n = 0; n < 3; ++n) {
      if (it == elements.end()) return true;
      swept_ = it->first;
      it = it->second.round == stream_.round ? std::next(it)
                                             : elements.erase(it);
    }
    return false;
  }

 private:
  ToyState& state_;
  Stream& stream_;
  ElementId swept_;
};

// ------------------------------------------------------------------- state

ElementId ToyState::Put(Stream& stream, const std::string& text) {
  const Seq seq = stream.vv.Next();
  const ElementId id(seq.value);
  Commit(stream, EncodePut(seq, id, text));
  return id;
}

void ToyState::Update(Stream& stream, ElementId id, const std::string& text) {
  Commit(stream, EncodePut(stream.vv.Next(), id, text));
}

void ToyState::Remove(Stream& stream, ElementId id) {
  std::string out = "r";
  crdt::AppendVarint(stream.vv.Next().value - id.value, out);
  Commit(stream, out);
}

void ToyState::Commit(Stream& stream, const std::string& mutation) {
  absl::string_view bytes = mutation;
  const Seq seq = stream.vv.Next();
  MUSTER_CHECK(ApplyRun(stream, bytes, seq, seq.Next()));
  streams_.log(stream.kind).Append(stream.idx, mutation, 1);
}

StreamIdx ToyState::Added(Stream&) {
  if (free_.empty()) {
    by_idx_.emplace_back();
    return static_cast<StreamIdx>(by_idx_.size() - 1);
  }
  const StreamIdx idx = free_.back();
  free_.pop_back();
  return idx;
}

bool ToyState::ApplyOne(Stream& stream, absl::string_view& bytes, Seq seq) {
  ToyMutation mutation;
  if (!Take(bytes, seq, mutation)) return false;
  ElementMap& elements = At(stream);
  auto it = elements.find(mutation.id);
  if (!mutation.put) {
    if (it != elements.end()) elements.erase(it);
  } else if (it == elements.end() || it->second.seq <= seq) {
    elements[mutation.id] = {seq, mutation.text, stream.round};
  } else {
    it->second.round = stream.round;
  }
  return true;
}

bool ToyState::ApplyRun(Stream& stream, absl::string_view& bytes, Seq seq,
                        Seq end) {
  for (; seq < end; seq = seq.Next()) {
    absl::string_view rest = bytes;
    if (!ApplyOne(stream, rest, seq)) return false;
    bytes = rest;
    stream.vv = seq;
  }
  return true;
}

uint64_t ToyState::Digest(const Stream& stream) const {
  uint64_t sum = 0;
  for (const auto& [id, element] : of(stream)) {
    uint64_t hash = Mix(id.value) + Mix(Mix(element.seq.value));
    for (char c : element.text) hash = Mix(hash + static_cast<uint8_t>(c));
    sum += hash;
  }
  return sum;
}

std::unique_ptr<ElementWalk> ToyState::Elements(Stream& stream) {
  return std::make_unique<ToyWalk>(*this, stream);
}

std::unique_ptr<ElementMerge> ToyState::Rebase(Stream& stream) {
  return std::make_unique<ToyMerge>(*this, stream);
}

void ToyState::RunJobs() {
  for (Stream* stream : std::exchange(dropped_, {})) {
    At(*stream).clear();
    free_.push_back(stream->idx);
    streams_.Free(*stream);
  }
}

std::string ToyState::Text(const Stream& stream) const {
  std::string text;
  for (const auto& [id, element] : of(stream)) {
    absl::StrAppend(&text, text.empty() ? "" : " ", id.value, "=", element.text,
                    "@", element.seq.value);
  }
  return text;
}

}  // namespace muster::core
