#include "tests/sim/keyspace_model.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/sim/key_deadlines.h"

namespace muster::sim {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Version = KeyspaceModel::Version;

// Two processes; #0 leads. A context's digest is what the test says it is.
class KeyspaceModelTest : public ::testing::Test {
 protected:
  // A process holds these versions, and has seen #0 and #1 so far.
  std::string Holds(int process, uint64_t of0, uint64_t of1,
                    const KeyspaceModel::Versions& versions,
                    uint64_t digest = 0) {
    KeyspaceModel::State state;
    if (of0 > 0) state.context[0] = of0;
    if (of1 > 0) state.context[1] = of1;
    state.versions = versions;
    state.context_digest = of0 * 1000 + of1;
    state.digest = digest;
    state.whole = true;
    return model_.Holds(process, state);
  }

  const Version a_ = {"s0", 0, 1, 0};
  const Version b_ = {"s0", 0, 2, 0};
  KeyspaceModel model_;
};

TEST_F(KeyspaceModelTest, AFollowerHoldsWhatItsLeaderHeldAtThatContext) {
  EXPECT_EQ(Holds(0, 1, 0, {a_}), "");
  EXPECT_EQ(Holds(0, 2, 0, {b_}), "");
  EXPECT_EQ(Holds(1, 1, 0, {a_}), "");
  EXPECT_EQ(model_.Follows(1), "");
  EXPECT_EQ(Holds(1, 2, 0, {b_}), "");
  EXPECT_EQ(model_.Follows(1), "");
}

TEST_F(KeyspaceModelTest, WhatNobodyPutIsFound) {
  EXPECT_THAT(Holds(1, 1, 0, {a_}), HasSubstr("which nobody put"));
}

TEST_F(KeyspaceModelTest, ALostVersionIsFound) {
  EXPECT_EQ(Holds(0, 1, 0, {a_}), "");
  EXPECT_EQ(Holds(1, 1, 0, {}), "");
  EXPECT_THAT(model_.Follows(1), HasSubstr("has lost s0 of #0:1.0"));
}

TEST_F(KeyspaceModelTest, AVersionThatReturnsIsFound) {
  EXPECT_EQ(Holds(0, 1, 0, {a_}), "");
  EXPECT_EQ(Holds(0, 2, 0, {b_}), "");
  EXPECT_EQ(Holds(1, 2, 0, {a_, b_}), "");
  EXPECT_THAT(model_.Follows(1), HasSubstr("holds s0 of #0:1.0 again"));
}

TEST_F(KeyspaceModelTest, AContextThatMovesEarlyIsFound) {
  EXPECT_EQ(Holds(0, 1, 0, {a_}), "");
  EXPECT_EQ(Holds(1, 0, 0, {a_}), "");
  EXPECT_THAT(model_.Follows(1), HasSubstr("does not cover"));
}

TEST_F(KeyspaceModelTest, EqualContextsHaveEqualDigests) {
  EXPECT_EQ(Holds(0, 1, 0, {a_}, 7), "");
  EXPECT_EQ(Holds(1, 1, 0, {a_}, 7), "");
  EXPECT_EQ(Holds(0, 2, 0, {b_}, 8), "");
  EXPECT_THAT(Holds(1, 2, 0, {b_}, 9), HasSubstr("another digest"));
}

TEST_F(KeyspaceModelTest, WhatOneStepPutAndRemovedIsFoundInBetween) {
  EXPECT_EQ(Holds(0, 2, 0, {b_}), "");
  EXPECT_EQ(Holds(1, 1, 0, {a_}), "");
  EXPECT_EQ(model_.Follows(1), "");
  EXPECT_EQ(Holds(1, 2, 0, {b_}), "");
  EXPECT_EQ(model_.Follows(1), "");
  EXPECT_EQ(Holds(1, 2, 0, {a_, b_}), "");
  EXPECT_THAT(model_.Follows(1), HasSubstr("again"));
}

TEST_F(KeyspaceModelTest, ARemovalOfWhatTheOtherSideHasChangedIsNone) {
  EXPECT_EQ(Holds(0, 1, 0, {a_}), "");
  EXPECT_EQ(Holds(1, 1, 0, {a_}), "");
  const Version c = {"s0", 1, 1, 0};
  EXPECT_EQ(Holds(1, 1, 1, {c}), "");
  EXPECT_EQ(Holds(0, 2, 0, {}), "");
  // Joined: what #1 put was not seen by #0, which removed only a.
  EXPECT_EQ(Holds(0, 2, 1, {c}), "");
  EXPECT_EQ(model_.Follows(0), "");
  EXPECT_EQ(Holds(0, 2, 1, {}), "");
  EXPECT_THAT(model_.Follows(0), HasSubstr("has lost s0 of #1:1.0"));
}

TEST_F(KeyspaceModelTest, AStepMayRemoveWhatItHasJustTakenIn) {
  EXPECT_EQ(Holds(0, 1, 0, {a_}), "");
  EXPECT_EQ(Holds(1, 0, 0, {}), "");
  // It takes in a, opens its term, and replaces a, all in one step.
  const Version c = {"s0", 1, 1, 0};
  EXPECT_EQ(Holds(1, 1, 1, {c}), "");
  EXPECT_EQ(model_.Follows(1), "");
}

TEST_F(KeyspaceModelTest, AnEffectOfTwoMutationsWasExecutedTwice) {
  EXPECT_EQ(model_.Executed("v1", 0, 4, 5), "");
  EXPECT_EQ(model_.Executed("v1", 0, 3, 7), "");
  EXPECT_THAT(model_.Executed("v1", 0, 5, 6), StartsWith("K3"));
  EXPECT_THAT(model_.Executed("v1", 1, 4, 5), StartsWith("K3"));
}

TEST_F(KeyspaceModelTest, WhatIsRefusedIsNotExecuted) {
  EXPECT_EQ(model_.Refused("v1"), "");
  EXPECT_THAT(model_.Executed("v1", 0, 0, 1), StartsWith("K3"));
  EXPECT_EQ(model_.Executed("v2", 0, 1, 2), "");
  EXPECT_THAT(model_.Refused("v2"), StartsWith("K3"));
}

TEST_F(KeyspaceModelTest, WhatIsAcknowledgedIsAppliedThere) {
  EXPECT_EQ(Holds(0, 1, 0, {a_}), "");
  EXPECT_EQ(Holds(1, 0, 0, {}), "");
  EXPECT_THAT(model_.Acknowledged("v1", 0), HasSubstr("not executed"));
  EXPECT_EQ(model_.Executed("v1", a_), "");
  EXPECT_THAT(model_.Acknowledged("v1", 1), HasSubstr("not applied"));
  EXPECT_EQ(model_.Acknowledged("v1", 0), "");
  EXPECT_EQ(model_.Holders("v1"), 1);
}

TEST_F(KeyspaceModelTest, AnAcknowledgedWriteMayGoOnlyWithTwoFailures) {
  for (const bool alone : {false, true}) {
    model_ = KeyspaceModel();
    EXPECT_EQ(Holds(0, 1, 0, {a_}), "");
    EXPECT_EQ(Holds(1, 0, 0, {}), "");
    EXPECT_EQ(model_.Executed("v1", a_), "");
    EXPECT_EQ(model_.Acknowledged("v1", 0), "");
    const std::string lost = model_.Gone(0, alone);
    if (alone) {
      EXPECT_THAT(lost, StartsWith("K2: v1"));
    } else {
      EXPECT_EQ(lost, "");
      EXPECT_EQ(model_.Settled(1), "");
    }
  }
}

TEST_F(KeyspaceModelTest, WhatSomebodyStillHadMustNotBeLost) {
  EXPECT_EQ(Holds(0, 1, 0, {a_}), "");
  EXPECT_EQ(Holds(1, 1, 0, {a_}), "");
  EXPECT_EQ(Holds(2, 0, 0, {}), "");
  EXPECT_EQ(model_.Executed("v1", a_), "");
  EXPECT_EQ(model_.Acknowledged("v1", 0), "");
  EXPECT_EQ(model_.Gone(0, true), "");
  EXPECT_THAT(model_.Settled(2), StartsWith("K2: v1"));
}

TEST_F(KeyspaceModelTest, APopThatIsLostIsFound) {
  EXPECT_EQ(Holds(0, 1, 0, {a_}), "");
  EXPECT_EQ(Holds(1, 1, 0, {a_}), "");
  EXPECT_EQ(model_.Executed("v1", a_), "");
  EXPECT_THAT(model_.Popped("v1", 0), HasSubstr("no removal"));
  EXPECT_EQ(Holds(0, 2, 0, {}), "");
  EXPECT_EQ(model_.Popped("v1", 0), "");
  EXPECT_TRUE(model_.WasPopped("v1"));
  EXPECT_THAT(model_.Settled(1), HasSubstr("the removal of s0"));
}

TEST_F(KeyspaceModelTest, AVersionThatIsGoneIsSeenOnlyByWhoHasNotComeSoFar) {
  EXPECT_EQ(Holds(0, 1, 0, {a_}), "");
  EXPECT_EQ(Holds(0, 2, 0, {}), "");
  EXPECT_EQ(model_.Settled(0), "");
  EXPECT_EQ(Holds(1, 1, 0, {a_}), "");
  EXPECT_EQ(Holds(1, 2, 0, {}), "");
  EXPECT_THAT(Holds(2, 2, 0, {a_}), StartsWith("K1: #2 holds s0"));
}

TEST_F(KeyspaceModelTest, AnEffectThatItsTransactionUndidNeedsNoMutation) {
  EXPECT_EQ(Holds(0, 1, 0, {a_}), "");
  model_.MayBeUndone("v1");
  EXPECT_EQ(model_.Acknowledged("v1", 0), "");
  EXPECT_EQ(model_.Executed("v2", a_), "");
  model_.MayBeUndone("v2");
  EXPECT_EQ(Holds(1, 0, 0, {}), "");
  EXPECT_THAT(model_.Acknowledged("v2", 1), HasSubstr("not applied"));
}

TEST_F(KeyspaceModelTest, ACounterIsTheSumOfWhatWasExecuted) {
  const std::vector<std::string> effects = {"c+1", "c+4", "c+16"};
  EXPECT_EQ(Holds(0, 9, 0, {}), "");
  EXPECT_EQ(model_.Executed("c+1", 0, 0, 1), "");
  EXPECT_EQ(model_.Executed("c+16", 0, 1, 2), "");
  EXPECT_EQ(model_.Acknowledged("c+16", 0), "");
  EXPECT_EQ(model_.Counted("c", 17, effects), "");
  EXPECT_EQ(model_.Counted("c", 16, effects), "");
  EXPECT_THAT(model_.Counted("c", 1, effects), HasSubstr("acknowledged"));
  EXPECT_THAT(model_.Counted("c", 18, effects), HasSubstr("2 times"));
  EXPECT_THAT(model_.Counted("c", 21, effects), HasSubstr("not executed"));
  EXPECT_THAT(model_.Counted("c", 81, effects), HasSubstr("more than"));
}

// ------------------------------------------------------------------ deadlines

constexpr int64_t kMs = 1000;

TEST(KeyDeadlinesTest, AKeyIsThereUntilItIsDueAndNoLonger) {
  KeyDeadlines deadlines(10 * kMs);
  const auto set = [&](int64_t at) {
    return deadlines.Answered({"SET", "e", "v", "PX", "100"}, "+OK", at,
                              at + 5 * kMs);
  };
  const auto get = [&](const char* result, int64_t at) {
    return deadlines.Answered({"GET", "e"}, result, at, at + kMs);
  };
  EXPECT_EQ(set(0), "");
  EXPECT_EQ(get("$v", 50 * kMs), "");
  EXPECT_THAT(get("_", 50 * kMs), StartsWith("K9"));
  EXPECT_EQ(get("_", 100 * kMs), "");
  EXPECT_EQ(get("$v", 100 * kMs), "");
  EXPECT_THAT(get("$v", 200 * kMs), StartsWith("K9"));
}

TEST(KeyDeadlinesTest, ALockIsGrantedOnceAtATime) {
  KeyDeadlines deadlines(10 * kMs);
  const std::vector<std::string> lock = {"SET", "e", "v", "NX", "PX", "100"};
  EXPECT_EQ(deadlines.Answered(lock, "+OK", 0, kMs), "");
  EXPECT_EQ(deadlines.Answered(lock, "_", 10 * kMs, 11 * kMs), "");
  EXPECT_THAT(deadlines.Answered(lock, "+OK", 20 * kMs, 21 * kMs),
              StartsWith("K9"));
  deadlines.Forget("e");
  EXPECT_EQ(deadlines.Answered(lock, "+OK", 22 * kMs, 23 * kMs), "");
}

TEST(KeyDeadlinesTest, PersistedIsForeverAndRefreshedIsLater) {
  KeyDeadlines deadlines(10 * kMs);
  const std::vector<std::string> get = {"GET", "e"};
  EXPECT_EQ(deadlines.Answered({"SET", "e", "v", "PX", "100"}, "+OK", 0, kMs),
            "");
  EXPECT_EQ(
      deadlines.Answered({"PEXPIRE", "e", "500"}, ":1", 50 * kMs, 51 * kMs),
      "");
  EXPECT_THAT(deadlines.Answered(get, "_", 300 * kMs, 301 * kMs),
              StartsWith("K9"));
  EXPECT_EQ(deadlines.Answered({"PERSIST", "e"}, ":1", 310 * kMs, 311 * kMs),
            "");
  EXPECT_THAT(deadlines.Answered(get, "_", 9000 * kMs, 9001 * kMs),
              StartsWith("K9"));
}

}  // namespace
}  // namespace muster::sim
