// Several nodes under random cuts, one way too, freezes and deaths: what was
// acknowledged is there once all is healed, once, and what was removed is not.
//
// Rerun one seed with MUSTER_KV_SEED=n.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "node/commands/random.h"
#include "tests/core/keyspace/kv_cluster.h"

namespace muster::core {
namespace {

constexpr int kSeeds = 150;

struct Sent {
  int node = 0;
  KvCallId call = 0;
  int life = 0;
  std::string command;
  std::string value;  // Its own, of all that are sent.
};

class Chaos {
 public:
  Chaos(uint64_t seed, bool kills)
      : random_(seed),
        nodes_(static_cast<int>(2 + random_.Below(3))),
        kills_(kills),
        cluster_(nodes_, {}, seed) {
    if (random_.Below(2) == 0) cluster_.doubled = 7;
  }

  void Run() {
    cluster_.RunUntil([&] { return cluster_.IsSettled(); });
    const uint64_t faults = 1 + random_.Below(8);
    for (uint64_t n = 0; n < faults; ++n) {
      Work(500 + random_.Below(3000));
      Fault();
    }
    Work(1000);
    cluster_.Heal();
    for (int n : frozen_) {
      if (cluster_.IsLive(n)) cluster_.Thaw(n);
    }
    for (int n : dead_) cluster_.Start(n);
    frozen_.clear();
    dead_.clear();
    Work(3000);
    ASSERT_TRUE(cluster_.RunUntil([&] { return cluster_.IsSettled(); },
                                  absl::Seconds(20)))
        << cluster_.Describe();
    // What was sent late is unknown after five seconds.
    cluster_.RunFor(absl::Seconds(6));
    ASSERT_TRUE(cluster_.IsSettled()) << cluster_.Describe();
    Check();
  }

 private:
  void Work(uint64_t ms) {
    const absl::Duration end =
        cluster_.time() + absl::Milliseconds(static_cast<int64_t>(ms));
    while (cluster_.time() < end) {
      cluster_.RunFor(
          absl::Milliseconds(static_cast<int64_t>(1 + random_.Below(40))));
      const int node = static_cast<int>(random_.Below(nodes_));
      if (!cluster_.IsLive(node) || frozen_.contains(node)) continue;
      Sent sent;
      sent.node = node;
      sent.value = absl::StrCat("v", sent_.size());
      switch (random_.Below(5)) {
        case 0:
          sent.command = "INCR c";
          break;
        case 1:
          sent.command = absl::StrCat("RPUSH l ", sent.value);
          break;
        case 2:
          sent.command = absl::StrCat("SADD s ", sent.value);
          break;
        case 3:
          sent.command = absl::StrCat("RPUSH q ", sent.value);
          break;
        default:
          sent.command = "LPOP q";
      }
      sent.call = cluster_.Send(node, sent.command);
      sent.life = lives_[node];
      sent_.push_back(sent);
    }
  }

  void Fault() {
    const int a = static_cast<int>(random_.Below(nodes_));
    const int b =
        static_cast<int>((a + 1 + random_.Below(nodes_ - 1)) % nodes_);
    switch (random_.Below(kills_ ? 6 : 5)) {
      case 0:
        return cluster_.CutBoth(a, b);
      case 1:
        return cluster_.Cut(a, b);
      case 2:
        for (int n = 0; n < nodes_; ++n) {
          if (n != a) cluster_.CutBoth(a, n);
        }
        return;
      case 3:
        return cluster_.Heal();
      case 4:
        if (!cluster_.IsLive(a)) return;
        if (frozen_.insert(a).second) return cluster_.Freeze(a);
        frozen_.erase(a);
        return cluster_.Thaw(a);
      default:
        if (!dead_.empty()) {
          const int n = *dead_.begin();
          dead_.erase(dead_.begin());
          return cluster_.Start(n);
        }
        if (frozen_.contains(a)) return;
        ++lives_[a];
        dead_.insert(a);
        killed_ = true;
        cluster_.Kill(a);
    }
  }

  std::vector<std::string> Values(const std::string& command) {
    const std::string text = cluster_.Do(0, command);
    std::vector<std::string> values;
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      const size_t from = line.find('"');
      if (from == absl::string_view::npos) continue;
      values.emplace_back(line.substr(from + 1, line.size() - from - 2));
    }
    return values;
  }

  void CheckElements(const std::string& what, const std::string& prefix,
                     const std::vector<std::string>& values) {
    std::map<std::string, int> there;
    for (const std::string& value : values) ++there[value];
    for (const Sent& sent : sent_) {
      if (sent.command != absl::StrCat(prefix, sent.value)) continue;
      const int count = there[sent.value];
      EXPECT_LE(count, 1) << what << " " << sent.value << " twice";
      const std::string answer = AnswerOf(sent);
      if (answer == "UNAVAILABLE") {
        EXPECT_EQ(count, 0) << what << " " << sent.value << " was refused";
      } else if (answer != "ABORTED" && answer != "" && !killed_) {
        EXPECT_EQ(count, 1) << what << " " << sent.value << " lost: " << answer;
      }
    }
  }

  std::string AnswerOf(const Sent& sent) const {
    const auto at = lives_.find(sent.node);
    if (at != lives_.end() && at->second != sent.life) return "";
    return cluster_.Answer(sent.node, sent.call);
  }

  void Check() {
    for (int n = 0; n < nodes_; ++n) {
      EXPECT_EQ(cluster_.node(n).state().Audit(), "") << n;
    }
    CheckElements("item", "RPUSH l ", Values("LRANGE l 0 -1"));
    CheckElements("member", "SADD s ", Values("SMEMBERS s"));
    int least = 0;
    int most = 0;
    std::set<std::string> popped;
    for (const Sent& sent : sent_) {
      const std::string answer = AnswerOf(sent);
      if (sent.command == "INCR c") {
        const bool done = answer.rfind("(integer)", 0) == 0;
        least += done ? 1 : 0;
        most += answer == "UNAVAILABLE" ? 0 : 1;
      }
      if (sent.command == "LPOP q" && answer.size() > 2 && answer[0] == '"') {
        popped.insert(answer.substr(1, answer.size() - 2));
      }
    }
    int count = 0;
    const std::string text = cluster_.Do(0, "GET c");
    if (text[0] == '"') {
      ASSERT_TRUE(absl::SimpleAtoi(text.substr(1, text.size() - 2), &count));
    }
    if (!killed_) {
      EXPECT_GE(count, least);
    }
    EXPECT_LE(count, most);
    if (killed_) return;
    for (const std::string& value : Values("LRANGE q 0 -1")) {
      EXPECT_FALSE(popped.contains(value)) << value << " is back";
    }
  }

  commands::Random random_;
  const int nodes_;
  const bool kills_;
  KvCluster cluster_;
  std::vector<Sent> sent_;
  std::set<int> frozen_;
  std::set<int> dead_;
  std::map<int, int> lives_;
  bool killed_ = false;
};

class ChaosTest : public testing::TestWithParam<bool> {};

TEST_P(ChaosTest, NothingAcknowledgedIsLostOrDoubled) {
  uint64_t first = 1;
  uint64_t last = kSeeds;
  if (const char* only = std::getenv("MUSTER_KV_SEED")) {
    ASSERT_TRUE(absl::SimpleAtoi(only, &first));
    last = first;
  }
  if (const char* most = std::getenv("MUSTER_KV_LAST_SEED")) {
    ASSERT_TRUE(absl::SimpleAtoi(most, &last));
  }
  for (uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Chaos(seed, GetParam()).Run();
    if (HasFatalFailure()) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Kills, ChaosTest, testing::Bool());

}  // namespace
}  // namespace muster::core
