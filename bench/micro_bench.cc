// Micro benchmarks of crdt/: the cost of a delta must grow with the delta and
// not with the state.
//
// Arguments are `state` (entries in the store: 10^3 … 10^6, 1,000 in each
// topic, ten in each session) and `delta` (mutations: 1, 100, 10,000). The
// column `items_per_second` counts mutations, or entries listed.
#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "crdt/mutation.h"
#include "crdt/presence_store.h"

namespace muster::bench {
namespace {

using crdt::ElementId;
using crdt::EntryContent;
using crdt::Mutation;
using crdt::PresenceStore;
using crdt::RowIdx;
using crdt::Seq;

constexpr size_t kTopicEntries = 1'000;
constexpr size_t kSessionEntries = 10;
constexpr uint64_t kRefLife = 7;
const std::string kMeta(64, 'm');

std::string Topic(size_t entry) {
  return absl::StrFormat("topic:%04d", entry / kTopicEntries);
}
std::string Key(size_t entry) { return absl::StrFormat("user:%07d", entry); }

// A store with one stream of `entries` shown entries.
class State {
 public:
  explicit State(size_t entries) : store_(/*hash_seed=*/1) {
    store_.SetTime(1'000'000);
    stream_ = store_.AddStream(kRefLife);
    crdt::SessionIdx session = crdt::kNone;
    for (size_t i = 0; i < entries; ++i) {
      if (i % kSessionEntries == 0) {
        session_id_ = ElementId(++seq_);
        crdt::SessionContent content;
        content.session = {i, i + 1};
        content.state = crdt::SessionState::kConnected;
        session = store_.PutSession(stream_, session_id_, Seq(seq_), content);
      }
      const std::string topic = Topic(i);
      const std::string key = Key(i);
      ++seq_;
      rows_.push_back(store_.AddEntry(session, ElementId(seq_), Seq(seq_),
                                      {session_id_, topic, key, kMeta, {}}));
      store_.Show(rows_.back());
    }
  }

  PresenceStore& store() { return store_; }
  const std::vector<RowIdx>& rows() const { return rows_; }
  Seq next() const { return Seq(seq_ + 1); }
  ElementId session() const { return session_id_; }

  // What a receiver does with a delta.
  void Apply(absl::string_view bytes, Seq seq) {
    Mutation mutation;
    for (; !bytes.empty(); seq = seq.Next()) {
      if (!DecodeMutation(bytes, seq, mutation)) std::abort();
      if (mutation.kind == Mutation::Kind::kRemoveEntry) {
        store_.RemoveEntry(store_.FindEntry(stream_, mutation.id));
        continue;
      }
      const crdt::SessionIdx session =
          store_.sessions().Find(stream_, mutation.entry.session);
      store_.Show(
          store_.AddEntry(session, mutation.id, mutation.seq, mutation.entry));
    }
  }

 private:
  PresenceStore store_;
  crdt::StreamIdx stream_ = crdt::kNone;
  uint64_t seq_ = 0;
  ElementId session_id_;
  std::vector<RowIdx> rows_;
};

// The last one asked for is kept: making a million entries takes a second.
State& StateOf(size_t entries) {
  static size_t size = 0;
  static std::unique_ptr<State> state;
  if (size != entries) {
    state.reset();
    state = std::make_unique<State>(entries);
    size = entries;
  }
  return *state;
}

// Adds of `count` entries to topics of the whole state, from `seq` on.
std::string EncodeAdds(Seq seq, ElementId session, size_t state, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i, seq = seq.Next()) {
    const std::string topic = Topic((i * kTopicEntries) % state);
    const std::string key = Key(10'000'000 + i);
    EncodePutEntry(seq, ElementId(seq.value),
                   EntryContent{session, topic, key, kMeta, {}}, out);
  }
  return out;
}

std::string EncodeRemoves(Seq seq, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i, seq = seq.Next()) {
    EncodeRemove(Mutation::Kind::kRemoveEntry, seq,
                 ElementId(seq.value - count), out);
  }
  return out;
}

// Each iteration applies two deltas: adds, and the removes of what they added.
void ApplyDelta(benchmark::State& run) {
  State& state = StateOf(run.range(0));
  const size_t count = run.range(1);
  const Seq seq = state.next();
  const std::string adds =
      EncodeAdds(seq, state.session(), run.range(0), count);
  const Seq after(seq.value + count);
  const std::string removes = EncodeRemoves(after, count);
  for (auto _ : run) {
    state.Apply(adds, seq);
    state.Apply(removes, after);
  }
  run.SetItemsProcessed(run.iterations() * 2 * count);
}

// Rows all over the state, as mutations.
void EncodeDelta(benchmark::State& run) {
  State& state = StateOf(run.range(0));
  const size_t count = run.range(1);
  std::mt19937_64 random(1);
  std::vector<RowIdx> rows;
  for (size_t i = 0; i < count; ++i) {
    rows.push_back(state.rows()[random() % state.rows().size()]);
  }
  std::string out;
  for (auto _ : run) {
    out.clear();
    for (RowIdx row : rows) state.store().EncodeEntry(row, out);
    benchmark::DoNotOptimize(out.data());
  }
  run.SetItemsProcessed(run.iterations() * count);
}

void DecodeDelta(benchmark::State& run) {
  State& state = StateOf(run.range(0));
  const size_t count = run.range(1);
  const std::string adds =
      EncodeAdds(state.next(), state.session(), run.range(0), count);
  Mutation mutation;
  for (auto _ : run) {
    absl::string_view bytes = adds;
    Seq seq = state.next();
    for (; !bytes.empty(); seq = seq.Next()) {
      if (!DecodeMutation(bytes, seq, mutation)) std::abort();
    }
    benchmark::DoNotOptimize(mutation);
  }
  run.SetItemsProcessed(run.iterations() * count);
}

// Topics of 1,000 entries, all over the state, every field read.
void ListTopic(benchmark::State& run) {
  State& state = StateOf(run.range(0));
  const PresenceStore& store = state.store();
  std::mt19937_64 random(1);
  uint64_t sum = 0;
  for (auto _ : run) {
    const std::string name = Topic(random() % run.range(0));
    store.topics().VisitRows(store.topics().Find(name), 0, [&](RowIdx row) {
      sum += store.key(row).size() + store.meta(row).size() +
             store.ref(row).seq.value;
      return true;
    });
  }
  benchmark::DoNotOptimize(sum);
  run.SetItemsProcessed(run.iterations() * kTopicEntries);
}

void Deltas(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"state", "delta"})
      ->ArgsProduct(
          {benchmark::CreateRange(1'000, 1'000'000, 10), {1, 100, 10'000}});
}

BENCHMARK(ApplyDelta)->Apply(Deltas);
BENCHMARK(EncodeDelta)->Apply(Deltas);
BENCHMARK(DecodeDelta)->Apply(Deltas);
BENCHMARK(ListTopic)->ArgName("state")->RangeMultiplier(10)->Range(1'000,
                                                                   1'000'000);

}  // namespace
}  // namespace muster::bench

BENCHMARK_MAIN();
