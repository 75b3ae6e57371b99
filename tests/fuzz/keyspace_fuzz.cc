// Mutations of the keyspace and parts of its buckets. What is valid has one
// encoding; what is applied or added leaves a state without fault, and one
// that is exchanged as it is.
#include <cstddef>
#include <cstdint>
#include <string>

#include "crdt/check.h"
#include "crdt/keyspace/exchange.h"
#include "crdt/keyspace/keyspace.h"
#include "crdt/keyspace/transaction.h"
#include "crdt/varint.h"
#include "tests/fuzz/byte_source.h"

namespace {

using namespace muster::kv;

constexpr LifeId kHere{0, 1};
constexpr LifeId kThere{0, 2};

// Something of each type, for ops to hit.
void Fill(Keyspace& state) {
  const Context base;
  Transaction tx(state, {base, kHere, Seq(1)}, StampAt(1000, 0), Time());
  tx.PutString({0, "k"}, "5", Deadline{2000});
  tx.Increment({0, "k"}, 2);
  tx.PutField({0, "h"}, "f", "v");
  tx.SetDeadline({0, "h"}, Deadline{3000});
  tx.AddMember({0, "s"}, "m");
  tx.PutScore({0, "z"}, "m", 1);
  tx.Push({0, "l"}, Transaction::End::kBack, {"a", "b"});
  tx.Commit();
}

void ExpectSound(const Keyspace& state) {
  MUSTER_CHECK(state.Audit().empty());
  Keyspace copy;
  BucketReader reader(state);
  BucketWriter writer(copy);
  std::string part;
  for (uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
    if (state.digests().bucket(bucket) == 0) continue;
    while (reader.Next(bucket, 200, part)) {
      MUSTER_CHECK(ValidatePart(part, bucket));
      writer.Add(part);
    }
  }
  MUSTER_CHECK(copy.digests().all() == state.digests().all());
}

std::string Encoded(absl::string_view mutation) {
  MutationReader reader;
  MUSTER_CHECK(reader.Take(mutation));
  MutationWriter writer(reader.stamp());
  Op op;
  while (reader.Next(op)) {
    const uint32_t index = op.index;
    writer.Add(op);
    MUSTER_CHECK(op.index == index);
  }
  MUSTER_CHECK(reader.ok());
  std::string bytes;
  writer.Finish(bytes);
  return bytes;
}

void TryMutations(absl::string_view bytes) {
  const auto& grammar = KeyspaceGrammar();
  uint32_t count = 0;
  while (count < 4 && !ValidateMutations(bytes, Seq(1), count)) ++count;
  if (count == 4) return;
  Keyspace state;
  Fill(state);
  const Context base = state.context();
  for (uint32_t i = 1; i <= count; ++i) {
    const absl::string_view before = bytes;
    MUSTER_CHECK(grammar.skip(bytes, 1, muster::crdt::kAnyBytes) == 1);
    const auto one = before.substr(0, before.size() - bytes.size());
    MUSTER_CHECK(Encoded(one) == one);
    state.Apply(one, {base, kThere, Seq(i)});
  }
  MUSTER_CHECK(bytes.empty());
  ExpectSound(state);
}

// The bucket of a part's first key; 0 where there is none.
uint32_t FirstBucket(absl::string_view part) {
  uint64_t lives = 0;
  uint64_t size = 0;
  if (!muster::crdt::TakeVarint(part, lives) || lives > part.size() / 16) {
    return 0;
  }
  part.remove_prefix(16 * lives);
  if (part.size() < 3 || part[0] != 0) return 0;
  const auto db = static_cast<uint8_t>(part[1]);
  part.remove_prefix(2);
  if (!muster::crdt::TakeVarint(part, size)) return 0;
  return BucketOf(HashOf({db, part.substr(0, size)}));
}

void TryPart(absl::string_view bytes) {
  const uint32_t bucket = FirstBucket(bytes);
  if (!ValidatePart(bytes, bucket)) return;
  Keyspace collected;
  BucketWriter(collected).Add(bytes);
  ExpectSound(collected);
  Context all;
  all.Cover(kThere, Seq(UINT64_MAX));
  collected.Cover(all);
  Keyspace state;
  Fill(state);
  state.JoinBucket(collected, bucket);
  state.Cover(collected.context());
  ExpectSound(state);
  // A join is done once.
  const uint64_t digest = state.digests().all();
  state.JoinBucket(collected, bucket);
  MUSTER_CHECK(state.digests().all() == digest);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  muster::fuzz::ByteSource source(data, size);
  const bool part = source.Byte() % 2 == 1;
  part ? TryPart(source.Rest()) : TryMutations(source.Rest());
  return 0;
}
