// The join laws: a stream's state depends on its position alone, not on how
// its mutations came.
#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "crdt/log.h"
#include "crdt/presence_store.h"
#include "gtest/gtest.h"
#include "stream_writer.h"

namespace muster::crdt {
namespace {

constexpr uint64_t kLife = 0xabcdef;
constexpr int kSeeds = 40;
constexpr uint64_t kMutations = 800;

// A store with one stream, and the reader that writes it.
struct Node {
  explicit Node(uint64_t hash_seed)
      : store(hash_seed), stream(store.AddStream(kLife)) {}
  PresenceStore store;
  StreamIdx stream;
  StreamReader reader{store, stream};
};

void ExpectSameState(const Node& a, const Node& b) {
  EXPECT_EQ(a.store.Audit(), "");
  EXPECT_EQ(b.store.Audit(), "");
  EXPECT_EQ(a.reader.position(), b.reader.position());
  EXPECT_EQ(a.store.Digest(a.stream), b.store.Digest(b.stream));
  EXPECT_EQ(a.store.EntryCount(a.stream), b.store.EntryCount(b.stream));
  EXPECT_EQ(a.store.SessionCount(a.stream), b.store.SessionCount(b.stream));
  EXPECT_EQ(a.store.shown_entries(), b.store.shown_entries());
  EXPECT_EQ(a.store.shown_keys(), b.store.shown_keys());
  EncodedState state_a = EncodeState(a.store, a.stream);
  EncodedState state_b = EncodeState(b.store, b.stream);
  EXPECT_EQ(state_a.sessions, state_b.sessions);
  EXPECT_EQ(state_a.entries, state_b.entries);
}

class StreamLawsTest : public testing::TestWithParam<uint64_t> {
 protected:
  StreamLawsTest() : random_(GetParam()), writer_(GetParam()) {
    for (uint64_t i = 0; i < kMutations; ++i) {
      mutations_.push_back(writer_.Next());
    }
    Run(reference_, 0, kMutations);
  }
  std::string Bytes(uint64_t from, uint64_t to) const {
    std::string bytes;
    for (uint64_t i = from; i < to; ++i) bytes += mutations_[i];
    return bytes;
  }
  // Mutations (from, to], counted from 0.
  bool Run(Node& node, uint64_t from, uint64_t to) const {
    std::string bytes = Bytes(from, to);
    EXPECT_TRUE(ValidateMutations(bytes, Seq(from + 1),
                                  static_cast<uint32_t>(to - from)));
    return node.reader.Apply(bytes, Seq(from + 1),
                             static_cast<uint32_t>(to - from));
  }

  std::mt19937_64 random_;
  StreamWriter writer_;
  std::vector<std::string> mutations_;
  Node reference_{1};
};

TEST_P(StreamLawsTest, AnyChunkingGivesTheSameState) {
  Node node(random_());
  for (uint64_t at = 0; at < kMutations;) {
    uint64_t to = std::min(kMutations, at + 1 + random_() % 50);
    ASSERT_TRUE(Run(node, at, to));
    at = to;
  }
  ExpectSameState(reference_, node);
}

TEST_P(StreamLawsTest, WhatIsAppliedAgainChangesNothing) {
  Node node(random_());
  while (node.reader.position() < Seq(kMutations)) {
    uint64_t at = node.reader.position().value;
    uint64_t from = random_() % (at + 1);
    uint64_t to = std::min(kMutations, from + 1 + random_() % 100);
    ASSERT_TRUE(Run(node, from, to));
    ASSERT_EQ(node.reader.position().value, std::max(at, to));
  }
  ExpectSameState(reference_, node);
}

TEST_P(StreamLawsTest, AGapIsNotApplied) {
  Node node(random_());
  ASSERT_TRUE(Run(node, 0, 100));
  uint64_t digest = node.store.Digest(node.stream);
  EXPECT_FALSE(Run(node, 101, 110));
  EXPECT_EQ(node.store.Digest(node.stream), digest);
  EXPECT_EQ(node.reader.position(), Seq(100));
}

TEST_P(StreamLawsTest, TheLogHandsOnExactlyWhatItTook) {
  MutationLog log(PresenceGrammar(), 16 << 20);
  log.Reset(0, Seq(0));
  Node node(random_());
  MutationLog::Cursor cursor{Seq(0)};
  for (uint64_t at = 0; at < kMutations;) {
    uint64_t to = std::min(kMutations, at + 1 + random_() % 50);
    log.Append(0, Bytes(at, to), static_cast<uint32_t>(to - at));
    at = to;
    if (random_() % 3 == 0 && at < kMutations) continue;
    while (auto run = log.Read(0, cursor, 1 + random_() % 2000)) {
      ASSERT_TRUE(node.reader.Apply(run->bytes, run->first, run->count));
    }
  }
  ExpectSameState(reference_, node);
}

TEST_P(StreamLawsTest, TheStateThenTheRestIsAsGoodAsTheHistory) {
  Node source(random_());
  uint64_t cut = random_() % kMutations;
  Run(source, 0, cut);
  EncodedState state = EncodeState(source.store, source.stream);
  EXPECT_TRUE(ValidateElements(state.sessions, source.store.SessionCount(0)));
  EXPECT_TRUE(ValidateElements(state.entries, source.store.EntryCount(0)));
  Node node(random_());
  node.reader.Rebase(state.sessions, state.entries, Seq(cut));
  ExpectSameState(source, node);
  // It may have been told some of the rest twice by then.
  ASSERT_TRUE(Run(node, cut / 2, kMutations));
  ExpectSameState(reference_, node);
}

TEST_P(StreamLawsTest, StreamsDoNotTouchEachOther) {
  constexpr uint64_t kStreams = 3;
  Node alone[kStreams] = {Node(random_()), Node(random_()), Node(random_())};
  PresenceStore store(random_());
  std::vector<StreamWriter> writers;
  std::vector<StreamIdx> streams;
  std::vector<StreamReader> readers;
  for (uint64_t i = 0; i < kStreams; ++i) {
    writers.emplace_back(1000 * GetParam() + i);
    streams.push_back(store.AddStream(kLife + i));
    readers.emplace_back(store, streams.back());
  }
  for (uint64_t step = 0; step < kMutations; ++step) {
    uint64_t i = random_() % kStreams;
    std::string bytes = writers[i].Next();
    ASSERT_TRUE(readers[i].Apply(bytes, writers[i].last(), 1));
    ASSERT_TRUE(alone[i].reader.Apply(bytes, writers[i].last(), 1));
  }
  EXPECT_EQ(store.Audit(), "");
  uint64_t shown = 0;
  for (uint64_t i = 0; i < kStreams; ++i) {
    EXPECT_EQ(store.Digest(streams[i]), alone[i].store.Digest(0));
    EXPECT_EQ(store.EntryCount(streams[i]), alone[i].store.EntryCount(0));
    EXPECT_EQ(store.SessionCount(streams[i]), alone[i].store.SessionCount(0));
    shown += alone[i].store.shown_entries();
  }
  EXPECT_EQ(store.shown_entries(), shown);
}

TEST_P(StreamLawsTest, OneChangedByteOfMetaChangesTheDigest) {
  Node node(random_());
  Run(node, 0, kMutations);
  RowIdx row = node.store.FirstRowBySeq(node.stream);
  ASSERT_NE(row, kNone);
  uint64_t digest = node.store.Digest(node.stream);
  std::string meta(node.store.meta(row));
  Ref ref = node.store.adopted_as(row);
  node.store.UpdateEntry(row, Seq(kMutations + 1), meta + "x", ref);
  uint64_t one = node.store.Digest(node.stream);
  node.store.UpdateEntry(row, Seq(kMutations + 1), meta + "y", ref);
  EXPECT_NE(node.store.Digest(node.stream), one);
  EXPECT_NE(one, digest);
}

INSTANTIATE_TEST_SUITE_P(Seeds, StreamLawsTest,
                         testing::Range<uint64_t>(1, kSeeds + 1));

}  // namespace
}  // namespace muster::crdt
