#include "node/service/sink.h"

#include <algorithm>
#include <utility>

#include "node/service/health.h"
#include "node/service/kv_stream.h"
#include "node/service/member_watch.h"
#include "node/service/session_stream.h"
#include "node/service/subscribe_stream.h"
#include "node/service/watch_stream.h"

namespace muster::service {
namespace {

// Streams written to by one bulk task: each takes about 10 us.
constexpr size_t kStreamsPerTask = 32;
constexpr char kStopping[] = "the node is shutting down";

}  // namespace

Sink::Sink(CorePort* core, Offload* offload, Health* health,
           MemberWatches* members)
    : core_(core), offload_(offload), health_(health), members_(members) {}

core::RequestId Sink::ExpectReply(OnReply on_reply) {
  replies_.emplace(++last_request_, std::move(on_reply));
  return last_request_;
}

core::RequestId Sink::ExpectOrder(OnOrder on_order) {
  if (stopping_) {
    on_order(absl::UnavailableError(kStopping));
    return ++last_request_;
  }
  orders_.emplace(++last_request_, std::move(on_order));
  return last_request_;
}

void Sink::OnReplies(std::vector<core::AsyncReply> replies) {
  for (core::AsyncReply& reply : replies) {
    const auto at = replies_.find(reply.request);
    if (at == replies_.end()) continue;
    OnReply on_reply = std::move(at->second);
    replies_.erase(at);
    on_reply(std::move(reply.resumed));
  }
}

void Sink::OnSessionsEnded(std::vector<core::SessionEnded> ended) {
  for (const core::SessionEnded& session : ended) {
    sessions_.Release(session.session, session.status);
  }
}

void Sink::OnEvicted(std::vector<core::EntryEvicted> evicted) {
  for (core::EntryEvicted& entry : evicted) {
    sessions_.Evicted(std::move(entry));
  }
}

void Sink::OnOrders(std::vector<core::OrderDone> orders) {
  for (core::OrderDone& order : orders) {
    const auto at = orders_.find(order.request);
    if (at == orders_.end()) continue;
    OnOrder on_order = std::move(at->second);
    orders_.erase(at);
    on_order(std::move(order.reply));
  }
}

void Sink::AddWatch(core::WatchId id, std::shared_ptr<WatchStream> stream) {
  watches_.emplace(id, std::move(stream));
}

void Sink::RemoveWatch(core::WatchId id) { watches_.erase(id); }

void Sink::OnWatchEvents(std::vector<core::WatchEvent> events) {
  absl::flat_hash_map<const core::WatchBatch*, std::shared_ptr<SharedBatch>>
      shared;
  Streams to_pump;
  for (core::WatchEvent& event : events) {
    const auto at = watches_.find(event.watch);
    if (at == watches_.end()) continue;
    std::shared_ptr<SharedBatch>& batch = shared[event.batch.get()];
    if (batch == nullptr) {
      batch = std::make_shared<SharedBatch>(std::move(event.batch));
    }
    at->second->Deliver(batch);
    if (at->second->NeedsPump()) to_pump.push_back(at->second);
  }
  PumpInChunks(std::move(to_pump));
}

void Sink::PumpInChunks(Streams streams) {
  for (size_t at = 0; at < streams.size(); at += kStreamsPerTask) {
    const size_t end = std::min(streams.size(), at + kStreamsPerTask);
    Streams chunk(std::make_move_iterator(streams.begin() + at),
                  std::make_move_iterator(streams.begin() + end));
    offload_->Bulk([chunk = std::move(chunk)] {
      for (const std::shared_ptr<StreamWriter>& stream : chunk) stream->Pump();
    });
  }
}

void Sink::AddSubscriber(core::SubscriberId id,
                         std::shared_ptr<SubscribeStream> stream) {
  subscribers_.emplace(id, std::move(stream));
}

void Sink::RemoveSubscriber(core::SubscriberId id) { subscribers_.erase(id); }

void Sink::OnSubscribed(std::vector<core::SubscribeHeld> held) {
  for (const core::SubscribeHeld& request : held) {
    const auto at = subscribers_.find(request.subscriber);
    if (at == subscribers_.end()) continue;
    at->second->OnHeld(request.request);
    if (at->second->NeedsPump()) PumpInChunks({at->second});
  }
}

void Sink::OnMessages(std::vector<core::MessageDelivery> deliveries) {
  Streams to_pump;
  for (core::MessageDelivery& delivery : deliveries) {
    std::shared_ptr<SharedRun> run;
    if (delivery.missed == 0) {
      run = std::make_shared<SharedRun>(std::move(delivery.run));
    }
    for (const core::SubscriberId id : delivery.subscribers) {
      const auto at = subscribers_.find(id);
      if (at == subscribers_.end()) continue;
      if (run == nullptr) {
        at->second->OnMissed(delivery.missed);
      } else {
        at->second->Deliver(run);
      }
      if (at->second->NeedsPump()) to_pump.push_back(at->second);
    }
  }
  PumpInChunks(std::move(to_pump));
}

void Sink::AddKvStream(core::KvConnection id,
                       std::shared_ptr<KvStream> stream) {
  kv_streams_.emplace(id, std::move(stream));
}

void Sink::RemoveKvStream(core::KvConnection id) { kv_streams_.erase(id); }

void Sink::OnKvAnswers(std::vector<core::KvAnswer> answers) {
  kv_.Take(std::move(answers));
}

void Sink::WatchSent(core::WatchId id, size_t batches) {
  {
    MutexLock lock(mutex_);
    sent_.emplace_back(id, batches);
    if (sent_.size() > 1) return;  // A report is on its way.
  }
  core_->Post([this](core::Replica& replica, core::Now now) {
    ReportSent(replica, now);
  });
}

void Sink::ReportSent(core::Replica& replica, core::Now now) {
  std::vector<std::pair<core::WatchId, size_t>> sent;
  {
    MutexLock lock(mutex_);
    sent.swap(sent_);
  }
  for (const auto& [id, batches] : sent) {
    if (watches_.contains(id)) replica.WatchWritten(id, batches, now);
  }
}

void Sink::OnMembersChanged(const core::Replica& replica, core::Now now) {
  members_->OnChanged(replica, now);
}

void Sink::WhenMayWrite(CoreTask task) {
  if (stopping_) return core_->Post(std::move(task));
  writers_.push_back(std::move(task));
}

// In turns: one that is held back again waits behind the others.
void Sink::OnMayWrite() {
  for (CoreTask& task : std::exchange(writers_, {})) {
    core_->Post(std::move(task));
  }
}

void Sink::OnReadyChanged(bool ready) { health_->SetReady(ready); }

void Sink::OnDraining() {
  health_->SetDraining();
  // A copy: streams that end change the list.
  const std::vector<std::shared_ptr<SessionStream>> streams =
      sessions_.streams();
  for (const std::shared_ptr<SessionStream>& stream : streams) {
    if (stream != nullptr) stream->OnDraining();
  }
  for (const auto& [id, stream] : watches_) stream->OnDraining();
  for (const auto& [id, stream] : subscribers_) stream->OnDraining();
  for (const auto& [id, stream] : kv_streams_) stream->OnDraining();
  members_->OnDraining();
  // No session is taken over any more; no resume waits for ever.
  for (auto& [id, on_reply] : std::exchange(replies_, {})) {
    on_reply(
        absl::UnavailableError("the node is draining; resume at another one"));
  }
  FailOrders("the node is draining; use another one");
}

// Open orders wait for peers that are not heard any more.
void Sink::OnStopping() {
  stopping_ = true;
  OnMayWrite();
  FailOrders(kStopping);
  kv_.Stop();
}

void Sink::FailOrders(const char* why) {
  for (auto& [id, on_order] : std::exchange(orders_, {})) {
    on_order(absl::UnavailableError(why));
  }
}

}  // namespace muster::service
