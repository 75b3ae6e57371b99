// Which addresses the transport is to keep dialling.
//
// A join address is dialled until it is satisfied: a life reached through it,
// or one that advertises it, is linked, or it is this node's own. A DNS name
// may stand for many nodes: it is satisfied once any node was reached through
// it, until no link is left, or a silent member is forgotten (nothing here
// remembers that member's address then).
//
// A member is dialled while it has no link: at once by the lower name, after
// `dial_wait` by the higher one. Those who left or ended are not dialled.
//
// Limits: 64 addresses are remembered as this node's own.
// Internal to membership. Cost: O(members log members) a Wanted that is due;
// past kFew members it is, after a change, only kPerMember for each of them
// since the last one.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_DIALING_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_DIALING_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "crdt/types.h"
#include "node/core/membership/member_table.h"
#include "node/core/membership/peer_links.h"
#include "node/core/options.h"
#include "node/core/time.h"

namespace muster::core {

class Dialing {
 public:
  explicit Dialing(const Options& options);

  // A link to another life came up.
  void Reached(const PeerHello& hello);
  // `dialed` led to this node itself.
  void ReachedSelf(const std::string& dialed, Instant now);
  // A silent member was forgotten.
  void LostForGood();
  // A MembersFrame came on this link.
  void Answered(const PeerLink& link);
  // The dial of `address` was refused for good.
  void Refused(const std::string& address, const std::string& why);
  // A node is alive at `address`: leaves the address out until the next tick,
  // so that the transport dials it afresh, without the rest of its back-off.
  // Ignored if the address has been dialled for less than a second.
  void Afresh(const std::string& address, Instant now);
  // Something that Wanted looks at has changed.
  void Changed() { due_ = kLongAgo; }
  void Stop() { stopped_ = true; }

  bool has_join() const { return !joins_.empty(); }
  bool AllAnswered() const;
  bool AnyAnswered() const;
  // Join addresses that refused this node and have not answered otherwise, with
  // why: "a:7400: …; b:7400: …". Empty if there are none.
  std::string Refusals() const;
  // The set to dial, if it is due and differs from the one before.
  std::optional<std::vector<std::string>> Wanted(const MemberTable& table,
                                                 const PeerLinks& links,
                                                 const crdt::Origin& self,
                                                 Instant now);

 private:
  struct Join {
    std::string address;
    bool name = false;  // A DNS name, not a literal address.
    bool answered = false;
    std::string refused;  // Why, when it last was.
    bool reached = false;
    crdt::LifeId life;  // The last one reached through it.
    bool self = false;  // It led to this node itself:
    // not before this.
    Instant again = kLongAgo;
  };
  std::set<std::string> Compute(const MemberTable& table,
                                const PeerLinks& links,
                                const crdt::Origin& self, Instant now);
  bool Satisfied(const Join& join, const PeerLinks& links) const;
  bool WantsMember(const Member& member, const crdt::Origin& self, Instant now);
  void AddOwn(const std::string& address);

  static constexpr size_t kFew = 64;
  static constexpr absl::Duration kPerMember = absl::Microseconds(50);

  const absl::Duration dial_wait_;
  std::vector<Join> joins_;
  std::set<std::string> own_;
  std::set<std::string> afresh_;
  std::map<std::string, Instant> dialled_;  // Since when.
  Instant due_ = kLongAgo;  // When the set may change by itself.
  Instant computed_ = kLongAgo;
  bool stopped_ = false;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_DIALING_H_
