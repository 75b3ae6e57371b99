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

// A text as ByteSource takes it.
std::string Text(absl::string_view text) {
  std::string bytes;
  bytes.push_back(static_cast<char>(text.size() & 0xff));
  bytes.push_back(static_cast<char>(text.size() >> 8));
  return bytes.append(text.data(), text.size());
}

// Exchanges under which one op comes at each of their points, and one in which
// the peer says everything itself; see collector_fuzz.cc.
void AddExchanges(std::vector<std::string>& inputs) {
  kv::Keyspace state;
  std::vector<std::string> mutations;
  const auto op = [&](auto make) {
    kv::Keyspace scratch;
    const kv::Context base;
    Transaction tx(scratch, {base, {0, 2}, kv::Seq(2)}, kv::StampAt(1002, 0),
                   kv::Time(1000));
    make(tx);
    mutations.push_back(tx.Commit());
  };
  op([](Transaction& tx) { tx.PutField({0, "h"}, "e", "x"); });
  op([](Transaction& tx) { tx.SetDeadline({0, "k"}, Deadline{9000}); });
  op([](Transaction& tx) { tx.RemoveKey({0, "s"}); });
  op([](Transaction& tx) { tx.AddMember({0, "s"}, "o"); });
  op([](Transaction& tx) { tx.Settle({0, "h"}); });
  mutations.push_back(EveryOp(state, 2));
  constexpr size_t kSteps = 24;
  for (const std::string& mutation : mutations) {
    for (size_t at = 0; at < kSteps; at += 3) {
      std::string input(at, '\5');
      input += '\2' + Text(mutation);
      input.append(kSteps, '\5');
      inputs.push_back(input + "\6\6");
    }
  }
  kv::BucketReader reader(state);
  std::string said;
  std::string bytes;
  for (uint32_t bucket = 0; bucket < kv::kBuckets; ++bucket) {
    while (reader.Next(bucket, 40, bytes)) said += '\0' + Text(bytes);
    if (state.digests().bucket(bucket) != 0) said += '\1';
  }
  inputs.push_back(said);
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
  AddExchanges(seeds["collector"]);
}

}  // namespace muster::fuzz
