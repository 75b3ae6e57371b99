// Gives messages to the subscribers of this node, in order, in slices.
//
//   Push(batch) --> queue of batches --> Run(budget) --> deliveries
//
// Messages are delivered one after another, whoever published them: so every
// subscriber sees each publisher's order, over all of its channels. Neighbours
// of one channel that one subscription matches are delivered as one run; where
// several subscriptions match, message by message, the channel's own before
// the patterns', as Redis does.
//
// Limits: max_bytes of messages wait; what is pushed beyond is refused, whole.
// Cost: a slice is `budget` subscribers at most; Match once a run.
// Threads: one.
#ifndef MUSTER_NODE_CORE_PUBSUB_FAN_OUT_H_
#define MUSTER_NODE_CORE_PUBSUB_FAN_OUT_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "node/core/message.h"
#include "node/core/pubsub/subscriptions.h"

namespace muster::core {

class FanOut {
 public:
  FanOut(Subscriptions& subscriptions, size_t max_bytes)
      : subscriptions_(subscriptions), max_bytes_(max_bytes) {}

  // False: too much waits already. An only batch is always taken.
  bool Push(std::shared_ptr<const MessageBatch> batch);
  // Delivers to at most `budget` subscribers; true if more is left.
  bool Run(size_t budget, std::vector<MessageDelivery>& out);

  bool has_work() const { return !queue_.empty(); }
  size_t waiting_bytes() const { return bytes_; }

 private:
  void TellMissed(std::vector<MessageDelivery>& out);
  // Finds the next run and who is to be given it.
  void BeginRun();
  void EndRun();
  void PopBatch();
  // Of the names that it stands in; false once all have been served.
  bool ServeSome(size_t& budget, std::vector<MessageDelivery>& out);

  Subscriptions& subscriptions_;
  const size_t max_bytes_;
  std::deque<std::shared_ptr<const MessageBatch>> queue_;
  size_t bytes_ = 0;

  // The run under way, of the first batch.
  MessageRun run_;
  size_t next_ = 0;  // Of the batch: the message after the run.
  bool running_ = false;
  std::vector<Subscriptions::Name*> names_;
  size_t name_ = 0;  // The one that is being served.
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_PUBSUB_FAN_OUT_H_
