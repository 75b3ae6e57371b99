#include "muster/client/key_roll.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace muster::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Text(const KeyChange& change) {
  const std::string name =
      absl::StrCat(change.entry.topic(), "/", change.entry.key(), " ",
                   change.before, ">", change.entries);
  switch (change.kind) {
    case KeyChange::Kind::kPresent:
      return "=" + name;
    case KeyChange::Kind::kFirstIn:
      return "+" + name;
    case KeyChange::Kind::kChanged:
      return "~" + name;
    case KeyChange::Kind::kLastOut:
      return "-" + name;
  }
  return "";
}

// A watch of entries, or of keys only.
class Both {
 public:
  explicit Both(v1::WatchDetail detail = v1::WATCH_DETAIL_ENTRIES)
      : keys_(detail) {}

  std::vector<std::string> Apply(const v1::WatchResponse& message) {
    std::vector<KeyChange> changes;
    complete_ = keys_.Apply(message, roll_.Apply(message), &changes);
    std::vector<std::string> texts;
    for (const KeyChange& change : changes) {
      texts.push_back(Text(change));
      last_ = change;
    }
    return texts;
  }
  std::vector<std::string> Apply(const std::string& text) {
    v1::WatchResponse message;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message));
    return Apply(message);
  }
  void Disconnected() {
    roll_.Disconnected();
    keys_.Disconnected();
  }

  const Roll& roll() const { return roll_; }
  const KeyRoll& keys() const { return keys_; }
  const KeyChange& last() const { return last_; }
  bool complete() const { return complete_; }

 private:
  Roll roll_;
  KeyRoll keys_;
  KeyChange last_;
  bool complete_ = false;
};

constexpr char kAnnTwiceAndBob[] =
    "reset: true state_complete: true version: 'v1' state { topic: 'r' "
    "entries { key: 'ann' ref: '1' } entries { key: 'bob' ref: '2' } "
    "entries { key: 'ann' ref: '3' } }";

TEST(KeyRollTest, AStateIsReportedOnceItIsComplete) {
  Both both;
  EXPECT_THAT(both.Apply("reset: true state { topic: 'r' entries "
                         "{ key: 'ann' ref: '1' } }"),
              IsEmpty());
  EXPECT_FALSE(both.complete());
  EXPECT_THAT(both.Apply("state_complete: true version: 'v1' state "
                         "{ topic: 'r' entries { key: 'ann' ref: '2' } "
                         "entries { key: 'bob' ref: '3' } }"),
              ElementsAre("=r/ann 0>2", "=r/bob 0>1"));
  EXPECT_TRUE(both.complete());
  EXPECT_EQ(both.keys().entries("r", "ann"), 2u);
  EXPECT_EQ(both.keys().entries("r", "eve"), 0u);
}

TEST(KeyRollTest, FirstInAndLastOutAreOfTheKeyNotOfItsEntries) {
  Both both;
  both.Apply(kAnnTwiceAndBob);
  EXPECT_THAT(both.Apply("version: 'a' diffs { topic: 'r' joins "
                         "{ key: 'eve' ref: '4' } joins { key: 'bob' ref: '5' }"
                         " leaves { key: 'ann' ref: '1' } }"),
              ElementsAre("+r/eve 0>1", "~r/bob 1>2", "~r/ann 2>1"));
  EXPECT_THAT(both.Apply("version: 'b' diffs { topic: 'r' leaves "
                         "{ key: 'ann' ref: '3' } }"),
              ElementsAre("-r/ann 1>0"));
}

TEST(KeyRollTest, AnEntryThatIsReplacedIsAChangeWithTheNewOne) {
  Both both;
  both.Apply(kAnnTwiceAndBob);
  EXPECT_THAT(
      both.Apply("version: 'a' diffs { topic: 'r' joins { key: 'bob' "
                 "ref: '4' meta: 'new' } leaves { key: 'bob' ref: '2' } }"),
      ElementsAre("~r/bob 1>1"));
  EXPECT_EQ(both.last().entry.meta(), "new");
}

TEST(KeyRollTest, AKeyThatComesAndGoesInOneDiffIsNotReported) {
  Both both;
  both.Apply(kAnnTwiceAndBob);
  EXPECT_THAT(both.Apply("version: 'a' diffs { topic: 'r' joins "
                         "{ key: 'eve' ref: '4' } leaves { key: 'eve' "
                         "ref: '4' } }"),
              IsEmpty());
  EXPECT_TRUE(both.complete());
}

TEST(KeyRollTest, AFreshStateElsewhereIsReportedAsADifferenceOfKeys) {
  Both both;
  both.Apply(kAnnTwiceAndBob);
  both.Disconnected();
  // ann has one entry with another ref, bob has gone, eve has come.
  EXPECT_THAT(both.Apply("reset: true state { topic: 'r' entries "
                         "{ key: 'ann' ref: '9' } }"),
              IsEmpty());
  EXPECT_THAT(
      both.Apply("state_complete: true version: 'w1' state "
                 "{ topic: 'r' entries { key: 'eve' ref: '8' } }"),
      testing::UnorderedElementsAre("~r/ann 2>1", "-r/bob 1>0", "+r/eve 0>1"));
}

// ---- keys only

constexpr char kKeysState[] =
    "reset: true state_complete: true version: 'v1' state { topic: 'r' "
    "keys { key: 'ann' entries: 2 } keys { key: 'bob' entries: 1 } }";

TEST(KeyRollTest, KeysOnlyAreTakenAsTheyAreTold) {
  Both both(v1::WATCH_DETAIL_KEYS);
  EXPECT_THAT(both.Apply(kKeysState), ElementsAre("=r/ann 0>2", "=r/bob 0>1"));
  EXPECT_THAT(both.Apply("version: 'a' diffs { topic: 'r' keys { key: 'bob' "
                         "last_out: true } keys { key: 'ann' entries: 5 } keys "
                         "{ key: 'eve' entries: 1 first_in: true } }"),
              ElementsAre("-r/bob 1>0", "~r/ann 2>5", "+r/eve 0>1"));
  EXPECT_EQ(both.last().entry.topic(), "r");
  EXPECT_EQ(both.last().entry.key(), "eve");
}

TEST(KeyRollTest, OfAStateOfKeysTheLastWordCounts) {
  Both both(v1::WATCH_DETAIL_KEYS);
  EXPECT_THAT(both.Apply("reset: true state { topic: 'r' keys "
                         "{ key: 'ann' entries: 2 } keys { key: 'bob' "
                         "entries: 1 } }"),
              IsEmpty());
  both.Apply(
      "diffs { topic: 'r' keys { key: 'bob' } keys { key: 'eve' "
      "entries: 1 } }");
  EXPECT_THAT(both.Apply("state_complete: true version: 'v1' state "
                         "{ topic: 'r' keys { key: 'ann' entries: 3 } }"),
              ElementsAre("=r/ann 0>3", "=r/eve 0>1"));
}

TEST(KeyRollTest, AFreshStateOfKeysIsReportedAsADifference) {
  Both both(v1::WATCH_DETAIL_KEYS);
  both.Apply(kKeysState);
  both.Apply("reset: true");
  both.Disconnected();  // It is known as it was.
  EXPECT_EQ(both.keys().entries("r", "ann"), 2u);
  EXPECT_THAT(both.Apply("reset: true state_complete: true version: 'w1' "
                         "state { topic: 'r' keys { key: 'ann' entries: 2 } "
                         "keys { key: 'eve' entries: 1 } }"),
              ElementsAre("-r/bob 1>0", "+r/eve 0>1"));
}

TEST(KeyRollTest, ANodeThatSendsEntriesInsteadOfKeysIsUnderstood) {
  Both both(v1::WATCH_DETAIL_KEYS);
  EXPECT_THAT(both.Apply(kAnnTwiceAndBob),
              ElementsAre("=r/ann 0>2", "=r/bob 0>1"));
  EXPECT_THAT(both.Apply("version: 'a' diffs { topic: 'r' leaves "
                         "{ key: 'ann' ref: '1' } leaves { key: 'bob' "
                         "ref: '2' } }"),
              ElementsAre("~r/ann 2>1", "-r/bob 1>0"));
}

// ---- property

// A node's side of two watches, of entries and of keys: random changes, in
// diffs of one or two parts, and moves to another node.
class Node {
 public:
  explicit Node(uint64_t seed) : random_(seed) {}

  uint64_t Pick(uint64_t n) { return random_() % n; }

  // Messages for both, of changes that were made in one batch.
  void Diff(std::vector<v1::WatchResponse>* entries, v1::WatchResponse* keys) {
    const auto before = Counts();
    for (uint64_t parts = 1 + Pick(2); parts > 0; --parts) {
      v1::TopicDiff* diff = entries->emplace_back().add_diffs();
      diff->set_topic("r");
      for (uint64_t n = Pick(4); n > 0; --n) Join(diff->add_joins());
      for (uint64_t n = Pick(4); n > 0 && !present_.empty(); --n) {
        Update(diff->add_updates());
      }
      for (uint64_t n = Pick(4); n > 0 && !present_.empty(); --n) {
        Leave(diff->add_leaves());
      }
    }
    entries->back().set_version(absl::StrCat("v", ++version_));
    keys->set_version(entries->back().version());
    const auto after = Counts();
    v1::TopicDiff* diff = keys->add_diffs();
    diff->set_topic("r");
    for (const auto& [key, had] : before) {
      const auto now = after.find(key);
      AddKey(key, had, now == after.end() ? 0 : now->second, diff);
    }
    for (const auto& [key, now] : after) {
      if (!before.contains(key)) AddKey(key, 0, now, diff);
    }
  }

  void State(v1::WatchResponse* entries, v1::WatchResponse* keys) {
    for (v1::WatchResponse* message : {entries, keys}) {
      message->set_reset(true);
      message->set_state_complete(true);
      message->set_version(absl::StrCat("v", ++version_));
      message->add_state()->set_topic("r");
    }
    for (const auto& [ref, key] : present_) {
      v1::Entry* entry = entries->mutable_state(0)->add_entries();
      entry->set_ref(absl::StrCat(ref));
      entry->set_key(key);
    }
    for (const auto& [key, number] : Counts()) {
      v1::KeyChange* change = keys->mutable_state(0)->add_keys();
      change->set_key(key);
      change->set_entries(number);
    }
  }

  std::map<std::string, uint64_t> Counts() const {
    std::map<std::string, uint64_t> counts;
    for (const auto& [ref, key] : present_) ++counts[key];
    return counts;
  }

 private:
  void Join(v1::Entry* entry) {
    entry->set_key(absl::StrCat("u", Pick(4)));
    entry->set_ref(absl::StrCat(++ref_));
    present_[ref_] = entry->key();
  }
  std::map<uint64_t, std::string>::iterator Some() {
    return std::next(present_.begin(),
                     static_cast<ptrdiff_t>(Pick(present_.size())));
  }
  void Update(v1::Entry* entry) {
    const auto at = Some();
    entry->set_ref_prev(absl::StrCat(at->first));
    entry->set_ref(absl::StrCat(++ref_));
    entry->set_key(at->second);
    present_.erase(at);
    present_[ref_] = entry->key();
  }
  void Leave(v1::Entry* entry) {
    const auto at = Some();
    entry->set_ref(absl::StrCat(at->first));
    entry->set_key(at->second);
    present_.erase(at);
  }
  static void AddKey(const std::string& key, uint64_t had, uint64_t now,
                     v1::TopicDiff* diff) {
    if (had == now) return;
    v1::KeyChange* change = diff->add_keys();
    change->set_key(key);
    change->set_entries(now);
    change->set_first_in(had == 0);
    change->set_last_out(now == 0);
  }

  std::mt19937_64 random_;
  std::map<uint64_t, std::string> present_;
  uint64_t ref_ = 0;
  uint64_t version_ = 0;
};

TEST(KeyRollTest, EntriesAndKeysGiveTheSameRollOverRandomHistories) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    Node node(seed);
    Both by_entry;
    Both by_key(v1::WATCH_DETAIL_KEYS);
    for (int step = 0; step < 100 && !testing::Test::HasFailure(); ++step) {
      std::vector<v1::WatchResponse> entries;
      v1::WatchResponse keys;
      if (step == 0 || node.Pick(10) == 0) {
        // What was missed before a fresh state is not told.
        v1::WatchResponse ignored;
        if (node.Pick(2) == 0) node.Diff(&entries, &ignored);
        entries.assign(1, {});
        by_entry.Disconnected();
        by_key.Disconnected();
        node.State(&entries[0], &keys);
      } else {
        node.Diff(&entries, &keys);
      }
      if (entries.size() > 1 && node.Pick(3) == 0) {
        // It breaks off, and comes again.
        by_entry.Apply(entries[0]);
        by_entry.Disconnected();
        by_key.Disconnected();
      }
      for (const v1::WatchResponse& message : entries) by_entry.Apply(message);
      by_key.Apply(keys);
      EXPECT_EQ(by_entry.keys().keys(), by_key.keys().keys());
      const auto counts = node.Counts();
      if (counts.empty()) {
        EXPECT_THAT(by_key.keys().keys(), IsEmpty());
      } else {
        EXPECT_EQ(by_key.keys().keys().at("r"), counts);
      }
    }
  }
}

}  // namespace
}  // namespace muster::client
