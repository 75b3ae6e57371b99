#include "crdt/interest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "crdt/grammar.h"

namespace muster::crdt {
namespace {

using namespace std::string_literals;
using Kind = InterestMutation::Kind;

InterestMutation Put(uint64_t seq, uint64_t id, absl::string_view name,
                     uint64_t subscribers, Kind kind = Kind::kPutChannel) {
  return {kind, Seq(seq), ElementId(id), name, subscribers};
}
InterestMutation Remove(uint64_t seq, uint64_t id) {
  return {Kind::kRemove, Seq(seq), ElementId(id), {}, 0};
}

std::string Encoded(const InterestMutation& mutation) {
  std::string bytes;
  EncodeInterest(mutation, bytes);
  return bytes;
}

// ------------------------------------------------------------------- bytes

TEST(InterestBytesTest, AMutationComesBackAsItWasWritten) {
  const std::string name = "any\0\xff bytes"s;
  for (const InterestMutation& written :
       {Put(7, 7, name, 1), Put(900, 7, name, 300, Kind::kPutPattern),
        Remove(8, 7)}) {
    const std::string bytes = Encoded(written);
    absl::string_view rest = bytes;
    InterestMutation read;
    ASSERT_TRUE(DecodeInterest(rest, written.seq, read));
    EXPECT_TRUE(rest.empty());
    EXPECT_EQ(read.kind, written.kind);
    EXPECT_EQ(read.id, written.id);
    EXPECT_EQ(read.name, written.name);
    EXPECT_EQ(read.subscribers, written.subscribers);
    absl::string_view skipped = bytes;
    SkipInterest(skipped);
    EXPECT_TRUE(skipped.empty());
  }
}

TEST(InterestBytesTest, TheBytesAreThoseOfTheWireFormat) {
  EXPECT_EQ(Encoded(Put(1, 1, "news", 2)), "\x09\x04news\x02"s);
  EXPECT_EQ(Encoded(Put(5, 2, "n*", 1, Kind::kPutPattern)),
            "\x02\x03\x02n*\x01"s);
  EXPECT_EQ(Encoded(Remove(9, 5)), "\x03\x04"s);
}

TEST(InterestBytesTest, MalformedBytesAreRefused) {
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"nothing", ""},
      {"an unknown kind", "\x0f"},
      {"kind 0", "\x08\x01x\x01"},
      {"an unknown bit", "\x19\x01x\x01"},
      {"no distance", "\x01"},
      {"distance 0", "\x01\x00\x01x\x01"s},
      {"a distance beyond the stream", "\x01\x05\x01x\x01"},
      {"an empty name", "\x09\x00\x01"s},
      {"a name beyond the input", "\x09\x05xy\x01"},
      {"no subscribers", "\x09\x01x\x00"s},
      {"a removal that creates", "\x0b"},
      {"a count that is cut off", "\x09\x01x"},
  };
  for (const auto& [what, bytes] : bad) {
    absl::string_view rest = bytes;
    InterestMutation read;
    EXPECT_FALSE(DecodeInterest(rest, Seq(5), read)) << what;
  }
  std::string name(kMaxChannelBytes, 'x');
  std::string bytes = Encoded(Put(1, 1, name, 1));
  EXPECT_TRUE(ValidateInterest(bytes, Seq(1), 1));
  name += 'x';
  bytes = Encoded(Put(1, 1, name, 1));
  EXPECT_FALSE(ValidateInterest(bytes, Seq(1), 1)) << "a name over its limit";
}

TEST(InterestBytesTest, ARunIsExactlyItsMutations) {
  const std::string bytes = Encoded(Put(3, 3, "a", 1)) + Encoded(Remove(4, 3));
  EXPECT_TRUE(ValidateInterest(bytes, Seq(3), 2));
  EXPECT_FALSE(ValidateInterest(bytes, Seq(3), 1));
  EXPECT_FALSE(ValidateInterest(bytes, Seq(3), 3));
}

TEST(InterestBytesTest, ElementsOfARebaseArePutsWithRisingSeqs) {
  std::string bytes;
  AppendElementSeq(Seq(), Seq(4), bytes);
  EncodeInterest(Put(4, 2, "a", 1), bytes);
  AppendElementSeq(Seq(4), Seq(9), bytes);
  EncodeInterest(Put(9, 9, "b", 1), bytes);
  EXPECT_TRUE(ValidateInterestElements(bytes, 2));
  std::string removal;
  AppendElementSeq(Seq(), Seq(4), removal);
  EncodeInterest(Remove(4, 2), removal);
  EXPECT_FALSE(ValidateInterestElements(removal, 1));
}

// ----------------------------------------------------------------- the set

std::map<std::string, uint64_t> Counts(const InterestSet::Names& names) {
  std::map<std::string, uint64_t> counts;
  for (const auto& [name, holders] : names) {
    for (const InterestSet::Holder& holder : holders) {
      counts[name] += holder.subscribers;
    }
  }
  return counts;
}

TEST(InterestSetTest, CountsOfStreamsAddUpByName) {
  InterestSet set;
  set.AddStream(0);
  set.AddStream(1);
  EXPECT_TRUE(set.Apply(0, Put(1, 1, "news", 2)));
  EXPECT_TRUE(set.Apply(1, Put(1, 1, "news", 3)));
  EXPECT_TRUE(set.Apply(1, Put(2, 2, "n*", 1, Kind::kPutPattern)));
  EXPECT_EQ(Counts(set.channels()),
            (std::map<std::string, uint64_t>{{"news", 5}}));
  EXPECT_EQ(Counts(set.patterns()),
            (std::map<std::string, uint64_t>{{"n*", 1}}));
  EXPECT_TRUE(set.Apply(0, Put(2, 1, "news", 1)));
  EXPECT_TRUE(set.Apply(1, Remove(3, 1)));
  EXPECT_EQ(Counts(set.channels()),
            (std::map<std::string, uint64_t>{{"news", 1}}));
  EXPECT_TRUE(set.RemoveSome(0, 1));
  EXPECT_TRUE(set.channels().empty());
  EXPECT_EQ(set.Audit(), "");
}

TEST(InterestSetTest, AnIdKeepsItsName) {
  InterestSet set;
  set.AddStream(0);
  EXPECT_TRUE(set.Apply(0, Put(1, 1, "news", 1)));
  EXPECT_FALSE(set.Apply(0, Put(2, 1, "other", 1)));
  EXPECT_FALSE(set.Apply(0, Put(2, 1, "news", 1, Kind::kPutPattern)));
  EXPECT_EQ(Counts(set.channels()),
            (std::map<std::string, uint64_t>{{"news", 1}}));
  EXPECT_EQ(set.Audit(), "");
}

TEST(InterestSetTest, OlderPutsAndRemovalsChangeNothing) {
  InterestSet set;
  set.AddStream(0);
  EXPECT_TRUE(set.Apply(0, Put(5, 1, "news", 4)));
  EXPECT_TRUE(set.Apply(0, Put(3, 1, "news", 9)));
  EXPECT_TRUE(set.Apply(0, Remove(4, 1)));
  EXPECT_TRUE(set.Apply(0, Remove(6, 77)));
  EXPECT_EQ(Counts(set.channels()),
            (std::map<std::string, uint64_t>{{"news", 4}}));
}

TEST(InterestSetTest, APutOfARebaseReplacesWhatIsLater) {
  InterestSet set;
  set.AddStream(0);
  EXPECT_TRUE(set.Apply(0, Put(5, 1, "news", 4)));
  EXPECT_TRUE(set.Put(0, Put(3, 1, "news", 9), 2));
  EXPECT_EQ(set.elements(0).begin()->first, Seq(3));
  EXPECT_EQ(set.elements(0).begin()->second.round, 2);
  EXPECT_EQ(Counts(set.channels()),
            (std::map<std::string, uint64_t>{{"news", 9}}));
  EXPECT_EQ(set.Audit(), "");
}

// A writer of random but valid mutations of one stream.
class Writer {
 public:
  explicit Writer(uint64_t seed) : random_(seed) {}
  InterestMutation Next() {
    const Seq seq(++seq_);
    const uint64_t roll = random_() % 10;
    if (live_.empty() || roll < 4) {
      names_.push_back("c" + std::to_string(random_() % 30));
      const bool pattern = random_() % 4 == 0;
      live_.push_back({seq.value, names_.size() - 1, pattern});
      return Put(seq.value, seq.value, names_.back(), 1 + random_() % 5,
                 pattern ? Kind::kPutPattern : Kind::kPutChannel);
    }
    const size_t i = random_() % live_.size();
    const Live live = live_[i];
    if (roll < 7) {
      return Put(seq.value, live.id, names_[live.name], 1 + random_() % 5,
                 live.pattern ? Kind::kPutPattern : Kind::kPutChannel);
    }
    live_.erase(live_.begin() + static_cast<ptrdiff_t>(i));
    return Remove(seq.value, live.id);
  }

 private:
  struct Live {
    uint64_t id;
    size_t name;
    bool pattern;
  };
  std::mt19937_64 random_;
  uint64_t seq_ = 0;
  std::vector<Live> live_;
  std::deque<std::string> names_;
};

// The digest of a stream is that of its elements, however they came there.
TEST(InterestSetTest, EqualElementsHaveEqualDigests) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Writer writer(seed);
    InterestSet by_log;
    by_log.AddStream(0);
    for (int i = 0; i < 400; ++i) {
      ASSERT_TRUE(by_log.Apply(0, writer.Next()));
    }
    ASSERT_EQ(by_log.Audit(), "") << seed;
    InterestSet by_state;
    by_state.AddStream(3);
    for (const auto& [seq, element] : by_log.elements(0)) {
      std::string bytes;
      by_log.EncodeElement(0, seq, bytes);
      absl::string_view rest = bytes;
      InterestMutation put;
      ASSERT_TRUE(DecodeInterest(rest, seq, put));
      ASSERT_TRUE(by_state.Put(3, put, 1));
    }
    EXPECT_EQ(by_state.Digest(3), by_log.Digest(0)) << seed;
    EXPECT_EQ(Counts(by_state.channels()), Counts(by_log.channels())) << seed;
    const bool empty = by_log.elements(0).empty();
    EXPECT_EQ(by_log.Digest(0) == 0, empty) << seed;
  }
}

}  // namespace
}  // namespace muster::crdt
