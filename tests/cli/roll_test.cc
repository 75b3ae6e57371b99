#include "muster/client/roll.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace muster::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

v1::WatchResponse Message(const std::string& text) {
  v1::WatchResponse message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message))
      << text;
  return message;
}

// "+room/u1@r1", "~room/u1@r2<r1", "#room=3", "." for the state's end.
std::vector<std::string> Texts(const std::vector<Change>& changes) {
  std::vector<std::string> texts;
  for (const Change& change : changes) {
    const v1::Entry& entry = change.entry;
    const std::string name =
        absl::StrCat(entry.topic(), "/", entry.key(), "@", entry.ref());
    switch (change.kind) {
      case Change::Kind::kPresent:
        texts.push_back("=" + name);
        break;
      case Change::Kind::kJoin:
        texts.push_back("+" + name);
        break;
      case Change::Kind::kUpdate:
        texts.push_back(absl::StrCat("~", name, "<", entry.ref_prev()));
        break;
      case Change::Kind::kLeave:
        texts.push_back("-" + name);
        break;
      case Change::Kind::kCount:
        texts.push_back(absl::StrCat("#", change.count.topic(), "=",
                                     change.count.entries()));
        break;
      case Change::Kind::kSynced:
        texts.push_back(".");
        break;
    }
  }
  return texts;
}

std::vector<std::string> Apply(Roll* roll, const std::string& text) {
  return Texts(roll->Apply(Message(text)));
}

// u1 and u2 in room, complete.
Roll TwoInRoom() {
  Roll roll;
  EXPECT_THAT(
      Apply(&roll,
            "reset: true state { topic: 'room' entries { key: 'u1' ref: 'r1' }"
            " entries { key: 'u2' ref: 'r2' } }"),
      ElementsAre("=room/u1@r1", "=room/u2@r2"));
  EXPECT_THAT(Apply(&roll, "state_complete: true version: 'v1'"),
              ElementsAre("."));
  return roll;
}

TEST(RollTest, DiffsAreReportedAsTheyCome) {
  Roll roll = TwoInRoom();
  EXPECT_THAT(
      Apply(&roll,
            "version: 'v2' diffs { topic: 'room' joins { key: 'u3' ref: 'r3' }"
            " updates { key: 'u1' ref: 'r4' ref_prev: 'r1' }"
            " leaves { key: 'u2' ref: 'r2' } }"),
      ElementsAre("+room/u3@r3", "~room/u1@r4<r1", "-room/u2@r2"));
  EXPECT_EQ(roll.version(), "v2");
  EXPECT_EQ(roll.entries().at("room").size(), 2u);
}

TEST(RollTest, AResumeWithoutResetGoesOnWithTheNextDiff) {
  Roll roll = TwoInRoom();
  roll.Disconnected();
  EXPECT_EQ(roll.version(), "v1");
  EXPECT_THAT(Apply(&roll,
                    "version: 'v2' diffs { topic: 'room' leaves "
                    "{ key: 'u1' ref: 'r1' } }"),
              ElementsAre("-room/u1@r1"));
}

TEST(RollTest, AFreshStateElsewhereIsReportedAsADifferenceOnceComplete) {
  Roll roll = TwoInRoom();
  roll.Disconnected();
  EXPECT_THAT(
      Apply(&roll,
            "reset: true state { topic: 'room' entries { key: 'u2' ref: 'r2' }"
            " entries { key: 'u4' ref: 'r4' } }"
            " state { topic: 'hall' entries { key: 'u5' ref: 'r5' } }"),
      IsEmpty());
  EXPECT_THAT(Apply(&roll, "state_complete: true version: 'w1'"),
              ElementsAre("-room/u1@r1", "+room/u4@r4", "+hall/u5@r5"));
  EXPECT_EQ(roll.version(), "w1");
}

TEST(RollTest, AChangeWhileTheFreshStateArrivesIsPartOfTheDifference) {
  Roll roll = TwoInRoom();
  roll.Disconnected();
  EXPECT_THAT(
      Apply(&roll,
            "reset: true state { topic: 'room' entries "
            "{ key: 'u1' ref: 'r1' } entries { key: 'u2' ref: 'r2' } }"),
      IsEmpty());
  EXPECT_THAT(Apply(&roll,
                    "diffs { topic: 'room' leaves { key: 'u1' ref: 'r1' } "
                    "joins { key: 'u3' ref: 'r3' } }"),
              IsEmpty());
  EXPECT_THAT(Apply(&roll, "state_complete: true version: 'w1'"),
              ElementsAre("-room/u1@r1", "+room/u3@r3"));
}

TEST(RollTest, AnEntryWithANewRefWasUpdatedNotReplaced) {
  Roll roll = TwoInRoom();
  roll.Disconnected();
  EXPECT_THAT(
      Apply(&roll,
            "reset: true state { topic: 'room' entries { key: 'u1' ref: 'r9' }"
            " entries { key: 'u2' ref: 'r2' } } state_complete: true"),
      ElementsAre("~room/u1@r9<r1"));
}

TEST(RollTest, AnEmptyFreshStateMeansThatAllHaveLeft) {
  Roll roll = TwoInRoom();
  EXPECT_THAT(Apply(&roll, "reset: true state_complete: true version: 'w1'"),
              ElementsAre("-room/u1@r1", "-room/u2@r2"));
  EXPECT_THAT(roll.entries(), IsEmpty());
}

TEST(RollTest, AnEqualFreshStateIsNoNews) {
  Roll roll = TwoInRoom();
  EXPECT_THAT(
      Apply(&roll,
            "reset: true state { topic: 'room' entries { key: 'u1' ref: 'r1' }"
            " entries { key: 'u2' ref: 'r2' } } state_complete: true"),
      IsEmpty());
}

TEST(RollTest, WhatAHalfStateShowedIsCorrectedByTheNextOne) {
  Roll roll;
  EXPECT_THAT(Apply(&roll,
                    "reset: true state { topic: 'room' entries "
                    "{ key: 'u1' ref: 'r1' } }"),
              ElementsAre("=room/u1@r1"));
  roll.Disconnected();
  EXPECT_EQ(roll.version(), "");
  EXPECT_THAT(Apply(&roll,
                    "reset: true state { topic: 'room' entries "
                    "{ key: 'u2' ref: 'r2' } } state_complete: true"),
              ElementsAre("-room/u1@r1", "+room/u2@r2", "."));
}

TEST(RollTest, AResetThatIsCutOffLeavesTheRollAsItWas) {
  Roll roll = TwoInRoom();
  EXPECT_THAT(Apply(&roll, "reset: true"), IsEmpty());
  roll.Disconnected();
  EXPECT_EQ(roll.version(), "v1");
  EXPECT_THAT(Apply(&roll,
                    "version: 'v2' diffs { topic: 'room' joins "
                    "{ key: 'u3' ref: 'r3' } }"),
              ElementsAre("+room/u3@r3"));
}

TEST(RollTest, ADiffInPartsIsAppliedWithTheLast) {
  Roll roll = TwoInRoom();
  EXPECT_THAT(
      Apply(&roll, "diffs { topic: 'room' leaves { key: 'u1' ref: 'r1' } }"),
      IsEmpty());
  EXPECT_EQ(roll.entries().at("room").size(), 2u);
  EXPECT_THAT(Apply(&roll,
                    "version: 'v2' diffs { topic: 'room' joins "
                    "{ key: 'u1' ref: 'r1' } }"),
              ElementsAre("-room/u1@r1", "+room/u1@r1"));
}

TEST(RollTest, ADiffThatBreaksOffIsReportedOnceWhenItComesAgain) {
  Roll roll = TwoInRoom();
  const std::string part =
      "diffs { topic: 'room' joins { key: 'u3' ref: 'r3' } updates "
      "{ key: 'u1' ref: 'r5' ref_prev: 'r1' } updates "
      "{ key: 'u1' ref: 'r6' ref_prev: 'r5' } }";
  EXPECT_THAT(Apply(&roll, part), IsEmpty());
  roll.Disconnected();
  EXPECT_EQ(roll.version(), "v1");
  EXPECT_THAT(Apply(&roll, part), IsEmpty());
  EXPECT_THAT(Apply(&roll, "state_complete: true version: 'v2'"),
              ElementsAre("+room/u3@r3", "~room/u1@r5<r1", "~room/u1@r6<r5"));
  EXPECT_EQ(roll.entries().at("room").size(), 3u);
}

TEST(RollTest, CountsAreReportedAgainOnlyWhereTheyDiffer) {
  Roll roll;
  EXPECT_THAT(Apply(&roll,
                    "reset: true counts { topic: 'a' entries: 1 } counts "
                    "{ topic: 'b' entries: 2 } counts { topic: 'c' entries: 3 }"
                    " state_complete: true"),
              ElementsAre("#a=1", "#b=2", "#c=3", "."));
  EXPECT_THAT(Apply(&roll, "counts { topic: 'a' entries: 5 }"),
              ElementsAre("#a=5"));
  roll.Disconnected();
  EXPECT_THAT(Apply(&roll,
                    "reset: true counts { topic: 'a' entries: 5 } counts "
                    "{ topic: 'b' entries: 9 } state_complete: true"),
              ElementsAre("#c=0", "#b=9"));
}

}  // namespace
}  // namespace muster::client
