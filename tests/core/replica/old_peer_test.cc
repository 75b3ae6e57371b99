// A peer of an older feature level: what is said to it, and what it is waited
// for. The bytes of that level are in tests/codec/peer_golden_test.cc.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "node/core/replica/replica.h"

namespace muster::core {
namespace {

constexpr uint32_t kOldLevel = 1;

// One frame, without a word of it that the older level lacks.
bool IsOfOldLevel(const Frame& frame) {
  if (std::holds_alternative<RoutedFrame>(frame.body)) return false;
  crdt::StreamKind kind = crdt::StreamKind::kPresence;
  if (const auto* f = std::get_if<PositionsFrame>(&frame.body)) {
    for (const StreamPosition& position : f->streams) {
      if (position.kind != kind) return false;
    }
  }
  if (const auto* f = std::get_if<PullFrame>(&frame.body)) {
    kind = f->stream.kind;
  } else if (const auto* f = std::get_if<DeltaFrame>(&frame.body)) {
    kind = f->stream.kind;
  } else if (const auto* f = std::get_if<RebaseFrame>(&frame.body)) {
    kind = f->stream.kind;
  } else if (const auto* f = std::get_if<CheckpointFrame>(&frame.body)) {
    kind = f->stream.kind;
  }
  return kind == crdt::StreamKind::kPresence;
}

// Node 0 is of the older level; all are linked with all.
class OldPeerTest : public testing::Test {
 protected:
  static constexpr int kNodes = 3;

  void SetUp() override {
    for (int i = 0; i < kNodes; ++i) {
      Options options;
      options.node = Name(i);
      options.address = absl::StrCat(Name(i), ":1");
      for (int j = 0; j < kNodes; ++j) {
        if (j != i) options.join.push_back(absl::StrCat(Name(j), ":1"));
      }
      nodes_.push_back(
          std::make_unique<Replica>(options, Life(i), i + 1, now()));
    }
    RunFor(absl::Milliseconds(20));
    for (int i = 0; i < kNodes; ++i) {
      for (int j = i + 1; j < kNodes; ++j) {
        Link(i, j);
      }
    }
    RunFor(absl::Seconds(3));
    for (int i = 0; i < kNodes; ++i) ASSERT_TRUE(nodes_[i]->ready()) << i;
  }

  static std::string Name(int i) { return std::string(1, char('a' + i)); }
  static crdt::LifeId Life(int i) {
    return {static_cast<uint64_t>(i) + 1, static_cast<uint64_t>(i) + 1};
  }
  static LinkId LinkOf(int from, int to) {
    return static_cast<LinkId>(from) * 10 + to + 1;
  }
  Now now() const { return {Instant() + since_start_, wall_us_}; }

  void Link(int i, int j) {
    for (const auto& [at, peer] : {std::pair(i, j), std::pair(j, i)}) {
      PeerHello hello;
      hello.origin = nodes_[peer]->origin();
      hello.address = absl::StrCat(Name(peer), ":1");
      // Node 0 says nothing new either: it takes the others for old ones.
      hello.feature_level = at == 0 || peer == 0 ? kOldLevel : kFeatureLevel;
      hello.outbound = at < peer;
      if (hello.outbound) hello.dialed = hello.address;
      hello.rtt = absl::Milliseconds(1);
      nodes_[at]->OnLinkUp(LinkOf(at, peer), hello, now());
    }
  }

  void RunFor(absl::Duration time) {
    const absl::Duration end = since_start_ + time;
    while (since_start_ < end) {
      since_start_ += absl::Milliseconds(10);
      wall_us_ += 10'000;
      for (auto& node : nodes_) node->Tick(now());
      while (Carry()) {
      }
    }
  }

  // Brings what each has to say to where it goes; false: nothing was said.
  bool Carry() {
    bool said = false;
    for (int from = 0; from < kNodes; ++from) {
      nodes_[from]->RunJobs(now());
      Output out = std::exchange(nodes_[from]->output(), {});
      for (SubscribeHeld& held : out.subscribed) {
        held_[from].push_back(held.request);
      }
      for (SendFrame& send : out.frames) {
        const int to = static_cast<int>((send.link - 1) % 10);
        if (to == 0) {
          ++told_;
          EXPECT_TRUE(IsOfOldLevel(send.frame))
              << "body " << send.frame.body.index();
        }
        nodes_[to]->OnFrame(LinkOf(to, from), std::move(send.frame), now());
        said = true;
      }
      for (const SendBeat& beat : out.beats) {
        nodes_[beat.address[0] - 'a']->OnDatagram(*beat.beat, now());
      }
    }
    return said;
  }

  std::vector<std::unique_ptr<Replica>> nodes_;
  std::map<int, std::vector<uint64_t>> held_;
  int told_ = 0;  // Frames that the older peer was sent.

 private:
  absl::Duration since_start_ = absl::Seconds(1);
  int64_t wall_us_ = 1'000'000'000;
};

TEST_F(OldPeerTest, IsToldOfPresenceOnlyAndNotWaitedForBySubscribers) {
  const auto subscriber = nodes_[1]->OpenSubscriber(false, now());
  ASSERT_TRUE(subscriber.ok()) << subscriber.status();
  SubscribeRequest names;
  names.subscribe = {"news"};
  EXPECT_TRUE(nodes_[1]->Subscribe(*subscriber, 7, names, now()).empty());
  RunFor(absl::Milliseconds(100));
  EXPECT_EQ(held_[1], std::vector<uint64_t>{7});
  EXPECT_EQ(nodes_[2]->Subscribers("news"), 1u);
  EXPECT_GT(told_, 0);
}

TEST_F(OldPeerTest, SeesPresenceOfNewerNodes) {
  const crdt::SessionId session{5, 5};
  ASSERT_TRUE(nodes_[1]
                  ->OpenSession({session, true, {}, absl::Seconds(1), 0}, now())
                  .ok());
  ApplyRequest request;
  request.session = session;
  request.track.push_back({"room", "ann", "meta"});
  ASSERT_TRUE(nodes_[1]->Apply(request, now()).ok());
  RunFor(absl::Milliseconds(100));
  for (int i = 0; i < kNodes; ++i) {
    EXPECT_EQ(nodes_[i]->List("room", 10, 0).entries.size(), 1u) << Name(i);
  }
}

}  // namespace
}  // namespace muster::core
