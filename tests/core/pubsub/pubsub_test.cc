// Pub/sub on several nodes, over a network that the test makes: interest
// streams and mail travel by ways that are slow, cut and lose what is on them.
#include "node/core/pubsub/pubsub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "crdt/interest.h"
#include "tests/core/stream/toy_kind.h"

namespace muster::core {
namespace {

using testing::ElementsAre;

crdt::LifeId Life(int node) { return {0, static_cast<uint64_t>(node) + 1}; }

struct Node {
  explicit Node(const PubSubOptions& options)
      : pubsub(
            options, interest,
            {[this] { return kv; },
             [this](const KvPosition& position) { return kv >= position; }}) {
    streams.AddKind(kToyKind, crdt::InterestGrammar(), interest, 1 << 20);
  }
  StreamTable streams;
  InterestState interest{streams, kToyKind};
  KvPosition kv;
  PubSub pubsub;
  std::map<int, Stream*> of;  // By node.
  std::set<std::pair<SubscriberId, uint64_t>> held;
  // "channel payload" of each subscriber, in order; "missed N" too.
  std::map<SubscriberId, std::vector<std::string>> heard;
};

class World {
 public:
  explicit World(int nodes, PubSubOptions options = {}) {
    for (int i = 0; i < nodes; ++i) {
      nodes_.push_back(std::make_unique<Node>(options));
    }
    for (int i = 0; i < nodes; ++i) {
      for (int j = 0; j < nodes; ++j) {
        Stream& stream = node(i).streams.Add(
            {"n" + std::to_string(j), crdt::Incarnation(1), Life(j)}, kToyKind,
            /*own=*/i == j, Instant{1});
        node(i).of[j] = &stream;
        if (i == j) node(i).pubsub.Begin(stream);
      }
    }
  }
  Node& node(int i) { return *nodes_[i]; }
  int size() const { return static_cast<int>(nodes_.size()); }
  bool cut(int a, int b) const {
    return cuts_.contains({std::min(a, b), std::max(a, b)});
  }
  void Cut(int a, int b) {
    cuts_.insert({std::min(a, b), std::max(a, b)});
    std::erase_if(
        wire_, [&](const OnItsWay& mail) { return cut(mail.from, mail.to); });
  }
  void Heal(int a, int b) {
    cuts_.erase({std::min(a, b), std::max(a, b)});
    node(a).pubsub.OnWayChanged(Life(b));
    node(b).pubsub.OnWayChanged(Life(a));
  }

  bool streams_flow = true;  // False: interest streams stand still.

  // One step of 1 ms; `slow`: the chance in ten that a stream or a mail waits.
  void Step(std::mt19937_64* random = nullptr, uint64_t slow = 0) {
    now_ = now_ + absl::Milliseconds(1);
    const auto waits = [&] {
      return random != nullptr && (*random)() % 10 < slow;
    };
    for (int i = 0; i < size(); ++i) {
      node(i).pubsub.SetTime(now_);
      node(i).pubsub.SetUp(Up(i));
      Deliver(i);
      node(i).pubsub.Tick();
      Flush(i);
    }
    for (int i = 0; i < size(); ++i) {
      for (int j = 0; j < size(); ++j) {
        if (streams_flow && i != j && !cut(i, j) && !waits()) Replicate(i, j);
      }
    }
    for (size_t n = wire_.size(); n > 0; --n) {
      OnItsWay mail = std::move(wire_.front());
      wire_.pop_front();
      if (waits()) {
        // It keeps its place behind what is on the same way.
        kept_.push_back(std::move(mail));
      } else {
        bool behind = false;
        for (const OnItsWay& other : kept_) {
          behind |= other.from == mail.from && other.to == mail.to;
        }
        if (behind) {
          kept_.push_back(std::move(mail));
        } else {
          Arrive(mail);
        }
      }
    }
    wire_.insert(wire_.begin(), std::make_move_iterator(kept_.begin()),
                 std::make_move_iterator(kept_.end()));
    kept_.clear();
  }
  void Run(int steps) {
    for (int i = 0; i < steps; ++i) Step();
  }
  std::vector<uint64_t> Publish(int at, const std::string& channel,
                                const std::string& payload) {
    auto batch = std::make_shared<MessageBatch>();
    batch->messages.push_back(
        {batch->arena.Copy(channel), batch->arena.Copy(payload)});
    node(at).pubsub.SetTime(now_);
    auto met = node(at).pubsub.Publish(batch);
    EXPECT_TRUE(met.ok()) << met.status();
    return met.ok() ? *met : std::vector<uint64_t>();
  }
  uint64_t Subscribe(int at, SubscriberId id, const SubscribeRequest& names) {
    node(at).pubsub.SetTime(now_);
    EXPECT_TRUE(node(at).pubsub.Subscribe(id, ++request_, names).empty());
    return request_;
  }
  bool Held(int at, SubscriberId id, uint64_t request) {
    return node(at).held.contains({id, request});
  }
  uint64_t Counter(int at, const std::string& name) {
    for (const auto& [counter, value] : node(at).pubsub.Counters()) {
      if (counter == name) return value;
    }
    return ~uint64_t{0};
  }

 private:
  struct OnItsWay {
    int from;
    int to;
    PubSubMail mail;
  };

  // A node that is cut off is taken for down at once, and for up once healed.
  std::vector<Confirmations::Up> Up(int at) {
    std::vector<Confirmations::Up> up;
    for (int j = 0; j < size(); ++j) {
      if (j != at && !cut(at, j)) up.push_back({Life(j), false});
    }
    return up;
  }
  void Deliver(int i) {
    std::vector<MessageDelivery> out;
    node(i).pubsub.RunJob(out);
    for (const MessageDelivery& delivery : out) {
      for (SubscriberId id : delivery.subscribers) {
        std::vector<std::string>& heard = node(i).heard[id];
        if (delivery.missed > 0) {
          heard.push_back("missed " + std::to_string(delivery.missed));
        }
        for (size_t n = 0; n < delivery.run.count; ++n) {
          const Message& message =
              delivery.run.batch->messages[delivery.run.first + n];
          heard.push_back(std::string(message.channel) + " " +
                          std::string(message.payload));
        }
      }
    }
  }
  void Flush(int i) {
    std::vector<PubSubMail> mail;
    std::vector<SubscribeHeld> held;
    node(i).pubsub.Flush(mail, held);
    for (const SubscribeHeld& h : held) {
      node(i).held.insert({h.subscriber, h.request});
    }
    for (PubSubMail& item : mail) {
      const int to = static_cast<int>(item.to.lo) - 1;
      if (!cut(i, to)) wire_.push_back({i, to, std::move(item)});
    }
  }
  // What j has not applied of i's stream.
  void Replicate(int i, int j) {
    Stream& copy = *node(j).of[i];
    crdt::MutationLog::Cursor cursor{copy.vv};
    auto& log = node(i).streams.log(kToyKind);
    while (auto run = log.Read(node(i).of[i]->idx, cursor, 1 << 16)) {
      absl::string_view bytes = run->bytes;
      ASSERT_TRUE(node(j).interest.ApplyRun(
          copy, bytes, run->first, crdt::Seq(run->first.value + run->count)));
    }
  }
  void Arrive(const OnItsWay& mail) {
    PubSub& to = node(mail.to).pubsub;
    const crdt::LifeId from = Life(mail.from);
    to.SetTime(now_);
    if (const auto* frame = std::get_if<MailFrame>(&mail.mail.body)) {
      to.OnMail(from, *frame);
    } else if (const auto* ack = std::get_if<MailAck>(&mail.mail.body)) {
      to.OnMailAck(from, *ack);
    } else if (const auto* applied =
                   std::get_if<InterestApplied>(&mail.mail.body)) {
      to.OnApplied(from, *applied);
    } else {
      to.OnAsk(from);
    }
  }

  std::vector<std::unique_ptr<Node>> nodes_;
  std::set<std::pair<int, int>> cuts_;
  std::deque<OnItsWay> wire_;
  std::vector<OnItsWay> kept_;
  Instant now_{1'000'000'000};
  uint64_t request_ = 0;
};

SubscribeRequest To(const std::string& channel) {
  SubscribeRequest request;
  request.subscribe.push_back(channel);
  return request;
}

TEST(PubSubTest, AMessageReachesASubscriberOfAnotherNode) {
  World world(2);
  const SubscriberId id = *world.node(1).pubsub.Open(false);
  const uint64_t request = world.Subscribe(1, id, To("news"));
  EXPECT_FALSE(world.Held(1, id, request));
  world.Run(10);
  ASSERT_TRUE(world.Held(1, id, request));
  EXPECT_THAT(world.Publish(0, "news", "x"), ElementsAre(1));
  EXPECT_THAT(world.Publish(0, "other", "x"), ElementsAre(0));
  world.Run(10);
  EXPECT_THAT(world.node(1).heard[id], ElementsAre("news x"));
}

TEST(PubSubTest, ASubscribeIsNotAnsweredWhileANodeHasNotHeardOfIt) {
  World world(2);
  const SubscriberId id = *world.node(1).pubsub.Open(false);
  world.streams_flow = false;
  const uint64_t request = world.Subscribe(1, id, To("news"));
  world.Run(50);
  EXPECT_FALSE(world.Held(1, id, request));
  world.streams_flow = true;
  world.Run(10);
  EXPECT_TRUE(world.Held(1, id, request));
}

// What a node hides finds nobody there, however far it has applied it.
TEST(PubSubTest, ASubscribeIsNotAnsweredWhileANodeHidesTheStream) {
  World world(2);
  Stream& at_other = *world.node(0).of[1];
  ASSERT_TRUE(at_other.visibility.OnGone());
  const SubscriberId id = *world.node(1).pubsub.Open(false);
  const uint64_t request = world.Subscribe(1, id, To("news"));
  world.Run(400);
  EXPECT_FALSE(world.Held(1, id, request));
  at_other.visibility.OnAlive(at_other.vv, Instant{});
  ASSERT_TRUE(at_other.visibility.ShowIfCaughtUp(at_other.vv, true, Instant{}));
  world.node(0).streams.Settle(at_other);
  world.Run(10);
  EXPECT_TRUE(world.Held(1, id, request));
  EXPECT_THAT(world.Publish(0, "news", "x"), ElementsAre(1));
}

// It comes back as the life that it was, and goes on with its numbers.
TEST(PubSubTest, WhatAForgottenNodeHadSentIsNotMissing) {
  World world(2);
  const SubscriberId id = *world.node(1).pubsub.Open(/*gaps=*/true);
  world.Subscribe(1, id, To("news"));
  world.Run(10);
  for (const char* payload : {"1", "2", "3"}) {
    world.Publish(0, "news", payload);
  }
  world.Run(10);
  world.node(1).pubsub.OnForgotten(Life(0));
  world.Publish(0, "news", "4");
  world.Run(10);
  EXPECT_THAT(world.node(1).heard[id],
              ElementsAre("news 1", "news 2", "news 3", "news 4"));
}

TEST(PubSubTest, ANodeThatIsCutOffIsNotWaitedFor) {
  World world(3);
  world.Cut(0, 1);
  world.Cut(0, 2);
  const SubscriberId id = *world.node(1).pubsub.Open(false);
  const uint64_t request = world.Subscribe(1, id, To("news"));
  world.Run(20);
  EXPECT_TRUE(world.Held(1, id, request));
  world.Heal(0, 1);
  world.Heal(0, 2);
  world.Run(20);
  EXPECT_THAT(world.Publish(0, "news", "x"), ElementsAre(1));
}

TEST(PubSubTest, WhatALostAnswerSaidIsAskedForAgain) {
  World world(2);
  const SubscriberId id = *world.node(1).pubsub.Open(false);
  const uint64_t request = world.Subscribe(1, id, To("news"));
  world.Run(2);
  // The stream is there, and the word of it is lost on its way.
  world.Cut(0, 1);
  world.Heal(0, 1);
  world.Run(400);
  EXPECT_TRUE(world.Held(1, id, request));
}

// A reply that comes before the asker's subscription waits for it.
TEST(PubSubTest, AMessageWaitsForItsPublishersInterest) {
  World world(2);
  const SubscriberId here = *world.node(1).pubsub.Open(false);
  world.Subscribe(1, here, To("questions"));
  world.Run(10);
  const SubscriberId asker = *world.node(0).pubsub.Open(false);
  world.Subscribe(0, asker, To("answers"));
  world.Publish(0, "questions", "?");
  // Mail is faster than the stream, for a while.
  world.streams_flow = false;
  world.Run(50);
  EXPECT_TRUE(world.node(1).heard[here].empty());
  world.streams_flow = true;
  world.Run(10);
  ASSERT_THAT(world.node(1).heard[here], ElementsAre("questions ?"));
  EXPECT_THAT(world.Publish(1, "answers", "!"), ElementsAre(1));
  world.Run(10);
  EXPECT_THAT(world.node(0).heard[asker], ElementsAre("answers !"));
  EXPECT_EQ(world.Counter(1, "messages_out_of_order"), 0u);
}

// What has come and finds no room waits for it: it is not lost.
TEST(PubSubTest, AMessageWaitsForTheWritesOfItsPublishersNode) {
  World world(2);
  const SubscriberId id = *world.node(1).pubsub.Open(false);
  world.Subscribe(1, id, To("news"));
  world.Run(10);
  world.node(0).kv = {{1, Life(0)}, crdt::Seq(7)};
  world.Publish(0, "news", "x");
  world.Run(100);
  EXPECT_TRUE(world.node(1).heard[id].empty());
  world.node(1).kv = {{1, Life(0)}, crdt::Seq(7)};
  world.Run(10);
  EXPECT_THAT(world.node(1).heard[id], ElementsAre("news x"));
}

TEST(PubSubTest, AMessageWaitsForWritesNoLongerThanTwoSeconds) {
  World world(2);
  const SubscriberId id = *world.node(1).pubsub.Open(false);
  world.Subscribe(1, id, To("news"));
  world.Run(10);
  world.node(0).kv = {{1, Life(0)}, crdt::Seq(7)};
  world.Publish(0, "news", "x");
  world.Run(1900);
  EXPECT_TRUE(world.node(1).heard[id].empty());
  world.Run(200);
  EXPECT_THAT(world.node(1).heard[id], ElementsAre("news x"));
  EXPECT_EQ(world.Counter(1, "messages_out_of_order"), 1u);
}

TEST(PubSubTest, MailThatFindsNoRoomWaits) {
  PubSubOptions options;
  options.max_undelivered_bytes = 100;
  options.mail.frame_bytes = 1;
  World world(2, options);
  const SubscriberId id = *world.node(1).pubsub.Open(/*gaps=*/true);
  world.Subscribe(1, id, To("news"));
  world.Run(10);
  const std::string small(40, 's');
  const std::string large(90, 'l');
  world.Publish(0, "news", small);
  world.Publish(0, "news", large);
  world.Run(20);
  EXPECT_THAT(world.node(1).heard[id],
              ElementsAre("news " + small, "news " + large));
  EXPECT_EQ(world.Counter(1, "messages_dropped"), 0u);
}

TEST(PubSubTest, WhatACutLosesIsCountedAndTold) {
  World world(2);
  const SubscriberId id = *world.node(1).pubsub.Open(/*gaps=*/true);
  world.Subscribe(1, id, To("news"));
  world.Run(10);
  world.Publish(0, "news", "1");
  world.Run(10);
  world.Publish(0, "news", "2");
  world.Step();
  world.Cut(0, 1);
  world.Publish(0, "news", "3");
  world.Run(3);
  world.Heal(0, 1);
  world.Publish(0, "news", "4");
  world.Run(20);
  const std::vector<std::string>& heard = world.node(1).heard[id];
  ASSERT_FALSE(heard.empty());
  EXPECT_EQ(heard.front(), "news 1");
  EXPECT_EQ(heard.back(), "news 4");
  uint64_t told = 0;
  uint64_t come = 0;
  for (const std::string& line : heard) {
    if (line.starts_with("missed ")) {
      told += std::stoull(line.substr(7));
    } else {
      ++come;
    }
  }
  EXPECT_EQ(told + come, 4u);
  EXPECT_EQ(world.Counter(1, "messages_missed"), told);
}

TEST(PubSubTest, PastItsLimitsAPublishIsRefusedAndNamesTheFlag) {
  PubSubOptions options;
  options.max_undelivered_bytes = 100;
  options.max_subscribers = 1;
  options.max_names_per_subscriber = 1;
  World world(1, options);
  const SubscriberId id = *world.node(0).pubsub.Open(false);
  const auto second = world.node(0).pubsub.Open(false);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kResourceExhausted);
  SubscribeRequest two;
  two.subscribe = {"a", "b"};
  two.unsubscribe = {"never"};
  const auto errors = world.node(0).pubsub.Subscribe(id, 1, two);
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_EQ(errors[0].status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(errors[1].status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(errors[1].index, 1u);
  world.Run(5);
  world.Publish(0, "a", std::string(90, 'x'));
  auto batch = std::make_shared<MessageBatch>();
  batch->messages.push_back(
      {batch->arena.Copy("a"), batch->arena.Copy(std::string(90, 'x'))});
  const auto refused = world.node(0).pubsub.Publish(batch);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.status().message()),
              testing::HasSubstr("--max-undelivered-bytes"));
}

// A client that the property test drives, and what it must and must not hear.
struct Subscriber {
  int at;
  SubscriberId id;
  uint64_t request = 0;
  bool subscribed = false;
  std::set<std::string> owed;
  // What was published once an unsubscribe was answered.
  std::set<std::string> forbidden;
};

// `heard`: "c NODE:NUMBER" each.
void CheckHeard(const Subscriber& s, const std::vector<std::string>& heard) {
  std::map<char, uint64_t> last;
  std::set<std::string> payloads;
  for (const std::string& line : heard) {
    const std::string payload = line.substr(2);
    EXPECT_TRUE(payloads.insert(payload).second) << "twice: " << payload;
    const uint64_t number = std::stoull(payload.substr(2));
    EXPECT_GT(number, last[payload[0]]) << "out of order";
    last[payload[0]] = number;
    EXPECT_FALSE(s.forbidden.contains(payload))
        << "after its unsubscribe: " << payload;
  }
  for (const std::string& payload : s.owed) {
    EXPECT_TRUE(payloads.contains(payload)) << "never came: " << payload;
  }
}

// Three nodes, random subscriptions, publishes, lags and cuts. Of each
// subscriber: nothing twice, each publisher's order, nothing of what it had
// unsubscribed and was told so, and all of what was published in a whole
// cluster after its subscribe was answered and before its unsubscribe.
TEST(PubSubTest, NothingTwiceNothingOutOfOrderAndAllOfWhatHolds) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    std::mt19937_64 random(seed);
    World world(3);
    std::vector<Subscriber> subscribers;
    for (int i = 0; i < 6; ++i) {
      const int at = i % 3;
      subscribers.push_back({at, *world.node(at).pubsub.Open(false)});
    }
    std::vector<uint64_t> published(3);
    int cuts = 0;
    int settle = 0;  // Steps until a healed cluster is whole.
    for (int step = 0; step < 1500; ++step) {
      Subscriber& s = subscribers[random() % subscribers.size()];
      const bool answered = s.request == 0 || world.Held(s.at, s.id, s.request);
      const uint64_t roll = random() % 40;
      if (roll < 4 && answered) {
        SubscribeRequest change;
        (s.subscribed ? change.unsubscribe : change.subscribe).push_back("c");
        s.request = world.Subscribe(s.at, s.id, change);
        s.subscribed = !s.subscribed;
        // What is on its way may still come once it subscribes again.
        if (s.subscribed) s.forbidden.clear();
      } else if (roll < 20) {
        const int at = static_cast<int>(random() % 3);
        const std::string payload =
            std::to_string(at) + ":" + std::to_string(++published[at]);
        world.Publish(at, "c", payload);
        for (Subscriber& other : subscribers) {
          if (other.request == 0) continue;
          if (!world.Held(other.at, other.id, other.request)) continue;
          if (!other.subscribed) other.forbidden.insert(payload);
          if (other.subscribed && cuts == 0 && settle == 0) {
            other.owed.insert(payload);
          }
        }
      } else if (roll == 20 && cuts == 0) {
        world.Cut(0, 1);
        cuts = 1;
        // What is on its way is lost with it.
        for (Subscriber& other : subscribers) other.owed.clear();
      } else if (roll == 21 && cuts == 1) {
        world.Heal(0, 1);
        cuts = 0;
        settle = 500;
      }
      settle = std::max(0, settle - 1);
      world.Step(&random, 3);
    }
    if (cuts == 1) world.Heal(0, 1);
    world.Run(3000);
    for (const Subscriber& s : subscribers) {
      CheckHeard(s, world.node(s.at).heard[s.id]);
      ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
    }
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(world.node(i).interest.set().Audit(), "");
    }
  }
}

}  // namespace
}  // namespace muster::core
