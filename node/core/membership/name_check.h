// Is another life of this node's name at work? Before the name is admitted,
// and again when a later life of it is heard of.
//
// A *rival* is a life of our name that a peer told of. It is at work if its
// advertised address answers a hello with its life id, or if its beat number
// advances twice after we first heard of it, within `limit`. It is not if that
// time passes, or sooner if everybody says it is down or has left and its
// address answers as somebody else or not at all. What a peer claims is never
// believed without one of these.
//
//   told of "a" life 7  ->  HelloProbe(7's address), Ask(7) to all links
//     answer: life 7            -> at work
//     beat 91, beat 92          -> at work
//     1.5 s pass                -> silent
//
// Limits: 16 rivals; one that was found silent is checked again if it was told
// of since, but not before kAgain, or once it *stirs* (its number has advanced
// twice since), and not remembered beyond kForget. Internal to membership.
// Cost: O(rivals) a call.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_NAME_CHECK_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_NAME_CHECK_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/frames.h"
#include "node/core/time.h"

namespace muster::core {

struct Rival {
  enum class Verdict { kPending, kAtWork, kSilent };
  crdt::Origin origin;
  std::string address;
  Verdict verdict = Verdict::kPending;
  Instant since;
  Instant until;
  uint64_t beat = 0;
  int advances = 0;
  uint64_t token = 0;   // Of the hello probe.
  bool absent = false;  // The probe found somebody else, or nobody.
  bool gone = true;     // Everybody says it is down or has left.
  bool told = false;    // Somebody says that it is not, since it was silent.
};

class NameCheck {
 public:
  static constexpr size_t kMaxRivals = 16;
  static constexpr absl::Duration kAgain = absl::Seconds(5);
  static constexpr absl::Duration kForget = absl::Minutes(20);

  explicit NameCheck(absl::Duration limit) : limit_(limit) {}

  // A peer told of `info`. True if a check begins: the caller sends the hello
  // probe under `token` and asks.
  bool Told(const MemberInfo& info, uint64_t token, Instant now);
  // Its number was heard; it advanced at `at`.
  void Beat(crdt::LifeId life, uint64_t number, Instant at);
  // False if the token is not of a check here.
  bool Probed(uint64_t token, crdt::LifeId answered);
  void Tick(Instant now);
  // This node did not run.
  void Stalled(absl::Duration stall);
  // Only later lives than this matter from now on.
  void Admitted(const crdt::Origin& self);

  bool Pending() const;
  const Rival* AtWork() const;
  // A rival that was found silent and is to be told of again, or null.
  const Rival* Stirring(Instant now) const;
  // A rival that was found silent, or null.
  const Rival* Silent() const;
  const std::map<crdt::LifeId, Rival>& rivals() const { return rivals_; }

 private:
  const absl::Duration limit_;
  std::map<crdt::LifeId, Rival> rivals_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_NAME_CHECK_H_
