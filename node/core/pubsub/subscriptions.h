// What the clients of this node subscribe to, and who is given a message.
//
//   subscriber 1: news, chat.*         channel  news   -> 1, 2
//   subscriber 2: news                 pattern  chat.* -> 1
//
// A change of a name's number of subscribers is what other nodes must know:
// it waits, with a *ticket*, until the writer of this node's interest stream
// takes it. Several changes of one name that wait are one.
//
// A message is given to its subscribers in slices (FanOut). Subscribers come
// and go between slices: a list keeps who has been served apart from the rest.
//
//   list:  served ... | not yet ...      Remove keeps the two apart
//
// Invariants
//   1. A subscriber is once in the list of each name it has, and in no other.
//   2. After Remove(s, name) no run is delivered to s by that name.
//   3. A name without subscribers is forgotten once its change was taken and no
//      fan-out stands in its list.
// Cost: Add, Remove O(log names); Match O(patterns). Threads: one.
#ifndef MUSTER_NODE_CORE_PUBSUB_SUBSCRIPTIONS_H_
#define MUSTER_NODE_CORE_PUBSUB_SUBSCRIPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "node/core/message.h"

namespace muster::core {

class Subscriptions {
 public:
  // The subscribers of one name.
  struct Name {
    uint64_t number = 0;  // Names are numbered as they come.
    bool pattern = false;
    // The name; shared with the runs that it matched.
    std::shared_ptr<const std::string> text;
    std::vector<SubscriberId> all;
    size_t served = 0;     // The first ones, by the fan-out that stands here.
    bool held = false;     // A fan-out stands here.
    bool changed = false;  // Its change waits to be taken.
  };

  // A new subscriber with nothing. `gaps`: it wants to be told of messages that
  // were lost.
  SubscriberId Open(bool gaps = false);
  // False if it is subscribed already. REQUIRES: the subscriber is open.
  bool Add(SubscriberId subscriber, bool pattern, absl::string_view name);
  // False if it was not subscribed.
  bool Remove(SubscriberId subscriber, bool pattern, absl::string_view name);
  // Takes at most `budget` names from a subscriber that has gone; true once
  // none is left and the subscriber is forgotten.
  bool CloseSome(SubscriberId subscriber, size_t budget);
  // How many names it has.
  size_t CountOf(SubscriberId subscriber) const;
  bool IsOpen(SubscriberId subscriber) const {
    return subscribers_.contains(subscriber);
  }
  size_t subscribers() const { return subscribers_.size(); }

  // Those that want to be told of losses, in order.
  const std::set<SubscriberId>& gap_listeners() const { return gaps_; }

  // ---- what the interest stream is to say ----
  // Changes up to this ticket have been asked for.
  uint64_t last_ticket() const { return last_ticket_; }
  // Changes up to this ticket have been taken.
  uint64_t taken_ticket() const { return last_ticket_ - waiting_.size(); }
  // The change that has waited longest, or nothing. `subscribers` may be what
  // was last taken of the name, or 0.
  std::optional<InterestChange> TakeChange();

  // ---- who is given a message ----
  // The names that match: the channel's own first, then patterns in byte
  // order. They stay valid, held, until Release.
  std::vector<Name*> Hold(absl::string_view channel);
  void Release(const std::vector<Name*>& names);

 private:
  using Names = std::map<std::string, Name, std::less<>>;
  // By number: the order in which names are given up reaches the peers, and
  // by address it would be another one in each run.
  struct CameBefore {
    bool operator()(const Name* a, const Name* b) const {
      return a->number < b->number;
    }
  };
  using Places = std::map<Name*, size_t, CameBefore>;

  Names& NamesOf(bool pattern) { return pattern ? patterns_ : channels_; }
  void Changed(Name& name);
  void RemoveFrom(Name& name, size_t place);
  void ForgetIfUnused(Name& name);
  void PutAt(Name& name, size_t place, SubscriberId subscriber);

  Names channels_;
  Names patterns_;
  // Of each subscriber, its place in the lists of its names.
  absl::flat_hash_map<SubscriberId, Places> subscribers_;
  std::set<SubscriberId> gaps_;
  SubscriberId last_subscriber_ = 0;
  uint64_t last_name_ = 0;
  std::deque<Name*> waiting_;
  uint64_t last_ticket_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_PUBSUB_SUBSCRIPTIONS_H_
