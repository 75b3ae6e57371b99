// A cluster of Membership objects in simulated time, with a small network
// between them: links that keep their order and hang while cut, datagrams that
// are lost and delayed, dials, probes, frozen and killed processes.
//
// Deterministic for a seed. Every process ticks each 10 ms, with an offset of
// its own. As a replica would, a process sends one marker (a PositionsFrame)
// on each link when it is told kLinked, and drops markers on links that
// OriginOf does not know: `AgreeOnLinks` says whether anything was lost so.
#ifndef MUSTER_TESTS_CORE_MEMBERSHIP_MEMBER_WORLD_H_
#define MUSTER_TESTS_CORE_MEMBERSHIP_MEMBER_WORLD_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "node/core/membership/membership.h"

namespace muster::core {

struct NetOptions {
  absl::Duration latency = absl::Milliseconds(1);
  double udp_loss = 0;
  absl::Duration udp_jitter;
  bool udp_blocked = false;
  // A link that was cut moves again this long after the cut has healed.
  absl::Duration tcp_recovery = absl::Seconds(5);
};

// One `muster serve` process.
struct Process {
  struct Seen {
    Instant at;
    MembershipEvent event;
  };
  std::string name;
  std::string address;
  Options options;
  crdt::LifeId life;
  std::unique_ptr<Membership> membership;
  bool running = true;
  bool frozen = false;
  std::optional<absl::Status> exit;
  std::set<std::string> dial;
  std::set<std::string> dialling;  // An attempt or a link is under way.
  std::deque<std::function<void()>> inbox;  // While frozen.
  std::vector<Seen> seen;
  std::set<LinkId> linked;  // By kLinked and kUnlinked.
  std::set<LinkId> marked;  // A marker came while it was linked.
  uint64_t closes = 0;

  const crdt::Origin& origin() const { return membership->self(); }
  uint64_t Counter(const std::string& counter) const;
};

class World {
 public:
  explicit World(uint64_t seed, NetOptions net = {});

  // Starts a process; its address is NAME:1, or that of `options`.
  Process& Start(const std::string& name, std::vector<std::string> join,
                 Options options = {});
  void Kill(Process& process);
  void Freeze(Process& process);
  void Thaw(Process& process);
  void Leave(Process& process);
  // Packets between two are dropped, or links reset and dials refused.
  void Cut(const Process& a, const Process& b);
  void Refuse(const Process& a, const Process& b);
  void Heal(const Process& a, const Process& b);
  NetOptions& net() { return net_; }

  void Run(absl::Duration time);
  // False if it has not become true within `limit`.
  bool RunUntil(const std::function<bool()>& condition, absl::Duration limit);
  Now now() const { return {now_, wall_}; }
  // Calls into a process as its runtime would.
  void Do(Process& process, const std::function<void(Output&)>& call);

  // When `watcher` last saw `kind` of `life` since `since`, or nothing.
  static std::optional<Instant> When(const Process& watcher,
                                     MembershipEvent::Kind kind,
                                     crdt::LifeId life,
                                     Instant since = Instant{});
  static size_t CountOf(const Process& watcher, MembershipEvent::Kind kind,
                        crdt::LifeId life);
  // All see each other alive and linked by one same link a pair, and have
  // each other's markers.
  bool Whole(const std::vector<Process*>& processes) const {
    return Missing(processes).empty();
  }
  // What keeps them from being whole, as text.
  std::string Missing(const std::vector<Process*>& processes) const;
  bool AgreeOnLinks(const Process& a, const Process& b) const;
  // Every event of every process, as text.
  std::string History() const;
  // What the processes logged, for messages of failed tests.
  const std::string& log() const { return log_; }

 private:
  struct Side {
    Process* process = nullptr;
    std::string dialed;  // Of the dialling side.
    bool up = false;
    bool closed = false;
    Instant next;  // Frames to this side arrive no earlier.
    std::deque<std::function<void()>> held;
  };
  struct Wire {
    Side sides[2];  // 0 dialled.
    bool stuck = false;
  };
  enum class Path { kOpen, kCut, kRefused };

  void At(Instant when, std::function<void()> what);
  // `loss`: it may be lost while the process is frozen.
  void Deliver(Process& process, std::function<void()> what, bool loss = false);
  void TickLoop(Process& process);
  void Carry(Process& process, Output& out);
  void TakeEvents(Process& process);
  void StartDial(Process& process, const std::string& address);
  void Connected(Process& process, const std::string& address, Process& target);
  void LinkUp(LinkId id, int side);
  // Puts something on a link towards `to`, in order.
  void Push(LinkId id, int to, std::function<void()> what);
  void Close(LinkId id, int side);
  void Break(LinkId id);
  void SendDatagram(Process& from, const SendBeat& beat);
  void SendFrameOn(Process& from, const SendFrame& frame);
  void ConnectProbed(Process& from, const ConnectProbe& probe);
  void HelloProbed(Process& from, const HelloProbe& probe);
  Process* Listening(const std::string& address);
  Path PathTo(const Process& from, const std::string& address) const;
  int SideOf(LinkId id, const Process& process) const;
  absl::Duration Jitter(absl::Duration most);

  NetOptions net_;
  std::mt19937_64 random_;
  Instant now_{1'000'000};
  int64_t wall_ = 1'700'000'000'000'000;
  std::multimap<Instant, std::function<void()>> queue_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::map<LinkId, Wire> wires_;
  LinkId last_link_ = 0;
  std::string log_;
  std::map<std::pair<std::string, std::string>, Path> paths_;
};

}  // namespace muster::core

#endif  // MUSTER_TESTS_CORE_MEMBERSHIP_MEMBER_WORLD_H_
