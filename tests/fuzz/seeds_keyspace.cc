#include "crdt/keyspace/exchange.h"
#include "crdt/keyspace/transaction.h"
#include "tests/fuzz/seeds.h"

namespace muster::fuzz {
namespace {

using kv::Deadline;
using kv::KeyName;
using kv::Transaction;

// A mutation of every kind of op, as one that leads says it.
std::string EveryOp(kv::Keyspace& state, uint64_t seq) {
  const kv::Context base = state.context();
  Transaction tx(state, {base, {0, 1}, kv::Seq(seq)}, kv::StampAt(1001, 3),
                 kv::Time(1000));
  const KeyName k{0, "k"};
  const KeyName l{0, "l"};
  tx.PutString(k, "17", Deadline{1700000000000});
  tx.Increment(k, -4);
  tx.PutField({0, "h"}, "f", "red");
  tx.PutField({0, "h"}, "g", "blue");
  tx.IncrementField({0, "h"}, "n", 300);
  tx.AddMember({0, "s"}, "m");
  tx.PutScore({0, "z"}, "m", 0.5);
  tx.Push(l, Transaction::End::kBack, {"a", "b", ""});
  tx.Push(l, Transaction::End::kFront, {"c"});
  tx.Insert(l, 1, Transaction::Side::kAfter, "d");
  kv::Entry entry;
  if (tx.Find(l).At(0, entry)) tx.SetItem(l, entry.item, "C");
  if (tx.Find(l).At(1, entry)) tx.RemoveItem(l, entry.item);
  tx.SetDeadline({0, "h"}, Deadline{1700000000000});
  tx.Remove({0, "h"}, "g");
  tx.Copy(l, {1, "l"});
  tx.Move({0, "h"}, {0, "g"});
  tx.Settle(k);
  tx.RemoveKey({0, "s"});
  tx.Flush(1);
  return tx.Commit();
}

}  // namespace

void AddKeyspaceSeeds(Seeds& seeds) {
  std::vector<std::string>& inputs = seeds["keyspace"];
  kv::Keyspace state;
  const std::string mutation(1, '\0');
  const std::string part(1, '\1');
  inputs.push_back(mutation + EveryOp(state, 1));
  inputs.push_back(mutation + EveryOp(state, 2) + EveryOp(state, 3));
  kv::BucketReader reader(state);
  std::string bytes;
  for (uint32_t bucket = 0; bucket < kv::kBuckets; ++bucket) {
    while (reader.Next(bucket, 64 << 10, bytes)) inputs.push_back(part + bytes);
  }
}

}  // namespace muster::fuzz
