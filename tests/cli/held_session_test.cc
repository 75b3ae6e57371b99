#include "muster/client/held_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/cli/fake_node.h"

namespace muster::client {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<HeldEntry> Entries(size_t n) {
  std::vector<HeldEntry> entries;
  for (size_t i = 0; i < n; ++i) {
    entries.push_back({"room", absl::StrCat("u", i), "{}"});
  }
  return entries;
}

// A session that runs on a thread, and what it says.
class Running {
 public:
  Running(std::vector<std::string> addresses, std::vector<HeldEntry> entries,
          absl::Duration patience = absl::Seconds(5))
      : connection_({.addresses = std::move(addresses), .patience = patience}),
        session_(&connection_, {.grace = absl::Seconds(5)},
                 std::move(entries)) {
    thread_ = std::thread([this] {
      HeldSession::Observer observer;
      observer.on_held = [this](size_t held) {
        absl::MutexLock lock(&mutex_);
        held_.push_back(held);
      };
      observer.on_refused = [this](const HeldEntry& entry,
                                   const absl::Status& status) {
        absl::MutexLock lock(&mutex_);
        refused_.push_back(absl::StrCat(entry.key, ": ", status.message()));
      };
      observer.on_evicted = [this](const HeldEntry& entry,
                                   const std::string& reason, size_t held) {
        absl::MutexLock lock(&mutex_);
        evicted_.push_back(absl::StrCat(entry.key, ": ", reason, ", ", held));
      };
      observer.on_note = [this](const std::string& note) {
        absl::MutexLock lock(&mutex_);
        notes_.push_back(note);
      };
      const absl::Status status = session_.Run(observer);
      absl::MutexLock lock(&mutex_);
      result_ = status;
      done_ = true;
    });
  }
  ~Running() {
    session_.Stop();
    if (thread_.joinable()) thread_.join();
  }

  // Waits until the session has been held `n` times.
  std::vector<size_t> WaitHeld(size_t n) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return held_.size() >= n || done_;
    };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&enough), kDeadline));
    return held_;
  }
  std::vector<std::string> WaitEvicted(size_t n) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return evicted_.size() >= n || done_;
    };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&enough), kDeadline));
    return evicted_;
  }
  absl::Status Stop() {
    session_.Stop();
    return Join();
  }
  absl::Status Join() {
    thread_.join();
    absl::MutexLock lock(&mutex_);
    return result_;
  }
  HeldSession& session() { return session_; }
  std::vector<std::string> refused() {
    absl::MutexLock lock(&mutex_);
    return refused_;
  }
  std::vector<std::string> notes() {
    absl::MutexLock lock(&mutex_);
    return notes_;
  }

 private:
  Connection connection_;
  HeldSession session_;
  std::thread thread_;
  absl::Mutex mutex_;
  std::vector<size_t> held_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> evicted_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> refused_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> notes_ ABSL_GUARDED_BY(mutex_);
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status result_ ABSL_GUARDED_BY(mutex_);
};

TEST(HeldSessionTest, TracksInBatchesAndSaysOnceThatAllIsHeld) {
  FakeWorld world;
  FakeNode node("a", &world);
  Running session({node.address()}, Entries(1200));
  EXPECT_THAT(session.WaitHeld(1), ElementsAre(1200));
  std::vector<int> sizes;
  for (const auto& request : node.requests()) {
    sizes.push_back(request.track_size());
  }
  EXPECT_THAT(sizes, ElementsAre(0, 500, 500, 200));
  EXPECT_EQ(node.requests()[0].open().grace_ms(), 5000u);
  EXPECT_TRUE(session.Stop().ok());
}

TEST(HeldSessionTest, StopEndsTheEntriesAtOnce) {
  FakeWorld world;
  FakeNode node("a", &world);
  Running session({node.address()}, Entries(3));
  session.WaitHeld(1);
  EXPECT_EQ(world.entries(), 3u);
  EXPECT_TRUE(session.Stop().ok());
  EXPECT_EQ(world.entries(), 0u);
  EXPECT_TRUE(world.HasEnded("token of a"));
}

TEST(HeldSessionTest, ResumesElsewhereAndTracksAgainOnlyWhatIsMissing) {
  FakeWorld world;
  auto a = std::make_unique<FakeNode>("a", &world);
  FakeNode b("b", &world);
  Running session({a->address(), b.address()}, Entries(3));
  session.WaitHeld(1);
  world.Forget("u1");
  a->Kill();
  EXPECT_THAT(session.WaitHeld(2), ElementsAre(3, 3));
  const std::vector<v1::SessionRequest> requests = b.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].resume().token(), "token of a");
  EXPECT_EQ(requests[0].resume().resume_number(), 1u);
  EXPECT_EQ(requests[0].resume().entries_size(), 3);
  ASSERT_EQ(requests[1].track_size(), 1);
  EXPECT_EQ(requests[1].track(0).key(), "u1");
  EXPECT_EQ(session.notes().size(), 2u);  // Lost, and connected again.
  EXPECT_EQ(world.entries(), 3u);
}

TEST(HeldSessionTest, MovesWhenItsNodeSaysThatItIsGoingAway) {
  FakeWorld world;
  FakeNode a("a", &world);
  FakeNode b("b", &world);
  Running session({a.address(), b.address()}, Entries(2));
  session.WaitHeld(1);
  a.Drain();
  EXPECT_THAT(session.WaitHeld(2), ElementsAre(2, 2));
  EXPECT_EQ(b.requests().size(), 1u);
  EXPECT_EQ(world.entries(), 2u);
}

TEST(HeldSessionTest, ASessionThatHasEndedIsBegunAnew) {
  FakeWorld world;
  auto a = std::make_unique<FakeNode>("a", &world);
  FakeNode b("b", &world);
  Running session({a->address(), b.address()}, Entries(2));
  session.WaitHeld(1);
  world.EndSession("token of a");
  a->Kill();
  EXPECT_THAT(session.WaitHeld(2), ElementsAre(2, 2));
  EXPECT_EQ(world.entries(), 2u);
  EXPECT_TRUE(session.Stop().ok());
  EXPECT_TRUE(world.HasEnded("token of b"));
}

TEST(HeldSessionTest, AnEntryThatIsRefusedIsReportedAndTheOthersAreHeld) {
  FakeWorld world;
  FakeNode node("a", &world);
  node.Refuse("u1");
  Running session({node.address()}, Entries(3));
  EXPECT_THAT(session.WaitHeld(1), ElementsAre(2));
  EXPECT_THAT(session.refused(), ElementsAre("u1: refused"));
}

TEST(HeldSessionTest, WithNoNodeToReachItGivesUpAtOnce) {
  FakeWorld world;
  std::string address;
  {
    FakeNode gone("a", &world);
    address = gone.address();
  }
  Running session({address}, Entries(1));
  EXPECT_THAT(session.WaitHeld(1), IsEmpty());
  const absl::Status status = session.Join();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("no node can be reached (" + address));
}

// Of each message: how many entries it tracks.
std::vector<int> BatchesOf(const FakeNode& node) {
  std::vector<int> sizes;
  for (const auto& request : node.requests()) {
    if (request.track_size() > 0) sizes.push_back(request.track_size());
  }
  return sizes;
}

TEST(HeldSessionTest, AMessageIsBoundedByBytesToo) {
  FakeWorld world;
  FakeNode node("a", &world);
  std::vector<HeldEntry> entries = Entries(100);
  for (HeldEntry& entry : entries) entry.meta = std::string(60'000, 'm');
  Running session({node.address()}, entries);
  EXPECT_THAT(session.WaitHeld(1), ElementsAre(100));
  // 1 MiB is 17 of them.
  EXPECT_THAT(BatchesOf(node), ElementsAre(17, 17, 17, 17, 17, 15));
  EXPECT_THAT(session.notes(), IsEmpty());
}

TEST(HeldSessionTest, SendsSmallerMessagesToANodeThatTakesNoLargerOnes) {
  FakeWorld world;
  FakeNode node("a", &world, /*max_message_bytes=*/100'000);
  std::vector<HeldEntry> entries = Entries(20);
  for (HeldEntry& entry : entries) entry.meta = std::string(60'000, 'm');
  Running session({node.address()}, entries);
  EXPECT_THAT(session.WaitHeld(1), ElementsAre(20));
  EXPECT_THAT(BatchesOf(node), Each(1));
}

TEST(HeldSessionTest, SendsFewerOperationsToANodeThatTakesNoMore) {
  FakeWorld world;
  FakeNode node("a", &world);
  node.SetMaxBatch(100);
  Running session({node.address()}, Entries(150));
  EXPECT_THAT(session.WaitHeld(1), ElementsAre(150));
  EXPECT_THAT(BatchesOf(node), ElementsAre(150, 75, 75));
}

TEST(HeldSessionTest, AnEntryThatNoMessageCanHoldEndsTheSessionWithAnError) {
  FakeWorld world;
  FakeNode a("a", &world, /*max_message_bytes=*/100'000);
  FakeNode b("b", &world, /*max_message_bytes=*/100'000);
  Running session({a.address(), b.address()},
                  {{"room", "u1", std::string(200'000, 'm')}});
  EXPECT_THAT(session.WaitHeld(1), IsEmpty());
  const absl::Status status = session.Join();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(b.requests(), IsEmpty());
}

TEST(HeldSessionTest, OpenedAgainAndAgainWithNothingTrackedItGivesUp) {
  FakeWorld world;
  FakeNode node("a", &world);
  node.FailTracks({grpc::StatusCode::INTERNAL, "it does not work"});
  Running session({node.address()}, Entries(1), absl::Milliseconds(300));
  EXPECT_THAT(session.WaitHeld(1), IsEmpty());
  const absl::Status status = session.Join();
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("it does not work"));
  EXPECT_GT(node.requests().size(), 2u);
}

// Waits until the nodes show `shown`, as "key meta" each.
testing::AssertionResult Shows(const FakeWorld& world,
                               const std::vector<std::string>& shown) {
  const absl::Time end = absl::Now() + kDeadline;
  while (world.Shown() != shown) {
    if (absl::Now() > end) {
      return testing::AssertionFailure()
             << "shows " << testing::PrintToString(world.Shown());
    }
    absl::SleepFor(absl::Milliseconds(1));
  }
  return testing::AssertionSuccess();
}

TEST(HeldSessionTest, EntriesAreAddedChangedAndRemovedWhileItRuns) {
  FakeWorld world;
  FakeNode node("a", &world);
  Running running({node.address()}, Entries(1));
  HeldSession& session = running.session();
  running.WaitHeld(1);
  EXPECT_TRUE(session.Track({"room", "bob", "1"}).ok());
  // Each change is said to be held.
  EXPECT_THAT(running.WaitHeld(2), ElementsAre(1, 2));
  EXPECT_THAT(world.Shown(), ElementsAre("bob 1", "u0 {}"));
  EXPECT_TRUE(session.Update("room", "bob", "2").ok());
  EXPECT_THAT(running.WaitHeld(3), ElementsAre(1, 2, 2));
  EXPECT_THAT(world.Shown(), ElementsAre("bob 2", "u0 {}"));
  EXPECT_TRUE(session.Untrack("room", "u0").ok());
  EXPECT_THAT(running.WaitHeld(4), ElementsAre(1, 2, 2, 1));
  EXPECT_THAT(world.Shown(), ElementsAre("bob 2"));
  EXPECT_TRUE(running.Stop().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(session.Track({"room", "eve", ""})));
}

TEST(HeldSessionTest, WhatIsAskedForWithoutANodeIsDoneAtTheNext) {
  FakeWorld world;
  auto a = std::make_unique<FakeNode>("a", &world);
  Running running({a->address()}, Entries(3));
  HeldSession& session = running.session();
  running.WaitHeld(1);
  const std::string home = a->address();
  a->Kill();
  EXPECT_TRUE(session.Untrack("room", "u0").ok());
  EXPECT_TRUE(session.Update("room", "u1", "new").ok());
  EXPECT_TRUE(session.Track({"room", "bob", "1"}).ok());
  EXPECT_EQ(world.entries(), 3u);
  // Another node takes its address.
  a = std::make_unique<FakeNode>("a", &world, 4 << 20, home);
  EXPECT_TRUE(Shows(world, {"bob 1", "u0 {}", "u1 new", "u2 {}"}));
  const std::vector<v1::SessionRequest> requests = a->requests();
  ASSERT_GE(requests.size(), 2u);
  // The resume drops u0 by not naming it; the fake does not.
  EXPECT_EQ(requests[0].resume().entries_size(), 2);
  EXPECT_EQ(requests[1].update_size(), 1);
  EXPECT_EQ(requests[1].track_size(), 1);
  EXPECT_EQ(requests[1].untrack_size(), 0);
  EXPECT_THAT(running.WaitHeld(2), ElementsAre(3, 3));
  EXPECT_EQ(running.notes().size(), 2u);
  EXPECT_EQ(running.notes()[1], "connected again, to " + home);
}

TEST(HeldSessionTest, AMetaThatIsRefusedLeavesTheOneOfBefore) {
  FakeWorld world;
  FakeNode node("a", &world);
  Running running({node.address()}, Entries(1));
  running.WaitHeld(1);
  EXPECT_TRUE(running.session().Update("room", "u0", "refused").ok());
  EXPECT_THAT(running.WaitHeld(2), ElementsAre(1, 1));
  EXPECT_THAT(running.refused(), ElementsAre("u0: no such meta"));
  EXPECT_TRUE(running.session().Update("room", "u0", "good").ok());
  EXPECT_TRUE(Shows(world, {"u0 good"}));
}

TEST(HeldSessionTest, AChangeThatNoMessageCanHoldIsRefusedAndTheRestStays) {
  FakeWorld world;
  FakeNode node("a", &world, /*max_message_bytes=*/100'000);
  Running running({node.address()}, Entries(1));
  running.WaitHeld(1);
  EXPECT_TRUE(
      running.session().Track({"room", "big", std::string(200'000, 'm')}).ok());
  EXPECT_THAT(running.WaitHeld(2), ElementsAre(1, 1));
  EXPECT_EQ(running.refused().size(), 1u);
  EXPECT_TRUE(running.session().Track({"room", "bob", "1"}).ok());
  EXPECT_TRUE(Shows(world, {"bob 1", "u0 {}"}));
  EXPECT_TRUE(running.Stop().ok());
}

TEST(HeldSessionTest, ManyThreadsChangeItAtOnce) {
  FakeWorld world;
  auto a = std::make_unique<FakeNode>("a", &world);
  FakeNode b("b", &world);
  Running running({a->address(), b.address()}, {});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&running, t] {
      HeldSession& session = running.session();
      for (int i = 0; i < 50; ++i) {
        const std::string key = absl::StrCat("t", t, "-", i);
        EXPECT_TRUE(session.Track({"room", key, "1"}).ok());
        EXPECT_TRUE(session.Update("room", key, "2").ok());
        if (i > 0) {
          EXPECT_TRUE(
              session.Untrack("room", absl::StrCat("t", t, "-", i - 1)).ok());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(Shows(world, {"t0-49 2", "t1-49 2", "t2-49 2", "t3-49 2"}));
}

TEST(HeldSessionTest, ALostNodeIsWaitedForAsLongAsItTakesUnlessTold) {
  EXPECT_EQ(HeldSession::Options().give_up, absl::InfiniteDuration());
}

TEST(HeldSessionTest, StopEndsTheEntriesElsewhereIfItsNodeDoesNotAnswer) {
  FakeWorld world;
  FakeNode a("a", &world);
  FakeNode b("b", &world);
  Running session({a.address(), b.address()}, Entries(3));
  session.WaitHeld(1);
  a.FailCloses({grpc::StatusCode::DEADLINE_EXCEEDED, "frozen"});
  b.FailCloses({grpc::StatusCode::ABORTED, "session lives at a"});
  EXPECT_TRUE(session.Stop().ok());
  EXPECT_TRUE(world.HasEnded("token of a"));
  const std::vector<v1::SessionRequest> requests = b.requests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].resume().token(), "token of a");
  EXPECT_EQ(requests[0].resume().resume_number(), 1u);
  EXPECT_EQ(requests[0].resume().entries_size(), 0);
}

TEST(HeldSessionTest, WhatIsEvictedIsToldAndNotTrackedAgainAfterAMove) {
  FakeWorld world;
  FakeNode a("a", &world);
  FakeNode b("b", &world);
  Running session({a.address(), b.address()}, Entries(3));
  session.WaitHeld(1);
  a.Evict("u1", "spam");
  EXPECT_THAT(session.WaitEvicted(1), ElementsAre("u1: spam, 2"));
  a.Drain();
  EXPECT_THAT(session.WaitHeld(2), ElementsAre(3, 2));
  const std::vector<v1::SessionRequest> requests = b.requests();
  ASSERT_GE(requests.size(), 1u);
  EXPECT_EQ(requests[0].resume().entries_size(), 2);
  for (const v1::SessionRequest& request : requests) {
    EXPECT_EQ(request.track_size(), 0);
  }
  EXPECT_EQ(world.entries(), 2u);
}

TEST(HeldSessionTest, StopThatNoNodeHearsOfIsAnError) {
  FakeWorld world;
  FakeNode node("a", &world);
  Running session({node.address()}, Entries(3));
  session.WaitHeld(1);
  node.FailCloses({grpc::StatusCode::DEADLINE_EXCEEDED, "frozen"});
  const absl::Status status = session.Stop();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("their grace is over"));
  EXPECT_EQ(world.entries(), 3u);
}

}  // namespace
}  // namespace muster::client
