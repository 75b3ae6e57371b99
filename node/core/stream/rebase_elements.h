// The two loops over elements that a rebase of every kind shares. One fills a
// frame with names or whole elements; the other passes over this node's
// elements to those that a frame names. They are templates, so that the work on
// each element is inlined.
#ifndef MUSTER_NODE_CORE_STREAM_REBASE_ELEMENTS_H_
#define MUSTER_NODE_CORE_STREAM_REBASE_ELEMENTS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "crdt/grammar.h"
#include "node/core/frames.h"
#include "node/core/stream/stream_state.h"

namespace muster::core {

// A name is a byte or two.
inline constexpr size_t kNameBytes = 16;
// Limit of the elements in one frame: the receiver puts them in one step.
inline constexpr size_t kMaxPuts = 128;

// A frame of elements from the cursor on: either all named or all whole. `At`
// has seq(), of the element at its cursor (0 at the end); encode(out), its put
// mutation; and next(), which moves to the next element.
template <typename At>
std::optional<ElementWalk::Elements> TakeElements(
    At at, const ElementWalk::Limits& limits, RebaseFrame::Kind keep,
    RebaseFrame::Kind put) {
  crdt::Seq seq = at.seq();
  if (seq == crdt::Seq()) return std::nullopt;
  const bool naming = seq <= limits.have;
  const size_t most = naming ? limits.frame_bytes / kNameBytes : kMaxPuts;
  ElementWalk::Elements frame;
  frame.kind = naming ? keep : put;
  crdt::Seq previous;
  for (; seq != crdt::Seq() && (seq <= limits.have) == naming; seq = at.seq()) {
    crdt::AppendElementSeq(previous, seq, frame.payload);
    previous = seq;
    if (!naming) at.encode(frame.payload);
    at.next();
    ++frame.count;
    // An element may be as large as its kind allows: leave room for one.
    if (frame.count >= most) break;
    if (frame.payload.size() > limits.frame_bytes / 2) break;
  }
  return frame;
}

// Reads the names of a frame from `progress` on, and calls `pass(seq)` for
// each, which moves past the element of that seq. If `pass` returns kMore, the
// next call of PassNames repeats it.
template <typename Pass>
ElementMerge::Outcome PassNames(const RebaseFrame& frame,
                                NameProgress& progress, Pass pass) {
  using Outcome = ElementMerge::Outcome;
  absl::string_view bytes = *frame.payload;
  bytes.remove_prefix(progress.offset);
  while (progress.names < frame.count || !progress.passed) {
    if (progress.passed) {
      if (!crdt::DecodeSeqGap(bytes, progress.seq)) return Outcome::kBad;
      ++progress.names;
      progress.offset = frame.payload->size() - bytes.size();
      progress.passed = false;
    }
    const Outcome outcome = pass(progress.seq);
    if (outcome != Outcome::kDone) return outcome;
    progress.passed = true;
  }
  return Outcome::kDone;
}

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_STREAM_REBASE_ELEMENTS_H_
