// The calls of pub/sub, and what the replica does for it at the end of a step.
#include <utility>
#include <variant>

#include "node/core/replica/replica.h"
#include "node/core/replica/replica_impl.h"

namespace muster::core {

absl::StatusOr<SubscriberId> Replica::OpenSubscriber(bool gaps, Now now) {
  if (absl::Status s = impl_->Serving(); !s.ok()) return s;
  impl_->Begin(now);
  auto subscriber = impl_->pubsub.Open(gaps);
  impl_->End();
  return subscriber;
}

std::vector<SubscribeError> Replica::Subscribe(SubscriberId subscriber,
                                               uint64_t request,
                                               const SubscribeRequest& names,
                                               Now now) {
  impl_->Begin(now);
  auto errors = impl_->pubsub.Subscribe(subscriber, request, names);
  impl_->End();
  return errors;
}

void Replica::CloseSubscriber(SubscriberId subscriber, Now now) {
  impl_->Begin(now);
  impl_->pubsub.Close(subscriber);
  impl_->End();
}

absl::StatusOr<std::vector<uint64_t>> Replica::Publish(
    std::shared_ptr<const MessageBatch> batch, Now now) {
  if (absl::Status s = impl_->Serving(); !s.ok()) return s;
  impl_->Begin(now);
  auto subscriptions = impl_->pubsub.Publish(std::move(batch));
  impl_->End();
  return subscriptions;
}

InterestState::Page Replica::Channels(absl::string_view glob,
                                      absl::string_view after,
                                      size_t limit) const {
  return impl_->interest.Channels(glob, after, limit);
}

uint64_t Replica::Subscribers(absl::string_view channel) const {
  return impl_->interest.Subscribers(channel);
}

uint64_t Replica::PatternCount() const {
  return impl_->interest.PatternCount();
}

// Other nodes that are up and have interest streams. One that was never heard
// to have one is of a version that knows none.
std::vector<Confirmations::Up> Replica::Impl::UpWithInterest() const {
  std::vector<Confirmations::Up> up;
  for (const LivePeer& peer : membership.LivePeers()) {
    const bool knows =
        peer.link != 0
            ? router.LevelOf(peer.link) >= kRoutedLevel
            : streams.Find({peer.life, crdt::StreamKind::kInterest}) != nullptr;
    if (knows) up.push_back({peer.life, peer.suspect});
  }
  return up;
}

void Replica::Impl::FlushPubSub() {
  // Who is up is found out when a subscribe begins to wait, and again once
  // that may have changed: at an event of the membership, and a tick.
  if (!pubsub.confirming()) {
    up_is_known_ = false;
  } else if (!std::exchange(up_is_known_, true)) {
    pubsub.SetUp(UpWithInterest());
  }
  std::vector<PubSubMail> mail;
  pubsub.Flush(mail, out.subscribed);
  for (PubSubMail& item : mail) {
    std::visit([&](auto& body) { router.Send(item.to, std::move(body), out); },
               item.body);
  }
}

void Replica::Impl::OnRouted(LinkId link, RoutedFrame frame) {
  if (!router.Receive(link, frame, out)) return;
  struct Visitor {
    PubSub& pubsub;
    ReplicatedKeyspace& keyspace;
    crdt::LifeId from;
    void operator()(const MailFrame& f) { pubsub.OnMail(from, f); }
    void operator()(const MailAck& f) { pubsub.OnMailAck(from, f); }
    void operator()(const InterestApplied& f) { pubsub.OnApplied(from, f); }
    void operator()(const InterestAsk&) { pubsub.OnAsk(from); }
    void operator()(KvBody& f) { keyspace.OnFrame(from, std::move(f)); }
  };
  std::visit(Visitor{pubsub, keyspace, frame.from}, frame.body);
}

}  // namespace muster::core
