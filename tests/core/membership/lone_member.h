// One Membership, named "a" with life {1, 1}, and peers that are made up call
// by call: what they say is entirely the test's.
#ifndef MUSTER_TESTS_CORE_MEMBERSHIP_LONE_MEMBER_H_
#define MUSTER_TESTS_CORE_MEMBERSHIP_LONE_MEMBER_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "node/core/membership/membership.h"

namespace muster::core {

class LoneMember : public ::testing::Test {
 protected:
  explicit LoneMember(Options options = Named("a"))
      : a_(options, {1, 1}, 1, Now{at_, 1}) {
    Tick();
  }
  static Options Named(const std::string& name) {
    Options options;
    options.node = name;
    options.address = name + ":1";
    return options;
  }
  static PeerHello Hello(const std::string& name, uint64_t life) {
    PeerHello hello;
    hello.origin = {name, crdt::Incarnation(5), {life, life}};
    hello.address = name + ":1";
    return hello;
  }
  static MembersFrame Members(const std::string& name, uint64_t life,
                              uint64_t beat, absl::Duration age) {
    MembersFrame frame;
    frame.members.push_back({.origin = Hello(name, life).origin,
                             .address = name + ":1",
                             .beat = beat,
                             .age = age});
    return frame;
  }
  void Tick() { a_.Tick(now(), out_); }
  void Run(absl::Duration time) {
    for (Instant end = at_ + time; at_ < end;) {
      at_ = at_ + absl::Milliseconds(10);
      Tick();
    }
  }
  Now now() const { return {at_, 1}; }
  // Keeps a peer alive by beats on its link while time passes.
  void RunWithBeats(LinkId link, uint64_t& beat, absl::Duration time) {
    for (Instant end = at_ + time; at_ < end;) {
      Run(absl::Milliseconds(250));
      a_.OnFrameBeat(link, ++beat, now(), out_);
    }
  }
  uint64_t Counter(const std::string& counter) const {
    for (const auto& [name, value] : a_.Counters()) {
      if (name == counter) return value;
    }
    return UINT64_MAX;
  }
  size_t Seen(MembershipEvent::Kind kind, uint64_t life) {
    for (auto& event : a_.TakeEvents()) events_.push_back(event);
    return std::count_if(events_.begin(), events_.end(), [&](auto& event) {
      return event.kind == kind &&
             event.origin.life == crdt::LifeId{life, life};
    });
  }
  static constexpr crdt::LifeId kB{2, 2};
  static constexpr crdt::LifeId kC{3, 3};

  Instant at_{1'000'000'000};
  Membership a_;
  Output out_;
  std::vector<MembershipEvent> events_;
};

}  // namespace muster::core

#endif  // MUSTER_TESTS_CORE_MEMBERSHIP_LONE_MEMBER_H_
