// Grammars: how the mutations of a kind of stream are told apart in bytes.
//
// The log and the codec carry mutations of every kind and know the meaning of
// none. They ask the kind's grammar: a row of plain functions, one call a run
// of mutations, never one a mutation.
//
//   log:    bytes of seqs 8, 9, 10 --skip(most 2)--> bytes of seq 10
//   codec:  delta of a peer --valid_run--> refused, or safe to skip and decode
//
// A kind of stream is made known to log and codec by a grammar in GrammarOf.
//
// Cost: O(bytes), no allocation. Threads: any; grammars are constants.
#ifndef MUSTER_CRDT_GRAMMAR_H_
#define MUSTER_CRDT_GRAMMAR_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "absl/strings/string_view.h"
#include "crdt/types.h"

namespace muster::crdt {

struct Grammar {
  // Takes mutations off the front of `bytes`: at most `most`, and at most
  // `max_bytes` of them together, but always the first. Returns how many.
  // REQUIRES: `bytes` holds `most` valid mutations.
  uint32_t (*skip)(absl::string_view& bytes, uint32_t most, size_t max_bytes);

  // Whether `bytes` are exactly `count` valid mutations from `first` on.
  bool (*valid_run)(absl::string_view bytes, Seq first, uint32_t count);

  // Whether `bytes` are exactly `count` elements as a rebase sends them: each
  // the gap of its seq from the one before (the first: from 0), then a mutation
  // of that seq that puts an element.
  bool (*valid_elements)(absl::string_view bytes, uint32_t count);
};

// The grammar of a kind, or null: this version cannot read it.
const Grammar* GrammarOf(StreamKind kind);

// Grammar::skip made of a function that skips one valid mutation.
template <void (*SkipOne)(absl::string_view&)>
uint32_t SkipRun(absl::string_view& bytes, uint32_t most, size_t max_bytes) {
  const size_t size = bytes.size();
  uint32_t count = 0;
  for (; count < most; ++count) {
    const absl::string_view before = bytes;
    SkipOne(bytes);
    if (count > 0 && size - bytes.size() > max_bytes) {
      bytes = before;
      break;
    }
  }
  return count;
}

inline constexpr size_t kAnyBytes = std::numeric_limits<size_t>::max();

// The seqs that a rebase names, of any kind of stream: gaps, as above.
void AppendElementSeq(Seq previous, Seq seq, std::string& out);
// False if `bytes` do not begin with a gap, or it leads beyond the last seq.
bool DecodeSeqGap(absl::string_view& bytes, Seq& previous);
bool ValidateSeqGaps(absl::string_view bytes, uint32_t count);

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_GRAMMAR_H_
