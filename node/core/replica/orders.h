// What an administrator asks of one node, and that node of its peers: who has
// been asked, who has answered, and what the administrator is told.
//
//   Evict, Forget --> a --EvictFrame, ForgetFrame--> b, c    over direct links
//                     a <------OrderAnswerFrame------ b, c
//   OrderReply <----- a     entries of all; who was not reached, and why
//
// An order is *open* from Begin until it is answered: once Seal was called and
// each peer that it waits for has answered, has lost its link, or kAnswerWithin
// has passed. A node of a version that knows no orders skips them: it is named
// once that time is over.
//
// Invariants:
//   1. Every Begin leads to one OrderDone, unless the node exits before.
//   2. Only the link that an order was sent over can answer it, once.
// Limits: kMaxOpen orders. Cost: O(peers asked) an order. Threads: one.
#ifndef MUSTER_NODE_CORE_REPLICA_ORDERS_H_
#define MUSTER_NODE_CORE_REPLICA_ORDERS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "node/core/frames.h"
#include "node/core/output.h"
#include "node/core/time.h"

namespace muster::core {

class Orders {
 public:
  static constexpr absl::Duration kAnswerWithin = absl::Seconds(2);
  static constexpr size_t kMaxOpen = 64;

  // RESOURCE_EXHAUSTED if no more may be opened.
  absl::Status MayBegin() const;
  // The number that its frames carry. REQUIRES: MayBegin.
  uint64_t Begin(RequestId request);
  // REQUIRES, of all that name an `order`: it is open and was not sealed.
  void Count(uint64_t order, uint64_t entries);
  void Unreached(uint64_t order, const std::string& who,
                 const std::string& why);
  // The order was sent to `who` over this link.
  void Await(uint64_t order, LinkId link, const std::string& who);
  // Everybody has been asked.
  void Seal(uint64_t order, Instant now, Output& out);

  void OnAnswer(LinkId link, const OrderAnswerFrame& frame, Output& out);
  void OnUnlinked(LinkId link, Output& out);
  void Tick(Instant now, Output& out);

 private:
  struct Open {
    RequestId request = 0;
    OrderReply reply;
    std::map<LinkId, std::string> awaited;
    Instant until = kNever;  // Once it is sealed.
  };
  using Opens = std::map<uint64_t, Open>;
  // Answers it if nobody is awaited any more; the next one.
  Opens::iterator Settle(Opens::iterator at, Output& out);

  Opens open_;
  uint64_t last_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_REPLICA_ORDERS_H_
