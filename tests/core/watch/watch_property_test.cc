// Random changes, watches of every scope, slow readers and reconnects: what
// each client has built from its messages is what the store shows, whenever
// nothing is on its way. What one is told of keys is what the entries give, at
// every version (TestClient).
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/core/watch/watch_fixture.h"

namespace muster::core {
namespace {

using crdt::RowIdx;

class Chaos {
 public:
  Chaos(WatchOptions options, uint64_t seed, WatchStep step)
      : world_(options, seed, step), random_(seed) {}

  void Run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      Step();
      if (i % 200 == 199) CheckAtRest();
    }
    CheckAtRest();
  }

  WatchWorld& world() { return world_; }
  size_t reopened() const { return reopened_; }

 private:
  uint64_t Pick(uint64_t n) { return random_() % n; }
  std::string Topic() {
    return absl::StrCat(Pick(2) == 0 ? "room:" : "ro", Pick(6));
  }
  std::string Key() { return absl::StrCat("u", Pick(12)); }
  std::string Meta() {
    const size_t size = Pick(20) == 0 ? 3000 : Pick(30);
    return std::string(size, static_cast<char>('a' + Pick(26)));
  }

  WatchRequest RandomRequest() {
    WatchRequest request;
    switch (Pick(4)) {
      case 0:
        request = Topics({Topic()});
        break;
      case 1:
        request = Topics({Topic(), Topic(), Topic(), "never"});
        break;
      case 2:
        request = Prefix(Pick(2) == 0 ? "ro" : "room:");
        break;
      default:
        request = Keys({Key(), Key(), Key()});
    }
    switch (Pick(4)) {
      case 0:
        request.detail = WatchDetail::kKeys;
        break;
      case 1:
        request.detail = WatchDetail::kEntriesAndKeys;
        break;
      default:
        break;
    }
    if (Pick(4) == 0) {
      request = CountsOf(request, absl::Milliseconds(100 + 50 * Pick(3)));
    }
    return request;
  }

  void ChangeRow() {
    const size_t i = Pick(rows_.size());
    const RowIdx row = rows_[i];
    switch (Pick(6)) {
      case 0:
      case 1:
        world_.Update(row, Meta());
        break;
      case 2:
        world_.store.shown(row) ? world_.store.Hide(row)
                                : world_.store.Show(row);
        break;
      case 3:
        Adopt(row);
        break;
      default:
        world_.Remove(row);
        rows_[i] = rows_.back();
        rows_.pop_back();
    }
  }

  // Another copy takes the place of a shown row, with its ref or a later one.
  void Adopt(RowIdx row) {
    if (!world_.store.shown(row)) return;
    const std::string topic(world_.store.topic(row));
    const std::string key(world_.store.key(row));
    const crdt::Ref ref = Pick(2) == 0 ? world_.store.ref(row) : crdt::Ref{};
    const RowIdx other =
        world_.Add(topic, key, std::string(world_.store.meta(row)), false,
                   static_cast<int>(Pick(2)), ref);
    world_.store.Transfer(row, other);
    // Were it shown again, two shown rows might have one ref.
    for (RowIdx& r : rows_) {
      if (r == row) r = other;
    }
    world_.Remove(row);
  }

  void Step() {
    switch (Pick(16)) {
      case 0:
        if (world_.clients.size() < 40) world_.Open(RandomRequest());
        break;
      case 1:
        if (!world_.clients.empty()) Reconnect();
        break;
      case 2:
        world_.RunSlice();
        break;
      case 3:
      case 4:
        world_.Tick(absl::Milliseconds(Pick(60)));
        break;
      case 5:
      case 6:
        if (!world_.clients.empty()) {
          auto& client = *world_.clients[Pick(world_.clients.size())];
          world_.Read(client, 1 + Pick(6));
        }
        break;
      default:
        for (uint64_t n = Pick(6); n > 0; --n) {
          if (rows_.size() < 30 || Pick(3) == 0) {
            // One after the other, so that every compiler draws the same.
            const std::string topic = Topic();
            const std::string key = Key();
            rows_.push_back(world_.Add(topic, key, Meta()));
          } else {
            ChangeRow();
          }
        }
        if (Pick(4) != 0) world_.Flush();
    }
    world_.Deliver();
  }

  void Reconnect() {
    TestClient& client = *world_.clients[Pick(world_.clients.size())];
    // One that broke off within a state or a diff of several parts is not
    // where its version says, and would be told twice.
    if (!client.at_version) client.version = 0;
    world_.Reopen(client);
    ++reopened_;
  }

  void CheckAtRest() {
    world_.Settle();
    for (int i = 0; i < 60; ++i) world_.Tick();
    world_.Settle();
    ASSERT_EQ(world_.store.Audit(), "");
    for (const auto& client : world_.clients) {
      ASSERT_TRUE(client->complete);
      if (!client->request.counts_only) {
        const Roster shown = world_.Shown(client->request);
        if (client->request.detail != WatchDetail::kKeys) {
          ASSERT_EQ(client->roster, shown);
        }
        if (client->request.detail != WatchDetail::kEntries) {
          ASSERT_EQ(client->keys, KeysOf(shown));
        }
        continue;
      }
      Counts expected = world_.Counted(client->request);
      for (const auto& [name, count] : client->counts) {
        ASSERT_EQ(count, expected[name]) << name;
      }
      for (const auto& [name, count] : expected) {
        ASSERT_EQ(client->counts[name], count) << name;
      }
    }
  }

  WatchWorld world_;
  std::mt19937_64 random_;
  std::vector<RowIdx> rows_;
  size_t reopened_ = 0;
};

uint64_t FirstSeed() {
  const char* seed = std::getenv("MUSTER_SEED");
  return seed == nullptr ? 1 : std::strtoull(seed, nullptr, 10);
}

void RunSeeds(const WatchOptions& options, bool lags, bool resumes,
              const WatchStep& step = {}) {
  WatchCounters sum;
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 8; ++seed) {
    SCOPED_TRACE(absl::StrCat("MUSTER_SEED=", seed));
    Chaos chaos(options, seed, step);
    chaos.Run(4000);
    if (testing::Test::HasFailure()) return;
    EXPECT_GT(chaos.reopened(), 0u);
    sum.lagged += chaos.world().hub.counters().lagged;
    sum.resumes += chaos.world().hub.counters().resumes;
  }
  // The runs have been where they were meant to go.
  EXPECT_EQ(sum.lagged > 0, lags);
  EXPECT_EQ(sum.resumes > 0, resumes);
}

TEST(WatchPropertyTest, ClientsHoldWhatIsShown) {
  RunSeeds({.history = 4096, .max_queued = 1'000'000}, /*lags=*/false,
           /*resumes=*/true);
}

TEST(WatchPropertyTest, SlowClientsHoldWhatIsShown) {
  RunSeeds({.history = 4096, .max_queued = 5}, true, true);
}

TEST(WatchPropertyTest, ClientsHoldWhatIsShownWhenTheRingIsShort) {
  RunSeeds({.history = 20, .max_queued = 2}, true, true);
}

TEST(WatchPropertyTest, ClientsHoldWhatIsShownWhenEveryStepIsSmall) {
  for (size_t messages : {1, 7, 30}) {
    RunSeeds({.history = 4096, .max_queued = 1'000'000}, false, true,
             {.messages = messages, .names = 1});
  }
}

TEST(WatchPropertyTest, SlowClientsHoldWhatIsShownWhenEveryStepIsSmall) {
  for (size_t messages : {1, 7, 30}) {
    RunSeeds({.history = 20, .max_queued = 2}, true, true,
             {.messages = messages, .names = 1});
  }
}

TEST(WatchPropertyTest, ClientsHoldWhatIsShownWithoutHistory) {
  RunSeeds({.history = 1, .max_queued = 1}, true, true);
}

}  // namespace
}  // namespace muster::core
