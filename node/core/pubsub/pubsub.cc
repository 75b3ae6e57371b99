#include "node/core/pubsub/pubsub.h"

#include <variant>

#include "absl/strings/str_cat.h"
#include "crdt/message_bytes.h"
#include "crdt/mutant.h"

namespace muster::core {
namespace {

// In one step: subscribers served, names of a closed subscriber taken out, and
// changes of interest written.
constexpr size_t kDeliveries = 256;
constexpr size_t kClosedNames = 128;
constexpr size_t kChanges = 128;

}  // namespace

PubSub::PubSub(const PubSubOptions& options, InterestState& interest,
               Keyspace keyspace)
    : options_(options),
      interest_(interest),
      keyspace_(std::move(keyspace)),
      fan_out_(subscriptions_, options.max_undelivered_bytes) {}

// ----------------------------------------------------------------- clients

absl::StatusOr<SubscriberId> PubSub::Open(bool gaps) {
  if (subscriptions_.subscribers() >= options_.max_subscribers) {
    return absl::ResourceExhaustedError(
        absl::StrCat("this node serves ", options_.max_subscribers,
                     " Subscribe streams, which is its limit "
                     "(--max-subscribers)"));
  }
  return subscriptions_.Open(gaps);
}

void PubSub::Change(SubscriberId subscriber, SubscribeError::List list,
                    const std::vector<std::string>& names,
                    std::vector<SubscribeError>& errors) {
  using List = SubscribeError::List;
  const bool pattern = list == List::kPsubscribe || list == List::kPunsubscribe;
  const bool removes =
      list == List::kUnsubscribe || list == List::kPunsubscribe;
  for (size_t i = 0; i < names.size(); ++i) {
    if (removes) {
      if (subscriptions_.Remove(subscriber, pattern, names[i])) continue;
      errors.push_back(
          {list, i,
           absl::NotFoundError(pattern ? "this stream does not subscribe to "
                                         "that pattern"
                                       : "this stream does not subscribe to "
                                         "that channel")});
    } else if (subscriptions_.CountOf(subscriber) >=
               options_.max_names_per_subscriber) {
      errors.push_back(
          {list, i,
           absl::ResourceExhaustedError(absl::StrCat(
               "this stream has ", options_.max_names_per_subscriber,
               " channels and patterns, which is the limit "
               "(--max-subscriptions)"))});
    } else {
      // Once more is no error, and changes nothing.
      subscriptions_.Add(subscriber, pattern, names[i]);
    }
  }
}

std::vector<SubscribeError> PubSub::Subscribe(SubscriberId subscriber,
                                              uint64_t request,
                                              const SubscribeRequest& names) {
  using List = SubscribeError::List;
  std::vector<SubscribeError> errors;
  Change(subscriber, List::kUnsubscribe, names.unsubscribe, errors);
  Change(subscriber, List::kPunsubscribe, names.punsubscribe, errors);
  Change(subscriber, List::kSubscribe, names.subscribe, errors);
  Change(subscriber, List::kPsubscribe, names.psubscribe, errors);
  confirmations_.Ask(subscriber, request, subscriptions_.last_ticket(), now_);
  next_ask_ = now_ + kAskAgain;
  return errors;
}

void PubSub::Close(SubscriberId subscriber) { closing_.push_back(subscriber); }

bool PubSub::HasRoom(size_t bytes) const {
  return !fan_out_.has_work() ||
         fan_out_.waiting_bytes() + bytes <= options_.max_undelivered_bytes;
}

absl::StatusOr<std::vector<uint64_t>> PubSub::Publish(
    std::shared_ptr<const MessageBatch> batch) {
  if (!HasRoom(batch->arena.used())) {
    ++counters_.refused;
    return absl::ResourceExhaustedError(absl::StrCat(
        fan_out_.waiting_bytes(),
        " bytes of messages wait for subscribers "
        "of this node; its limit is ",
        options_.max_undelivered_bytes, " (--max-undelivered-bytes)"));
  }
  std::vector<uint64_t> subscriptions;
  subscriptions.reserve(batch->messages.size());
  bool here = false;
  InterestState::Match match;
  const Message* before = nullptr;
  for (const Message& message : batch->messages) {
    // Neighbours often have one channel.
    if (before == nullptr || before->channel != message.channel) {
      match = interest_.MatchOf(message.channel);
    }
    before = &message;
    subscriptions.push_back(match.subscriptions);
    encoded_.clear();
    for (const auto& [stream, count] : match.nodes) {
      if (stream->own) {
        here = true;
        continue;
      }
      if (encoded_.empty()) {
        crdt::AppendMessage(message.channel, message.payload, encoded_);
      }
      if (!Wake(stream->origin.life).out.Push(encoded_)) ++counters_.dropped;
    }
  }
  counters_.published += batch->messages.size();
  if (here) fan_out_.Push(std::move(batch));
  return subscriptions;
}

// ------------------------------------------------------------- other nodes

PubSub::Peer& PubSub::Wake(crdt::LifeId life) {
  awake_.insert(life);
  const auto at = peers_.find(life);
  if (at != peers_.end()) return at->second;
  // The clock does not go back in one life of a node: an outbox that is made
  // anew has a higher epoch.
  const auto epoch = static_cast<uint64_t>(now_.us) + 1;
  Peer& peer =
      peers_.emplace(life, Peer(Outbox(options_.mail, epoch))).first->second;
  const auto before = forgotten_.extract(life);
  if (!before.empty()) peer.in = before.mapped();
  peer.admitted = peer.in.last();
  return peer;
}

void PubSub::SetUp(std::vector<Confirmations::Up> up) { up_ = std::move(up); }

void PubSub::OnMail(crdt::LifeId from, const MailFrame& frame) {
  Peer& peer = Wake(from);
  const bool anew = frame.epoch > peer.in.epoch();
  const Inbox::Taken taken = peer.in.Take(frame);
  if (taken.stale) return;
  if (anew) peer.admitted = 0;
  counters_.bytes_in += frame.messages->size();
  counters_.duplicates += taken.skip;
  counters_.missed += taken.missed;
  const uint32_t fresh = frame.count - taken.skip;
  counters_.received += fresh;
  if (fresh == 0 && taken.missed == 0) {
    peer.ack = true;
    return;
  }
  auto batch = std::make_shared<MessageBatch>();
  batch->missed = taken.missed;
  batch->messages.reserve(fresh);
  absl::string_view bytes = *frame.messages;
  for (uint32_t n = 0; n < frame.count; ++n) {
    Message message;
    crdt::TakeMessage(bytes, message.channel, message.payload);
    if (n < taken.skip) continue;
    batch->messages.push_back({batch->arena.Copy(message.channel),
                               batch->arena.Copy(message.payload)});
  }
  peer.waiting.push_back(
      {std::move(batch), peer.in.last(), frame.interest, frame.kv, now_});
}

bool PubSub::IsInOrder(crdt::LifeId life, const Waiting& waiting) const {
  if (crdt::Mutated(crdt::Mutant::kMailOvertakes)) return true;
  const Stream* stream = interest_.StreamOf(life);
  return stream != nullptr && stream->vv >= waiting.interest &&
         (keyspace_.has(waiting.kv) ||
          crdt::Mutated(crdt::Mutant::kKvMessageBeforeWrite));
}

void PubSub::Admit(crdt::LifeId life, Peer& peer) {
  while (!peer.waiting.empty()) {
    Waiting& waiting = peer.waiting.front();
    const bool in_order = IsInOrder(life, waiting);
    if (!in_order && now_ - waiting.since < kOrderPatience) return;
    // Half of the room is for this node's own publishers.
    if (fan_out_.waiting_bytes() > options_.max_undelivered_bytes / 2 ||
        !fan_out_.Push(waiting.batch)) {
      return;
    }
    if (!in_order) ++counters_.out_of_order;
    peer.admitted = waiting.last;
    peer.ack = true;
    peer.waiting.pop_front();
  }
}

void PubSub::OnMailAck(crdt::LifeId from, const MailAck& ack) {
  const auto peer = peers_.find(from);
  if (peer == peers_.end()) return;
  peer->second.out.OnAck(ack.epoch, ack.number);
  awake_.insert(from);
}

void PubSub::OnApplied(crdt::LifeId from, const InterestApplied& applied) {
  confirmations_.OnApplied(from, applied.seq);
}

void PubSub::OnAsk(crdt::LifeId from) { Wake(from).tell = true; }

void PubSub::OnWayChanged(crdt::LifeId life) {
  const auto peer = peers_.find(life);
  if (peer == peers_.end()) return;
  peer->second.out.LoseInFlight();
  awake_.insert(life);
}

// Should it come back as the life that it was, what it had sent here before is
// not missing.
void PubSub::OnForgotten(crdt::LifeId life) {
  const auto peer = peers_.find(life);
  if (peer != peers_.end() && peer->second.in.last() > 0) {
    if (forgotten_.size() >= kMaxMembers) forgotten_.erase(forgotten_.begin());
    forgotten_[life] = peer->second.in;
  }
  peers_.erase(life);
  awake_.erase(life);
  confirmations_.Forget(life);
}

// -------------------------------------------------------------------- time

void PubSub::Tick() {
  for (const crdt::LifeId life : awake_) peers_.at(life).out.Tick(now_);
  if (!confirmations_.waiting() || now_ < next_ask_) return;
  next_ask_ = now_ + kAskAgain;
  for (const Confirmations::Up& node : up_) Wake(node.life).ask = true;
}

void PubSub::Flush(std::vector<PubSubMail>& mail,
                   std::vector<SubscribeHeld>& held) {
  if (own_ == nullptr) return;
  for (size_t n = 0; n < kChanges; ++n) {
    const std::optional<InterestChange> change = subscriptions_.TakeChange();
    if (!change.has_value()) break;
    interest_.Write(*own_, *change);
  }
  if (confirmations_.waiting()) {
    confirmations_.OnWritten(subscriptions_.taken_ticket(), own_->vv);
  }
  for (const crdt::LifeId life : interest_.TakeMoved()) {
    if (life != own_->origin.life) Wake(life).tell = true;
  }
  for (auto at = awake_.begin(); at != awake_.end();) {
    const bool more = FlushPeer(*at, peers_.at(*at), mail);
    at = more ? std::next(at) : awake_.erase(at);
  }
  if (!confirmations_.waiting()) return;
  for (const SubscribeHeld& request : confirmations_.Take(up_, now_)) {
    if (subscriptions_.IsOpen(request.subscriber)) held.push_back(request);
  }
}

bool PubSub::FlushPeer(crdt::LifeId life, Peer& peer,
                       std::vector<PubSubMail>& mail) {
  Admit(life, peer);
  if (std::exchange(peer.tell, false)) {
    const Stream* stream = interest_.StreamOf(life);
    // What is hidden finds nobody: it is told of once it is shown.
    if (stream != nullptr && !stream->hidden()) {
      mail.push_back({life, InterestApplied{stream->vv}});
    }
  }
  if (std::exchange(peer.ask, false)) mail.push_back({life, InterestAsk{}});
  if (std::exchange(peer.ack, false)) {
    mail.push_back({life, MailAck{peer.in.epoch(), peer.admitted}});
  }
  while (auto frame = peer.out.Next(own_->vv, now_)) {
    counters_.bytes_out += frame->messages->size();
    frame->kv = keyspace_.position();
    mail.push_back({life, *std::move(frame)});
  }
  return !peer.out.idle() || !peer.waiting.empty();
}

bool PubSub::has_work() const {
  return fan_out_.has_work() || !closing_.empty() || interest_.has_work() ||
         subscriptions_.taken_ticket() < subscriptions_.last_ticket();
}

bool PubSub::RunJob(std::vector<MessageDelivery>& out) {
  const size_t before = out.size();
  fan_out_.Run(kDeliveries, out);
  for (size_t i = before; i < out.size(); ++i) {
    counters_.delivered += out[i].run.count * out[i].subscribers.size();
  }
  if (!closing_.empty() &&
      subscriptions_.CloseSome(closing_.front(), kClosedNames)) {
    closing_.pop_front();
  }
  interest_.RunJob();
  return has_work();
}

std::vector<std::pair<std::string, uint64_t>> PubSub::Counters() const {
  return {{"messages_published", counters_.published},
          {"messages_received", counters_.received},
          {"messages_delivered", counters_.delivered},
          {"messages_missed", counters_.missed},
          {"messages_duplicate", counters_.duplicates},
          {"messages_dropped", counters_.dropped},
          {"messages_out_of_order", counters_.out_of_order},
          {"publishes_refused", counters_.refused},
          {"message_bytes_out", counters_.bytes_out},
          {"message_bytes_in", counters_.bytes_in}};
}

}  // namespace muster::core
