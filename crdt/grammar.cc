#include "crdt/grammar.h"

#include "crdt/mutation.h"
#include "crdt/varint.h"

namespace muster::crdt {

const Grammar* GrammarOf(StreamKind kind) {
  switch (kind) {
    case StreamKind::kPresence:
      return &PresenceGrammar();
    case StreamKind::kKeyValue:
      return nullptr;
  }
  return nullptr;
}

void AppendElementSeq(Seq previous, Seq seq, std::string& out) {
  AppendVarint(seq.value - previous.value, out);
}

bool DecodeSeqGap(absl::string_view& bytes, Seq& previous) {
  uint64_t gap = 0;
  if (!TakeVarint(bytes, gap) || gap == 0 ||
      gap > UINT64_MAX - previous.value) {
    return false;
  }
  previous = Seq(previous.value + gap);
  return true;
}

bool ValidateSeqGaps(absl::string_view bytes, uint32_t count) {
  Seq previous;
  for (uint32_t i = 0; i < count; ++i) {
    if (!DecodeSeqGap(bytes, previous)) return false;
  }
  return bytes.empty();
}

}  // namespace muster::crdt
