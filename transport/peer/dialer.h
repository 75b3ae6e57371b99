// Keeps dialling a set of addresses until each has a link.
//
//   address "peers:7700" --resolve--> endpoints 10.0.0.1:7700, 10.0.0.2:7700
//   each endpoint:  waiting --due--> dialling --hello, proofs--> linked
//                      ^                |                           |
//                      +--- back-off ---+------------- lost --------+
//
// Back-off. It doubles from 50 ms to 2 s, less up to a quarter at random, and
// starts over after a link that held for five seconds. The owner may drop an
// address while it is linked, and want it again when that link is lost: after a
// shorter link the back-off goes on where it was, for five seconds after the
// link has ended. An address that is dropped without a link is begun afresh.
// The back-off is at least 20 ms for each endpoint without a link, so that all
// endpoints together are dialled no more than about 50 times a second, however
// many say hello and go. A beat from an endpoint ends its back-off, so a healed
// cut is noticed at once. The log says why an attempt or a link failed, if that
// differs from what it said last.
//
// An endpoint that refused for good is asked again after 30 s. An endpoint
// whose life is linked otherwise is left alone until that link is lost; the
// loss ends no other back-off. Names are resolved again every 30 s, and when
// one of their endpoints fails.
//
// Time limits. An unanswered attempt is given up after 4 s, since TCP
// retransmits into a cut at longer and longer intervals. If beats arrive from
// the endpoint, so that a path exists, it is given up after the target's
// *patience*: 700 ms, four times as long after each attempt that it ended, at
// most 12 s. An attempt that succeeds sets patience to twice the time that it
// took. So a slow endpoint gets its time, and a healed cut costs less than a
// second. The rest of an answered attempt may take as long as the answer took,
// and 2 s.
//
// Two nodes may dial each other at once, and each drops the other's address
// when it sees the link that was dialled from there. A dropped address takes
// its attempt with it only while nobody has answered the attempt. A link that
// is up at its acceptor was answered to its dialler, so no link in use is given
// up, and of two that cross at least one comes up.
//
// Cost: O(endpoints) an event; few are. Limits: the core's member limit bounds
// the addresses, kMaxEndpoints the endpoints of a name, kMaxShort the short
// links that are remembered. Threads: the loop's.
#ifndef MUSTER_TRANSPORT_PEER_DIALER_H_
#define MUSTER_TRANSPORT_PEER_DIALER_H_

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "crdt/types.h"
#include "node/runtime/loop.h"
#include "transport/peer/address.h"

namespace muster::peer {

class Dialer {
 public:
  using Endpoint = asio::ip::tcp::endpoint;
  static constexpr size_t kMaxEndpoints = 64;
  static constexpr size_t kMaxShort = 1024;

  // The calls from the dialer to the transport.
  class Actions {
   public:
    virtual ~Actions() = default;
    // Begins a link; the answer is OnEstablished or OnOver. Returns its id.
    virtual uint64_t StartAttempt(const std::string& address,
                                  const Endpoint& endpoint) = 0;
    // Gives an attempt up; OnOver does not follow.
    virtual void AbortAttempt(uint64_t attempt) = 0;
    virtual bool IsLinked(crdt::LifeId life) const = 0;
    // Why the endpoint may not be dialled, or "".
    virtual std::string Forbidden(const Endpoint& endpoint) const = 0;
    // An address is not dialled, since it is forbidden. Called from inside of
    // calls to the dialer.
    virtual void OnForbidden(const std::string& address,
                             const std::string& why) = 0;
  };

  Dialer(std::shared_ptr<Loop> loop, Actions& actions, uint64_t seed);

  // The whole set. Links of addresses that are no longer in it stay, and so do
  // attempts that were answered.
  void SetAddresses(const std::vector<std::string>& addresses);
  // The peer's hello has come.
  void OnAnswered(uint64_t attempt);
  void OnEstablished(uint64_t attempt, crdt::LifeId life);
  // An attempt failed or its link was lost. `life` is zero if no hello came.
  struct Over {
    std::string why;
    bool permanent = false;
    crdt::LifeId life;
    // Another part logs the end, if it is worth that.
    bool logged = false;
  };
  void OnOver(uint64_t attempt, const Over& over);
  // A link to `life`, whoever dialled it, was lost.
  void OnLinkLost(crdt::LifeId life);
  void OnBeatFrom(const Endpoint& endpoint);
  // Stops dialling for good.
  void Stop();

 private:
  using Clock = std::chrono::steady_clock;
  enum class State { kWaiting, kDialling, kLinked };
  struct Target {
    State state = State::kWaiting;
    uint64_t attempt = 0;
    // When to dial; kWaiting only.
    Clock::time_point due;
    Clock::time_point since;
    std::chrono::milliseconds patience{700};
    Clock::time_point beat;  // The last one while there was no link.
    std::optional<Clock::time_point> answered;  // kDialling only.
    int failures = 0;
    // Refused for good, or left alone because its life is linked otherwise.
    bool refused = false;
    crdt::LifeId life;
    std::string said;  // The last failure that was logged.
  };
  struct Entry {
    bool wanted = true;
    bool numeric = false;
    bool resolving = false;
    int resolve_failures = 0;
    Clock::time_point resolve_due;
    std::string said;
    std::map<Endpoint, Target> targets;
  };
  struct Place {
    std::string address;
    Endpoint endpoint;
  };

  void Add(const std::string& address);
  void AddTarget(const std::string& address, Entry& entry,
                 const Endpoint& endpoint);
  void Remove(Entry& entry);
  void StartResolve(const std::string& address, Entry& entry);
  void OnResolved(const std::string& address, Resolved resolved);
  void KeepOnly(Entry& entry, const std::vector<Endpoint>& endpoints);
  void TargetOver(const std::string& address, Entry& entry, Target& target,
                  const Endpoint& endpoint, const Over& over);
  void Start(const std::string& address, const Endpoint& endpoint,
             Target& target);
  // A beat came from an endpoint without a link.
  void Hear(Target& target, Clock::time_point now);
  void GiveUp(Target& target, Clock::time_point now);
  // When an attempt is given up, with beats from the endpoint or without.
  static Clock::time_point LimitOf(const Target& target);
  // Does what is due, and sets the timer for the rest.
  void Run();
  void RunEntry(const std::string& address, Entry& entry, Clock::time_point now,
                Clock::time_point& next);
  void SetTimer(Clock::time_point when);
  void DropUnused();
  // Whether the link is up, but has not been for long.
  static bool IsShort(const Target& target, Clock::time_point now);
  // Whether the target's back-off has lapsed.
  static bool IsOld(const Target& target, Clock::time_point now);
  std::chrono::milliseconds BackOff(int failures);

  const std::shared_ptr<Loop> loop_;
  Actions& actions_;
  std::mt19937_64 random_;
  asio::steady_timer timer_;
  bool stopped_ = false;
  std::map<std::string, Entry> entries_;
  std::map<uint64_t, Place> attempts_;
  // Targets of short links whose addresses are not wanted now.
  std::map<std::pair<std::string, Endpoint>, Target> short_;
  // The endpoints of targets without a link: their beats matter here.
  std::multiset<Endpoint> restless_;
};

}  // namespace muster::peer

#endif  // MUSTER_TRANSPORT_PEER_DIALER_H_
