// The two sides of a rebase, frame by frame, with the toy kind.
#include "node/core/stream/rebase.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/stream/toy_kind.h"

namespace muster::core {
namespace {

using crdt::ElementId;
using crdt::Seq;
using Kind = RebaseFrame::Kind;
using Outcome = RebaseReceiver::Outcome;

constexpr size_t kFrameBytes = 256;
const crdt::Origin kOrigin{"a", crdt::Incarnation(1), {1, 1}};

struct Side {
  explicit Side(bool own) {
    streams.AddKind(kToyKind, ToyGrammar(), state, 4 << 10);
    stream = &streams.Add(kOrigin, kToyKind, own, Instant{0});
  }
  StreamTable streams;
  ToyState state{streams};
  Stream* stream = nullptr;
};

class RebaseTest : public testing::Test {
 protected:
  void Write(int mutations) {
    for (int i = 0; i < mutations; ++i) {
      sender_.state.Put(*sender_.stream, std::string(20, 'x'));
    }
  }
  // Brings the receiver to where the sender stands.
  void Copy() {
    Rebase(Seq(0));
    ASSERT_EQ(Text(receiver_), Text(sender_));
  }
  // A whole rebase; the kinds of its frames.
  std::vector<Kind> Rebase(Seq have) {
    RebaseSender from(sender_.streams, *sender_.stream, 1, have, kFrameBytes);
    RebaseReceiver to(receiver_.streams, *receiver_.stream, 1);
    std::vector<Kind> kinds;
    while (std::optional<RebaseFrame> frame = from.Next()) {
      kinds.push_back(frame->kind);
      EXPECT_LE(frame->payload->size(), kFrameBytes);
      receiver_.stream->rebasing = true;
      Outcome outcome = to.OnFrame(*frame);
      while (outcome == Outcome::kMore) outcome = to.Run();
      EXPECT_EQ(outcome, from.done() ? Outcome::kEnded : Outcome::kOk);
    }
    EXPECT_TRUE(from.done());
    EXPECT_TRUE(to.ended());
    while (!to.Sweep()) continue;
    receiver_.stream->vv = to.final_seq();
    receiver_.stream->rebasing = false;
    EXPECT_EQ(receiver_.state.Digest(*receiver_.stream), to.final_digest());
    return kinds;
  }
  static std::string Text(const Side& side) {
    return side.state.Text(*side.stream);
  }

  Side sender_{true};
  Side receiver_{false};
};

TEST_F(RebaseTest, WhatIsThereIsNamedAndWhatIsNotIsSentWhole) {
  Write(5);
  Copy();
  Write(2);
  const std::vector<Kind> expected = {Kind::kBegin, Kind::kKeep, Kind::kPut,
                                      Kind::kEnd};
  EXPECT_EQ(Rebase(Seq(5)), expected);
  EXPECT_EQ(Text(receiver_), Text(sender_));
}

TEST_F(RebaseTest, WhatIsNotNamedIsSwept) {
  Write(10);
  Copy();
  sender_.state.Remove(*sender_.stream, ElementId(3));
  sender_.state.Update(*sender_.stream, ElementId(4), "new");
  Rebase(Seq(10));
  EXPECT_EQ(Text(receiver_), Text(sender_));
  EXPECT_EQ(receiver_.state.of(*receiver_.stream).size(), 9u);
}

TEST_F(RebaseTest, MutationsMadeMeanwhileComeByTheLog) {
  Write(30);
  RebaseSender from(sender_.streams, *sender_.stream, 1, Seq(0), kFrameBytes);
  RebaseReceiver to(receiver_.streams, *receiver_.stream, 1);
  bool delta = false;
  while (std::optional<RebaseFrame> frame = from.Next()) {
    if (frame->number == 2) {
      sender_.state.Remove(*sender_.stream, ElementId(1));
      Write(2);
    }
    delta |= frame->kind == Kind::kDelta;
    ASSERT_NE(to.OnFrame(*frame), Outcome::kBad);
  }
  EXPECT_TRUE(delta);
  while (!to.Sweep()) continue;
  EXPECT_EQ(to.final_seq(), Seq(33));
  EXPECT_EQ(Text(receiver_), Text(sender_));
}

TEST_F(RebaseTest, ALogThatPassesOnMakesAnotherRound) {
  Write(30);
  RebaseSender from(sender_.streams, *sender_.stream, 1, Seq(0), kFrameBytes);
  RebaseReceiver to(receiver_.streams, *receiver_.stream, 1);
  int rounds = 0;
  while (std::optional<RebaseFrame> frame = from.Next()) {
    if (frame->number == 2) Write(300);  // More than the log holds.
    if (frame->kind == Kind::kBegin) ++rounds;
    ASSERT_NE(to.OnFrame(*frame), Outcome::kBad);
  }
  EXPECT_EQ(rounds, 2);
  while (!to.Sweep()) continue;
  EXPECT_EQ(Text(receiver_), Text(sender_));
}

TEST_F(RebaseTest, AFrameThatIsMissingIsAGapAndOneTwiceToo) {
  Write(30);
  RebaseSender from(sender_.streams, *sender_.stream, 1, Seq(0), kFrameBytes);
  RebaseReceiver to(receiver_.streams, *receiver_.stream, 1);
  const RebaseFrame begin = *from.Next();
  EXPECT_EQ(to.OnFrame(begin), Outcome::kOk);
  EXPECT_EQ(to.OnFrame(begin), Outcome::kGap);
  from.Next();
  EXPECT_EQ(to.OnFrame(*from.Next()), Outcome::kGap);
}

TEST_F(RebaseTest, AFrameThatContradictsTheStateIsBad) {
  Write(5);
  RebaseReceiver unbegun(receiver_.streams, *receiver_.stream, 1);
  RebaseSender from(sender_.streams, *sender_.stream, 1, Seq(0), kFrameBytes);
  RebaseFrame frame = *from.Next();
  frame.kind = Kind::kEnd;
  EXPECT_EQ(unbegun.OnFrame(frame), Outcome::kBad) << "it has not begun";

  RebaseReceiver behind(receiver_.streams, *receiver_.stream, 1);
  frame.kind = Kind::kBegin;
  frame.have = Seq(3);
  EXPECT_EQ(behind.OnFrame(frame), Outcome::kBad) << "it stands at 0, not at 3";

  RebaseReceiver names(receiver_.streams, *receiver_.stream, 1);
  frame.have = Seq(0);
  EXPECT_EQ(names.OnFrame(frame), Outcome::kOk);
  frame.number = 2;
  frame.kind = Kind::kKeep;
  frame.count = 1;
  frame.payload = std::make_shared<const std::string>("\x01", 1);
  EXPECT_EQ(names.OnFrame(frame), Outcome::kBad) << "nothing of seq 1 is here";
}

TEST_F(RebaseTest, FramesWaitForThoseBeforeThemAfterManyNames) {
  Write(5000);
  Copy();
  Write(1);
  RebaseSender from(sender_.streams, *sender_.stream, 1, Seq(5000), 128 << 10);
  RebaseReceiver to(receiver_.streams, *receiver_.stream, 1);
  bool waited = false;
  while (std::optional<RebaseFrame> frame = from.Next()) {
    waited |= to.OnFrame(*frame) == Outcome::kMore;
  }
  EXPECT_TRUE(waited);
  EXPECT_TRUE(to.waits());
  EXPECT_TRUE(to.has_work());
  for (int left = 10; to.waits() && left > 0; --left) to.Run();
  EXPECT_TRUE(to.ended());
}

}  // namespace
}  // namespace muster::core
