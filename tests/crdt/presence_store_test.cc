#include "crdt/presence_store.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace muster::crdt {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr uint64_t kLifeA = 0xaaaa;
constexpr uint64_t kLifeB = 0xbbbb;

class Events : public ViewObserver {
 public:
  explicit Events(const PresenceStore& store) : store_(store) {}
  void OnShown(RowIdx row) override { Note("join", row); }
  void OnHidden(RowIdx row) override { Note("leave", row); }
  void OnUpdated(RowIdx row, const Ref& previous) override {
    Note("update", row);
    absl::StrAppend(&seen_.back(), " was ", previous.seq.value);
  }
  std::vector<std::string> Take() { return std::exchange(seen_, {}); }

 private:
  void Note(absl::string_view what, RowIdx row) {
    seen_.push_back(absl::StrCat(what, " ", store_.topic(row), "/",
                                 store_.key(row), " ", store_.meta(row), " @",
                                 store_.ref(row).seq.value));
  }
  const PresenceStore& store_;
  std::vector<std::string> seen_;
};

class PresenceStoreTest : public testing::Test {
 protected:
  PresenceStoreTest() {
    store_.SetObserver(&events_);
    stream_ = store_.AddStream(kLifeA);
  }
  void TearDown() override { EXPECT_EQ(store_.Audit(), ""); }

  SessionIdx Session(StreamIdx stream, uint64_t sid) {
    SessionContent content;
    content.session = {sid, sid};
    content.state = SessionState::kConnected;
    uint64_t seq = next_seq_++;
    return store_.PutSession(stream, ElementId(seq), Seq(seq), content);
  }
  SessionIdx Session() { return Session(stream_, 1); }
  RowIdx Add(SessionIdx session, absl::string_view topic, absl::string_view key,
             absl::string_view meta = "", const Ref& ref = {}) {
    uint64_t seq = next_seq_++;
    return store_.AddEntry(session, ElementId(seq), Seq(seq),
                           {ElementId(1), topic, key, meta, ref});
  }
  RowIdx AddShown(SessionIdx session, absl::string_view topic,
                  absl::string_view key, absl::string_view meta = "") {
    RowIdx row = Add(session, topic, key, meta);
    store_.Show(row);
    return row;
  }
  std::vector<std::string> KeysOf(absl::string_view topic, uint64_t after = 0) {
    std::vector<std::string> keys;
    const TopicTable& topics = store_.topics();
    topics.VisitRows(topics.Find(topic), after, [&](RowIdx row) {
      keys.emplace_back(store_.key(row));
      return true;
    });
    return keys;
  }
  std::vector<std::string> Topics() {
    std::vector<std::string> names;
    const TopicTable& topics = store_.topics();
    for (TopicIdx t = topics.AtOrAfter(""); t != kNone; t = topics.After(t)) {
      names.emplace_back(topics.name(t));
    }
    return names;
  }
  std::vector<RowIdx> Pair(absl::string_view topic, absl::string_view key) {
    std::vector<RowIdx> rows;
    const KeyIndex& all = store_.keys();
    RowIdx i = all.FirstOfPair(topic, key);
    for (; i != kNone; i = all.NextOfPair(i)) rows.push_back(i);
    return rows;
  }

  PresenceStore store_{12345};
  Events events_{store_};
  StreamIdx stream_ = kNone;
  uint64_t next_seq_ = 1;
};

TEST_F(PresenceStoreTest, AnEntryIsFoundEveryWayAndShownOnlyWhenTold) {
  SessionIdx session = Session();
  RowIdx row = Add(session, "room", "ann", "hi");
  EXPECT_EQ(store_.FindEntry(stream_, ElementId(2)), row);
  EXPECT_EQ(store_.FindEntry(stream_, ElementId(3)), kNone);
  EXPECT_EQ(store_.topic(row), "room");
  EXPECT_EQ(store_.key(row), "ann");
  EXPECT_EQ(store_.meta(row), "hi");
  EXPECT_EQ(store_.session_of(row), session);
  EXPECT_EQ(store_.stream_of(row), stream_);
  EXPECT_EQ(store_.ref(row), (Ref{kLifeA, ElementId(2), Seq(2)}));
  EXPECT_TRUE(store_.adopted_as(row).IsNone());
  EXPECT_EQ(store_.FirstRowOf(session), row);
  EXPECT_EQ(store_.NextRowOf(row), kNone);
  EXPECT_THAT(Pair("room", "ann"), ElementsAre(row));
  EXPECT_EQ(store_.keys().FirstOfKey("ann"), row);
  EXPECT_EQ(store_.shown_entries(), 0u);
  EXPECT_THAT(events_.Take(), IsEmpty());

  store_.Show(row);
  EXPECT_EQ(store_.shown_entries(), 1u);
  EXPECT_EQ(store_.shown_keys(), 1u);
  EXPECT_THAT(events_.Take(), ElementsAre("join room/ann hi @2"));

  store_.RemoveEntry(row);
  EXPECT_EQ(store_.shown_entries(), 0u);
  EXPECT_EQ(store_.topics().Find("room"), kNone);
  EXPECT_EQ(store_.keys().FirstOfKey("ann"), kNone);
  EXPECT_THAT(events_.Take(), ElementsAre("leave room/ann hi @2"));
}

TEST_F(PresenceStoreTest, AnUpdateKeepsIdAndPlaceAndTellsWhatWasShown) {
  SessionIdx session = Session();
  RowIdx row = AddShown(session, "room", "ann", "one");
  AddShown(session, "room", "bob");
  uint64_t stamp = store_.stamp(row);
  events_.Take();
  store_.UpdateEntry(row, Seq(next_seq_++), std::string(300, 'x'), {});
  EXPECT_EQ(store_.id(row), ElementId(2));
  EXPECT_EQ(store_.seq(row), Seq(4));
  EXPECT_EQ(store_.key(row), "ann");
  EXPECT_EQ(store_.meta(row), std::string(300, 'x'));
  EXPECT_EQ(store_.stamp(row), stamp);
  EXPECT_THAT(KeysOf("room"), ElementsAre("ann", "bob"));
  store_.UpdateEntry(row, Seq(next_seq_++), "two", {});
  EXPECT_THAT(
      events_.Take(),
      ElementsAre("update room/ann " + std::string(300, 'x') + " @4 was 2",
                  "update room/ann two @5 was 4"));
}

TEST_F(PresenceStoreTest, AnUpdateMayTakeItsMetaFromTheRowItself) {
  RowIdx row = Add(Session(), "room", "ann", "kept as it is");
  store_.UpdateEntry(row, Seq(next_seq_++), store_.meta(row), {});
  EXPECT_EQ(store_.key(row), "ann");
  EXPECT_EQ(store_.meta(row), "kept as it is");
}

TEST_F(PresenceStoreTest, AnUpdateOfAHiddenEntryIsToldToNobody) {
  RowIdx row = Add(Session(), "room", "ann", "one");
  store_.UpdateEntry(row, Seq(next_seq_++), "two", {});
  EXPECT_THAT(events_.Take(), IsEmpty());
  EXPECT_EQ(store_.meta(row), "two");
}

TEST_F(PresenceStoreTest, AnAdoptedEntryHasItsOldRefUntilAnUpdate) {
  Ref adopted{kLifeB, ElementId(70), Seq(71)};
  RowIdx row = Add(Session(), "room", "ann", "m", adopted);
  EXPECT_EQ(store_.adopted_as(row), adopted);
  EXPECT_EQ(store_.ref(row), adopted);
  EXPECT_EQ(store_.seq(row), Seq(2));
  store_.UpdateEntry(row, Seq(next_seq_++), "m2", adopted);
  EXPECT_EQ(store_.ref(row), (Ref{kLifeA, ElementId(2), Seq(3)}));
  EXPECT_EQ(store_.adopted_as(row), adopted) << "what it was is still known";
  EXPECT_EQ(store_.root(row), (EntryRoot{kLifeB, ElementId(70)}));
}

TEST_F(PresenceStoreTest, AnEntryKeepsItsRootThroughUpdates) {
  const SessionIdx session = Session();
  const RowIdx own = Add(session, "room", "bob", "m");
  EXPECT_EQ(store_.root(own), (EntryRoot{kLifeA, store_.id(own)}));
  const EntryRoot first{77, ElementId(5)};
  const Seq seq(next_seq_++);
  const RowIdx row =
      store_.AddEntry(session, ElementId(seq.value), seq,
                      {store_.session(session).id, "room", "ann", "m",
                       Ref{kLifeB, ElementId(70), Seq(71)}, first});
  const uint64_t digest = store_.Digest(stream_);
  EXPECT_EQ(store_.root(row), first);
  store_.UpdateEntry(row, Seq(next_seq_++), "m2", store_.adopted_as(row));
  EXPECT_EQ(store_.root(row), first);
  EXPECT_EQ(store_.key(row), "ann");
  EXPECT_NE(store_.Digest(stream_), digest);
}

TEST_F(PresenceStoreTest, AKeyIsPresentWhileAnyOfItsEntriesIsShown) {
  SessionIdx session = Session();
  RowIdx one = AddShown(session, "room", "ann");
  RowIdx two = AddShown(session, "room", "ann");
  RowIdx hidden = Add(session, "room", "ann");
  TopicIdx topic = store_.topics().Find("room");
  EXPECT_EQ(store_.topics()[topic].shown_entries, 2u);
  EXPECT_EQ(store_.topics()[topic].shown_keys, 1u);
  EXPECT_EQ(Pair("room", "ann").back(), hidden) << "shown ones come first";
  store_.Hide(one);
  EXPECT_EQ(store_.topics()[topic].shown_keys, 1u);
  EXPECT_EQ(Pair("room", "ann").front(), two);
  store_.RemoveEntry(two);
  EXPECT_EQ(store_.topics()[topic].shown_keys, 0u);
  EXPECT_EQ(store_.shown_keys(), 0u);
  store_.Show(hidden);
  EXPECT_EQ(store_.shown_keys(), 1u);
}

TEST_F(PresenceStoreTest, TransferKeepsThePlaceAndShowsNoFlicker) {
  StreamIdx other = store_.AddStream(kLifeB);
  SessionIdx old_copy = Session(stream_, 9);
  RowIdx from = AddShown(old_copy, "room", "ann", "m");
  AddShown(old_copy, "room", "bob");
  SessionIdx new_copy = Session(other, 9);
  RowIdx same = Add(new_copy, "room", "ann", "m", store_.ref(from));
  uint64_t place = store_.stamp(from);
  events_.Take();

  store_.Transfer(from, same);
  EXPECT_THAT(events_.Take(), IsEmpty()) << "the ref is the same";
  EXPECT_FALSE(store_.shown(from));
  EXPECT_TRUE(store_.shown(same));
  EXPECT_EQ(store_.stamp(same), place);
  EXPECT_EQ(store_.shown_entries(), 2u);
  EXPECT_EQ(store_.shown_keys(), 2u);
  store_.RemoveEntry(from);
  EXPECT_THAT(events_.Take(), IsEmpty()) << "it was not shown any more";
  EXPECT_THAT(KeysOf("room"), ElementsAre("ann", "bob"));
}

TEST_F(PresenceStoreTest, TransferToAnotherRefIsAnUpdate) {
  StreamIdx other = store_.AddStream(kLifeB);
  RowIdx from = AddShown(Session(stream_, 9), "room", "ann", "old");
  SessionIdx new_copy = Session(other, 9);
  RowIdx to = Add(new_copy, "room", "ann", "new");
  events_.Take();
  store_.Transfer(from, to);
  EXPECT_THAT(events_.Take(), ElementsAre("update room/ann new @4 was 2"));
}

TEST_F(PresenceStoreTest, ADetachedRowIsShownOnButLeftItsStream) {
  SessionIdx session = Session();
  RowIdx row = AddShown(session, "room", "ann", "m");
  uint64_t with = store_.Digest(stream_);
  events_.Take();
  store_.Detach(row);
  EXPECT_TRUE(store_.detached(row));
  EXPECT_EQ(store_.EntryCount(stream_), 0u);
  EXPECT_EQ(store_.FindEntry(stream_, ElementId(2)), kNone);
  EXPECT_EQ(store_.FirstRowBySeq(stream_), kNone);
  EXPECT_NE(store_.Digest(stream_), with);
  EXPECT_EQ(store_.shown_entries(), 1u);
  EXPECT_THAT(KeysOf("room"), ElementsAre("ann"));
  EXPECT_EQ(store_.session(session).entries, 1u);
  EXPECT_THAT(events_.Take(), IsEmpty());
  store_.RemoveEntry(row);
  EXPECT_EQ(store_.session(session).entries, 0u);
  EXPECT_THAT(events_.Take(), ElementsAre("leave room/ann m @2"));
}

TEST_F(PresenceStoreTest, CopiesOfASessionAreFoundWhereverTheyAre) {
  StreamIdx other = store_.AddStream(kLifeB);
  SessionIdx a = Session(stream_, 9);
  SessionIdx b = Session(other, 9);
  Session(other, 10);
  // The low half is the same: the whole id decides.
  SessionContent alike;
  alike.session = {77, 9};
  store_.PutSession(other, ElementId(50), Seq(50), alike);
  std::vector<SessionIdx> copies;
  for (SessionIdx i = store_.sessions().FirstCopy({9, 9}); i != kNone;
       i = store_.sessions().NextCopy(i)) {
    copies.push_back(i);
  }
  EXPECT_THAT(copies, UnorderedElementsAre(a, b));
  EXPECT_EQ(store_.sessions().FirstCopy({11, 11}), kNone);
}

TEST_F(PresenceStoreTest, APutReplacesASessionAndMovesItToTheEnd) {
  SessionIdx first = Session(stream_, 1);
  SessionIdx second = Session(stream_, 2);
  store_.session_slot(first).marks |= 2;
  store_.session_slot(first).time = 77;
  uint64_t digest = store_.Digest(stream_);
  SessionContent content = store_.session(first).content();
  content.state = SessionState::kMoved;
  content.epoch = 5;
  content.moved_life = {1, 2};
  content.moved_seq = Seq(3);
  EXPECT_EQ(store_.PutSession(stream_, ElementId(1), Seq(3), content), first);
  EXPECT_EQ(store_.session(first).content(), content);
  EXPECT_EQ(store_.session(first).seq, Seq(3));
  EXPECT_EQ(store_.session(first).id, ElementId(1));
  EXPECT_EQ(store_.session(first).slot_time, 77) << "it is the user's";
  EXPECT_EQ(store_.session(first).slot_marks, 2u);
  EXPECT_EQ(store_.SessionCount(stream_), 2u);
  EXPECT_EQ(store_.FirstSessionBySeq(stream_), second);
  EXPECT_EQ(store_.NextSessionBySeq(second), first);
  EXPECT_NE(store_.Digest(stream_), digest);
}

TEST_F(PresenceStoreTest, APutWithAnotherSessionIdIsFoundByThatOneOnly) {
  SessionIdx session = Session(stream_, 1);
  SessionContent content = store_.session(session).content();
  content.session = {5, 6};
  store_.PutSession(stream_, ElementId(1), Seq(2), content);
  EXPECT_EQ(store_.sessions().FirstCopy({1, 1}), kNone);
  EXPECT_EQ(store_.sessions().FirstCopy({5, 6}), session);
}

TEST_F(PresenceStoreTest, EverySessionFieldReachesTheDigest) {
  SessionContent base;
  base.session = {1, 2};
  base.state = SessionState::kMoved;
  auto digest_with = [](auto change) {
    PresenceStore store(1);
    StreamIdx stream = store.AddStream(kLifeA);
    SessionContent content;
    content.session = {1, 2};
    content.state = SessionState::kMoved;
    uint64_t id = 3;
    uint64_t seq = 4;
    change(content, id, seq);
    store.PutSession(stream, ElementId(id), Seq(seq), content);
    return store.Digest(stream);
  };
  using C = SessionContent;
  std::vector<uint64_t> digests = {
      digest_with([](C&, uint64_t&, uint64_t&) {}),
      digest_with([](C&, uint64_t& id, uint64_t&) { id = 2; }),
      digest_with([](C&, uint64_t&, uint64_t& seq) { seq = 5; }),
      digest_with([](C& c, uint64_t&, uint64_t&) { c.session.hi = 9; }),
      digest_with([](C& c, uint64_t&, uint64_t&) { c.session.lo = 9; }),
      digest_with([](C& c, uint64_t&, uint64_t&) { c.epoch = 9; }),
      digest_with([](C& c, uint64_t&, uint64_t&) { c.resume = 9; }),
      digest_with([](C& c, uint64_t&, uint64_t&) { c.grace_ms = 9; }),
      digest_with([](C& c, uint64_t&, uint64_t&) { c.ttl_ms = 9; }),
      digest_with([](C& c, uint64_t&, uint64_t&) { c.moved_life.hi = 9; }),
      digest_with([](C& c, uint64_t&, uint64_t&) { c.moved_life.lo = 9; }),
      digest_with([](C& c, uint64_t&, uint64_t&) { c.moved_seq = Seq(9); }),
      digest_with(
          [](C& c, uint64_t&, uint64_t&) { c.state = SessionState::kEnded; }),
  };
  for (size_t i = 0; i < digests.size(); ++i) {
    for (size_t j = 0; j < i; ++j) EXPECT_NE(digests[i], digests[j]);
  }
}

// What is not on the wire in this state must not be in the digest: the peer
// that decodes the record does not have it.
TEST_F(PresenceStoreTest, WhereItMovedCountsOnlyInTheStateMoved) {
  SessionContent content;
  content.session = {1, 2};
  content.state = SessionState::kEnded;
  store_.PutSession(stream_, ElementId(1), Seq(1), content);
  content.moved_life = {3, 4};
  content.moved_seq = Seq(5);
  StreamIdx other = store_.AddStream(kLifeB);
  store_.PutSession(other, ElementId(1), Seq(1), content);
  EXPECT_EQ(store_.Digest(stream_), store_.Digest(other));
}

TEST_F(PresenceStoreTest, EveryEntryFieldReachesTheDigest) {
  auto digest_with = [](auto change) {
    PresenceStore store(1);
    StreamIdx stream = store.AddStream(kLifeA);
    SessionIdx one = store.PutSession(stream, ElementId(1), Seq(1), {});
    SessionIdx two = store.PutSession(stream, ElementId(2), Seq(2), {});
    EntryContent content{ElementId(1), "topic", "key", "meta"};
    uint64_t id = 3;
    uint64_t seq = 4;
    bool second = false;
    change(content, id, seq, second);
    store.AddEntry(second ? two : one, ElementId(id), Seq(seq), content);
    return store.Digest(stream);
  };
  using C = EntryContent;
  using U = uint64_t;
  std::vector<uint64_t> digests = {
      digest_with([](C&, U&, U&, bool&) {}),
      digest_with([](C&, U& id, U&, bool&) { id = 4; }),
      digest_with([](C&, U&, U& seq, bool&) { seq = 5; }),
      digest_with([](C&, U&, U&, bool& second) { second = true; }),
      digest_with([](C& c, U&, U&, bool&) { c.topic = "topi"; }),
      digest_with([](C& c, U&, U&, bool&) { c.key = "ckey"; }),
      digest_with([](C& c, U&, U&, bool&) {
        c.topic = "topi";
        c.key = "ckey";
      }),
      digest_with([](C& c, U&, U&, bool&) {
        c.key = "keym";
        c.meta = "eta";
      }),
      digest_with([](C& c, U&, U&, bool&) { c.meta = ""; }),
      digest_with([](C& c, U&, U&, bool&) {
        c.ref = {kLifeA, ElementId(3), Seq(4)};
      }),
      digest_with([](C& c, U&, U&, bool&) {
        c.ref = {kLifeB, ElementId(3), Seq(4)};
      }),
      digest_with([](C& c, U&, U&, bool&) {
        c.ref = {kLifeB, ElementId(2), Seq(4)};
      }),
      digest_with([](C& c, U&, U&, bool&) {
        c.ref = {kLifeB, ElementId(3), Seq(5)};
      }),
  };
  for (size_t i = 0; i < digests.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      EXPECT_NE(digests[i], digests[j]) << i << " and " << j;
    }
  }
}

// Nodes compare digests: a change here is a change of the wire.
TEST_F(PresenceStoreTest, ADigestIsTheSameOnEveryNodeOfThisVersion) {
  SessionContent content;
  content.session = {0x0102030405060708, 0x1112131415161718};
  content.epoch = 7;
  content.resume = 300;
  content.grace_ms = 30000;
  content.state = SessionState::kConnected;
  SessionIdx session =
      store_.PutSession(stream_, ElementId(1), Seq(1), content);
  EXPECT_EQ(store_.Digest(stream_), 8513421063495568007u);
  RowIdx row = store_.AddEntry(session, ElementId(5), Seq(5),
                               {ElementId(1), "room:1", "user:7", "{}"});
  EXPECT_EQ(store_.Digest(stream_), 9176607800699463735u);
  store_.UpdateEntry(row, Seq(9), "", {kLifeB, ElementId(3), Seq(200)});
  EXPECT_EQ(store_.Digest(stream_), 5270714682374035389u);
}

TEST_F(PresenceStoreTest, TopicsAreInByteOrderAndGoneWithTheirLastRow) {
  SessionIdx session = Session();
  RowIdx b = Add(session, "b", "k");
  Add(session, "a", "k");
  Add(session, "ab", "k");
  Add(session, "\xc3\xa9", "k");
  EXPECT_THAT(Topics(), ElementsAre("a", "ab", "b", "\xc3\xa9"));
  EXPECT_EQ(store_.topics().name(store_.topics().AtOrAfter("aa")), "ab");
  EXPECT_EQ(store_.topics().AtOrAfter("\xff"), kNone);
  store_.RemoveEntry(b);
  EXPECT_THAT(Topics(), ElementsAre("a", "ab", "\xc3\xa9"));
  EXPECT_EQ(store_.topics().size(), 3u);
}

TEST_F(PresenceStoreTest, APinnedTopicStaysUntilItsLastPinIsOut) {
  TopicIdx topic = store_.PinTopic("room");
  EXPECT_EQ(store_.PinTopic("room"), topic);
  store_.SetTopicSlot(topic, 5);
  RowIdx row = Add(Session(), "room", "ann");
  EXPECT_EQ(store_.topic_of(row), topic);
  store_.RemoveEntry(row);
  store_.UnpinTopic(topic);
  EXPECT_EQ(store_.topics().Find("room"), topic);
  EXPECT_EQ(store_.topics()[topic].slot, 5u);
  store_.UnpinTopic(topic);
  EXPECT_EQ(store_.topics().Find("room"), kNone);
  EXPECT_EQ(store_.topics()[store_.PinTopic("next")].slot, kNone);
}

TEST_F(PresenceStoreTest, StampsFollowTheClockButAreUniqueAndNeverGoBack) {
  SessionIdx session = Session();
  store_.SetTime(1'000'000);
  RowIdx a = Add(session, "t", "a");
  RowIdx b = Add(session, "t", "b");
  store_.SetTime(2'000'000);
  RowIdx c = Add(session, "t", "c");
  store_.SetTime(500'000);
  RowIdx d = Add(session, "t", "d");
  store_.SetTime(-1);
  RowIdx e = Add(session, "t", "e");
  EXPECT_EQ(store_.stamp(a), 1'000'000u);
  EXPECT_EQ(store_.stamp(b), 1'000'001u);
  EXPECT_EQ(store_.stamp(c), 2'000'000u);
  EXPECT_EQ(store_.stamp(d), 2'000'001u);
  EXPECT_EQ(store_.stamp(e), 2'000'002u);
  EXPECT_THAT(KeysOf("t", store_.stamp(b)), ElementsAre("c", "d", "e"));
}

TEST_F(PresenceStoreTest, AVisitEndsWhenTheVisitorHasEnough) {
  SessionIdx session = Session();
  for (int i = 0; i < 10; ++i) Add(session, "t", absl::StrCat("k", i));
  int seen = 0;
  store_.topics().VisitRows(store_.topics().Find("t"), 0,
                            [&](RowIdx) { return ++seen < 3; });
  EXPECT_EQ(seen, 3);
}

TEST_F(PresenceStoreTest, ARoundIsTheElementsOwnAndTouchesNoFlag) {
  SessionIdx session = Session();
  RowIdx a = AddShown(session, "t", "a");
  RowIdx b = AddShown(session, "t", "b");
  EXPECT_EQ(store_.round(a), 0u);
  store_.set_round(a, 0xffff);
  store_.set_round(a, 0x1234);
  store_.session_slot(session).marks |= 2;
  store_.set_session_round(session, 0x4321);
  EXPECT_EQ(store_.round(a), 0x1234u);
  EXPECT_EQ(store_.round(b), 0u);
  EXPECT_EQ(store_.session_round(session), 0x4321u);
  store_.UpdateEntry(a, Seq(next_seq_++), "m", {});
  EXPECT_EQ(store_.round(a), 0x1234u);
  EXPECT_TRUE(store_.shown(a));
  store_.set_session_round(session, 0);
  EXPECT_EQ(store_.session(session).slot_marks, 2u);
}

TEST_F(PresenceStoreTest, ElementsNamedAgainInSeqOrderAreInSeqOrderAgain) {
  SessionIdx session = Session();
  RowIdx a = Add(session, "t", "a");
  RowIdx b = Add(session, "t", "b");
  RowIdx c = Add(session, "t", "c");
  uint64_t digest = store_.Digest(stream_);
  store_.MoveToSeqTail(a);
  EXPECT_EQ(store_.FirstRowBySeq(stream_), b);
  EXPECT_EQ(store_.NextRowBySeq(c), a);
  store_.MoveToSeqTail(b);
  store_.MoveToSeqTail(c);
  EXPECT_EQ(store_.FirstRowBySeq(stream_), a);
  EXPECT_EQ(store_.NextRowBySeq(b), c);
  EXPECT_EQ(store_.NextRowBySeq(c), kNone);
  EXPECT_EQ(store_.Digest(stream_), digest);
}

TEST_F(PresenceStoreTest, AStreamNumberIsTakenAgainWithNothingOfTheOldOne) {
  SessionIdx session = Session();
  RowIdx row = Add(session, "t", "k");
  store_.RemoveEntry(row);
  store_.RemoveSession(session);
  EXPECT_EQ(store_.Digest(stream_), 0u);
  store_.RemoveStream(stream_);
  EXPECT_EQ(store_.AddStream(kLifeB), stream_);
  EXPECT_EQ(store_.Digest(stream_), 0u);
  EXPECT_EQ(store_.sessions().Find(stream_, ElementId(1)), kNone);
  RowIdx other = Add(Session(), "t", "k");
  EXPECT_EQ(store_.ref(other).life, kLifeB);
}

TEST_F(PresenceStoreTest, TenThousandLivesLeaveNoMemory) {
  auto life = [this] {
    StreamIdx stream = store_.AddStream(kLifeB);
    std::vector<SessionIdx> sessions;
    std::vector<RowIdx> rows;
    for (int i = 0; i < 5; ++i) {
      sessions.push_back(Session(stream, next_seq_));
      for (int j = 0; j < 5; ++j) {
        rows.push_back(AddShown(sessions.back(), absl::StrCat("t", j, "-", i),
                                absl::StrCat("k", next_seq_), "meta"));
      }
    }
    for (RowIdx row : rows) store_.RemoveEntry(row);
    for (SessionIdx session : sessions) store_.RemoveSession(session);
    store_.RemoveStream(stream);
  };
  life();
  size_t bytes = store_.bytes();
  for (int i = 0; i < 10000; ++i) life();
  EXPECT_EQ(store_.bytes(), bytes);
  EXPECT_EQ(store_.topics().size(), 0u);
}

// What the store may hold of an entry at one session in ten, and at one each,
// with keys and meta of the size the main benchmark uses; no allocator's
// rounding, no log.
TEST_F(PresenceStoreTest, BytesAnEntryStayWithinTheirBudget) {
  constexpr int kEntries = 100000;
  for (int per_session : {10, 1}) {
    PresenceStore store(1);
    StreamIdx stream = store.AddStream(kLifeA);
    std::string meta(64, 'm');
    SessionIdx session = kNone;
    uint64_t seq = 0;
    for (int i = 0; i < kEntries; ++i) {
      if (i % per_session == 0) {
        ++seq;
        SessionContent content;
        content.session = {seq, seq * 0x9e3779b97f4a7c15u};
        session = store.PutSession(stream, ElementId(seq), Seq(seq), content);
      }
      ++seq;
      RowIdx row = store.AddEntry(
          session, ElementId(seq), Seq(seq),
          {store.session(session).id, absl::StrCat("topic:", i % 1000),
           absl::StrCat("user:", 1000000 + i), meta});
      store.Show(row);
    }
    size_t each = store.bytes() / kEntries;
    RecordProperty(absl::StrCat("bytes_at_", per_session), each);
    EXPECT_LE(each, per_session == 10 ? 180u : 262u);
  }
}

}  // namespace
}  // namespace muster::crdt
