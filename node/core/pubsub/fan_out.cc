#include "node/core/pubsub/fan_out.h"

#include <algorithm>
#include <utility>

#include "crdt/mutant.h"

namespace muster::core {

using crdt::Mutant;
using crdt::Mutated;

bool FanOut::Push(std::shared_ptr<const MessageBatch> batch) {
  if (batch->messages.empty() && batch->missed == 0) return true;
  const size_t bytes = batch->arena.used();
  if (!queue_.empty() && bytes_ + bytes > max_bytes_) return false;
  bytes_ += bytes;
  queue_.push_back(std::move(batch));
  if (Mutated(Mutant::kMailOutOfOrder) && queue_.size() > 2) {
    std::swap(queue_[queue_.size() - 2], queue_.back());
  }
  return true;
}

// Whoever wants to know is told before what comes after the loss.
void FanOut::TellMissed(std::vector<MessageDelivery>& out) {
  const std::set<SubscriberId>& listeners = subscriptions_.gap_listeners();
  if (listeners.empty() || Mutated(Mutant::kGapUntold)) return;
  MessageDelivery delivery;
  delivery.missed = queue_.front()->missed;
  delivery.subscribers.assign(listeners.begin(), listeners.end());
  out.push_back(std::move(delivery));
}

void FanOut::BeginRun() {
  const std::vector<Message>& messages = queue_.front()->messages;
  run_ = {queue_.front(), next_, 1, nullptr};
  names_ = subscriptions_.Hold(messages[next_].channel);
  if (names_.size() <= 1) {
    while (run_.first + run_.count < messages.size() &&
           messages[run_.first + run_.count].channel ==
               messages[run_.first].channel) {
      ++run_.count;
    }
  }
  next_ = run_.first + run_.count;
  name_ = 0;
  running_ = true;
}

void FanOut::EndRun() {
  subscriptions_.Release(names_);
  names_.clear();
  running_ = false;
  if (next_ == queue_.front()->messages.size()) PopBatch();
}

void FanOut::PopBatch() {
  bytes_ -= queue_.front()->arena.used();
  queue_.pop_front();
  run_.batch.reset();
  next_ = 0;
}

bool FanOut::ServeSome(size_t& budget, std::vector<MessageDelivery>& out) {
  while (name_ < names_.size()) {
    Subscriptions::Name& name = *names_[name_];
    const size_t count = std::min(budget, name.all.size() - name.served);
    if (count > 0) {
      MessageDelivery delivery;
      delivery.run = run_;
      if (name.pattern) delivery.run.pattern = name.text;
      const auto from = name.all.begin() + static_cast<ptrdiff_t>(name.served);
      delivery.subscribers.assign(from, from + static_cast<ptrdiff_t>(count));
      name.served += count;
      budget -= count;
      out.push_back(std::move(delivery));
    }
    if (name.served < name.all.size()) return true;
    ++name_;
  }
  return false;
}

bool FanOut::Run(size_t budget, std::vector<MessageDelivery>& out) {
  while (!queue_.empty() && budget > 0) {
    if (next_ == 0 && !running_ && queue_.front()->missed > 0) {
      TellMissed(out);
      if (queue_.front()->messages.empty()) {
        PopBatch();
        continue;
      }
    }
    if (!running_) {
      BeginRun();
      // A message that nobody wants costs a look-up all the same.
      --budget;
    }
    if (!ServeSome(budget, out)) EndRun();
  }
  return !queue_.empty();
}

}  // namespace muster::core
