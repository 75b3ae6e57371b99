// Mutations, elements and gaps: all three readings of the same bytes. What is
// decoded has one encoding, and skipping it goes as far as decoding it.
#include <cstddef>
#include <cstdint>
#include <string>

#include "crdt/check.h"
#include "crdt/mutation.h"
#include "node/codec/utf8.h"
#include "tests/fuzz/byte_source.h"

namespace {

using namespace muster::crdt;

std::string Encoded(const Mutation& mutation) {
  std::string bytes;
  switch (mutation.kind) {
    case Mutation::Kind::kPutSession:
      EncodePutSession(mutation.seq, mutation.id, mutation.session, bytes);
      break;
    case Mutation::Kind::kPutEntry:
      EncodePutEntry(mutation.seq, mutation.id, mutation.entry, bytes);
      break;
    case Mutation::Kind::kRemoveSession:
    case Mutation::Kind::kRemoveEntry:
      EncodeRemove(mutation.kind, mutation.seq, mutation.id, bytes);
      break;
  }
  return bytes;
}

void CheckMutation(absl::string_view all, absl::string_view rest,
                   const Mutation& mutation) {
  const absl::string_view taken = all.substr(0, all.size() - rest.size());
  MUSTER_CHECK(Encoded(mutation) == taken);
  MUSTER_CHECK(mutation.id.value >= 1 &&
               mutation.id.value <= mutation.seq.value);
  SkipMutation(all);
  MUSTER_CHECK(all.size() == rest.size());
}

void TryMutations(absl::string_view bytes, Seq first) {
  const absl::string_view whole = bytes;
  bool valid = true;
  uint32_t count = 0;
  Mutation mutation;
  while (!bytes.empty()) {
    const absl::string_view before = bytes;
    valid = DecodeMutation(bytes, Seq(first.value + count), mutation);
    if (!valid) break;
    CheckMutation(before, bytes, mutation);
    ++count;
  }
  MUSTER_CHECK(!ValidateMutations(whole, first, count + 1));
  MUSTER_CHECK(ValidateMutations(whole, first, count) == valid);
}

void TryElements(absl::string_view bytes) {
  const absl::string_view whole = bytes;
  uint32_t count = 0;
  Seq previous;
  Mutation mutation;
  while (!bytes.empty()) {
    const Seq before = previous;
    if (!DecodeElement(bytes, previous, mutation)) break;
    MUSTER_CHECK(previous.value > before.value);
    ++count;
    if (bytes.empty()) MUSTER_CHECK(ValidateElements(whole, count));
  }
  MUSTER_CHECK(!ValidateElements(whole, count + 1));
}

void TryGaps(absl::string_view bytes) {
  const absl::string_view whole = bytes;
  bool valid = true;
  uint32_t count = 0;
  std::string again;
  Seq previous;
  while (!bytes.empty()) {
    const Seq before = previous;
    valid = DecodeSeqGap(bytes, previous);
    if (!valid) break;
    AppendElementSeq(before, previous, again);
    ++count;
  }
  MUSTER_CHECK(whole.substr(0, again.size()) == again);
  MUSTER_CHECK(ValidateSeqGaps(whole, count) == valid);
  MUSTER_CHECK(!ValidateSeqGaps(whole, count + 1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  muster::fuzz::ByteSource source(data, size);
  const Seq first(source.Short());
  const absl::string_view bytes = source.Rest();
  TryMutations(bytes, first);
  TryMutations(bytes, Seq(UINT64_MAX - first.value));
  TryElements(bytes);
  TryGaps(bytes);
  // The two checks of UTF-8, of streams and of clients' texts, agree.
  MUSTER_CHECK(IsValidUtf8(bytes) == muster::codec::IsUtf8(bytes));
  return 0;
}
