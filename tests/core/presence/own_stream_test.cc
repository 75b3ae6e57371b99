// The stream that a node writes: every call is one mutation, in the log and in
// the roll.
#include "node/core/presence/own_stream.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/presence/presence_fixture.h"

namespace muster::core {
namespace {

using crdt::ElementId;
using crdt::RowIdx;
using crdt::Seq;
using crdt::SessionIdx;
using crdt::SessionState;
using testing::ElementsAre;

class OwnStreamTest : public PresenceTest {
 protected:
  SessionIdx Open() {
    crdt::SessionContent content;
    content.session = Session(1);
    content.state = SessionState::kConnected;
    return own_.AddSession(content);
  }
  RowIdx Add(SessionIdx session, const std::string& key,
             const crdt::Ref& ref = {}, const crdt::EntryRoot& root = {}) {
    return own_.AddEntry(session, "room", key, "meta", ref, root);
  }
  crdt::MutationLog& log() { return streams_.log(crdt::StreamKind::kPresence); }
  // The mutations of the log after `seq`, as a peer would get them.
  std::string Logged(Seq after) {
    crdt::MutationLog::Cursor cursor{after};
    const auto run = log().Read(a_.idx, cursor, 1 << 20);
    return run.has_value() ? run->bytes : "";
  }

  Stream& a_ = AddStream("a", /*own=*/true);
  OwnStream own_{roll_, log(), a_};
};

TEST_F(OwnStreamTest, EachCallIsOneMutationWithTheNextSeq) {
  const SessionIdx session = Open();
  EXPECT_EQ(a_.vv, Seq(1));
  const RowIdx row = Add(session, "ann");
  EXPECT_EQ(a_.vv, Seq(2));
  own_.UpdateEntry(row, "away");
  EXPECT_EQ(a_.vv, Seq(3));
  crdt::SessionContent content = roll_.store().session(session).content();
  content.epoch = 5;
  own_.UpdateSession(session, content);
  EXPECT_EQ(a_.vv, Seq(4));
  own_.RemoveEntry(row);
  own_.RemoveSession(session);
  EXPECT_EQ(a_.vv, Seq(6));
  EXPECT_EQ(log().last(a_.idx), Seq(6));
}

TEST_F(OwnStreamTest, AnElementIsNamedByTheSeqThatCreatedIt) {
  const SessionIdx session = Open();
  const RowIdx row = Add(session, "ann");
  own_.UpdateEntry(row, "away");
  EXPECT_EQ(roll_.store().session(session).id, ElementId(1));
  EXPECT_EQ(roll_.store().id(row), ElementId(2));
  EXPECT_EQ(roll_.store().seq(row), Seq(3));
}

TEST_F(OwnStreamTest, WhatIsLoggedMakesTheSameElementsAnywhere) {
  const SessionIdx session = Open();
  const RowIdx ann = Add(session, "ann");
  const RowIdx bob = Add(session, "bob");
  own_.UpdateEntry(ann, "away");
  own_.RemoveEntry(bob);
  Add(session, "cid", {.life = 9, .id = ElementId(3), .seq = Seq(8)},
      {.life = 9, .id = ElementId(2)});
  // Another life of this node, written by what the log has.
  Stream& copy = AddStream("copy");
  const std::string bytes = Logged(Seq(0));
  absl::string_view left = bytes;
  ASSERT_TRUE(roll_.ApplyRun(copy, left, Seq(1), Seq(7)));
  EXPECT_EQ(roll_.Digest(copy), roll_.Digest(a_));
}

TEST_F(OwnStreamTest, AnUpdateGivesANewRefAndKeepsTopicKeyAndRoot) {
  const SessionIdx session = Open();
  const crdt::EntryRoot root{.life = 9, .id = ElementId(2)};
  const RowIdx row =
      Add(session, "ann", {.life = 9, .id = ElementId(3), .seq = Seq(8)}, root);
  EXPECT_EQ(roll_.store().ref(row).seq, Seq(8)) << "adopted under its old ref";
  own_.UpdateEntry(row, "away");
  EXPECT_EQ(roll_.store().ref(row).life, a_.origin.life.hi);
  EXPECT_EQ(roll_.store().ref(row).seq, Seq(3));
  EXPECT_EQ(roll_.store().root(row), root);
  EXPECT_EQ(roll_.store().key(row), "ann");
  EXPECT_THAT(Changes(), ElementsAre("+ann", "~ann 8->3"));
}

TEST_F(OwnStreamTest, ARootThatTheRefNamesIsNotWritten) {
  const SessionIdx session = Open();
  const crdt::Ref ref{.life = 9, .id = ElementId(3), .seq = Seq(8)};
  const RowIdx said = Add(session, "ann", ref, {ref.life, ref.id});
  EXPECT_TRUE(roll_.store().explicit_root(said).IsNone());
  EXPECT_EQ(roll_.store().root(said), (crdt::EntryRoot{ref.life, ref.id}));
}

}  // namespace
}  // namespace muster::core
