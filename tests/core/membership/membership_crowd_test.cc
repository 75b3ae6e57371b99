// A member of many: what it does for all of them it does in slices.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "tests/core/membership/lone_member.h"

namespace muster::core {
namespace {

using absl::Milliseconds;
using absl::Seconds;
using Kind = MembershipEvent::Kind;

constexpr uint64_t kPeers = 500;
constexpr size_t kSlice = 64;

// Lives 2, 3, ... on links of the same numbers.
class Crowd : public LoneMember {
 protected:
  Crowd() {
    for (uint64_t life = 2; life < 2 + kPeers; ++life) Add(life);
    for (int i = 0; i < 100; ++i) Step();
  }
  static std::string Name(uint64_t life) { return absl::StrCat("p", life); }
  void Add(uint64_t life) {
    a_.OnLinkUp(life, Hello(Name(life), life), now(), out_);
    a_.OnFrameBeat(life, 1, now(), out_);
  }
  // A tick, in which a part of the peers beats; what came of it.
  Output Step(bool beats = true) {
    out_ = {};
    at_ = at_ + Milliseconds(10);
    Tick();
    Output ticked = std::exchange(out_, {});
    ++step_;
    for (uint64_t life = 2; beats && life < 2 + kPeers; ++life) {
      if (life % 25 == step_ % 25) {
        a_.OnFrameBeat(life, 2 + step_ / 25, now(), out_);
      }
    }
    EXPECT_TRUE(out_.closes.empty());
    return ticked;
  }
  template <typename Body>
  static std::map<LinkId, std::vector<Body>> Of(const Output& out) {
    std::map<LinkId, std::vector<Body>> bodies;
    for (const SendFrame& send : out.frames) {
      if (const auto* body = std::get_if<Body>(&send.frame.body)) {
        bodies[send.link].push_back(*body);
      }
    }
    return bodies;
  }

  uint64_t step_ = 0;
};

TEST_F(Crowd, ABeatIsMadeOnceAndReachesEachPeerOnceInSlices) {
  std::map<uint64_t, std::set<std::string>> reached;
  std::map<uint64_t, std::shared_ptr<const BeatDatagram>> made;
  std::map<uint64_t, std::set<LinkId>> reported;
  for (int i = 0; i < 200; ++i) {
    const Output out = Step();
    EXPECT_LE(out.beats.size(), kSlice);
    for (const SendBeat& send : out.beats) {
      EXPECT_TRUE(reached[send.beat->number].insert(send.address).second);
      auto& beat = made[send.beat->number];
      if (beat == nullptr) beat = send.beat;
      EXPECT_EQ(beat, send.beat);
    }
    const auto reports = Of<BeatReport>(out);
    EXPECT_LE(reports.size(), kSlice);
    for (const auto& [link, bodies] : reports) {
      EXPECT_TRUE(reported[bodies[0].number].insert(link).second);
    }
  }
  ASSERT_GE(reached.size(), 8u);
  // The first and the last may have begun before, or not be over.
  for (auto it = std::next(reached.begin()); it != std::prev(reached.end());
       ++it) {
    EXPECT_EQ(it->second.size(), kPeers);
    EXPECT_EQ(reported[it->first].size(), kPeers);
  }
}

TEST_F(Crowd, AFrameCarriesNoBeatThatItsLinkWasNotToldOf) {
  constexpr LinkId kFirst = 2;
  constexpr LinkId kLast = 1 + kPeers;
  while (a_.BeatOn(kFirst) == a_.BeatOn(kLast)) Step();
  const uint64_t number = a_.BeatOn(kFirst);
  EXPECT_EQ(a_.BeatOn(kLast), number - 1);
  out_ = {};
  a_.OnAsk(kLast, {{1, 1}, 0}, now(), out_);
  ASSERT_EQ(out_.frames.size(), 1u);
  EXPECT_EQ(out_.frames[0].frame.beat, number - 1);
  for (int i = 0; i < 12; ++i) Step();
  EXPECT_EQ(a_.BeatOn(kLast), number);
}

TEST_F(Crowd, AllAreToldOfANewMemberOnceInSlices) {
  a_.OnMembers(2, Members("new", 9'000, 1, {}), now(), out_);
  std::map<LinkId, size_t> told;
  for (int i = 0; i < 20; ++i) {
    const auto frames = Of<MembersFrame>(Step());
    EXPECT_LE(frames.size(), kSlice);
    for (const auto& [link, bodies] : frames) {
      ASSERT_EQ(bodies.size(), 1u);
      ASSERT_EQ(bodies[0].members.size(), 1u);
      EXPECT_EQ(bodies[0].members[0].origin.node, "new");
      ++told[link];
    }
  }
  EXPECT_EQ(told.size(), kPeers);
  for (const auto& [link, times] : told) EXPECT_EQ(times, 1u) << link;
}

TEST_F(Crowd, ANewPeerIsToldOfAllInFramesThatAreNotLong) {
  out_ = {};
  Add(9'000);
  std::set<crdt::LifeId> told;
  const auto frames = Of<MembersFrame>(out_);
  ASSERT_EQ(frames.size(), 1u);
  for (const MembersFrame& frame : frames.at(9'000)) {
    EXPECT_LE(frame.members.size(), 128u);
    for (const MemberInfo& info : frame.members) told.insert(info.origin.life);
  }
  EXPECT_EQ(told.size(), kPeers + 1);
}

TEST_F(Crowd, AllThatFallSilentAtOnceAreDownWithinTheirTimeInShortTicks) {
  for (int i = 0; i < 350; ++i) {
    const Output out = Step(/*beats=*/false);
    EXPECT_LE(out.frames.size(), 1'000u) << i;
  }
  EXPECT_EQ(Counter("downs"), kPeers);
}

}  // namespace
}  // namespace muster::core
