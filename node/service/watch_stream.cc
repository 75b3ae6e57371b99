#include "node/service/watch_stream.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "node/codec/client_codec.h"
#include "node/codec/opaque_text.h"
#include "node/service/sink.h"
#include "node/service/tokens.h"
#include "node/service/validate.h"

namespace muster::service {
std::shared_ptr<const std::string> SharedBatch::Body() {
  std::call_once(once_, [this] {
    body_ =
        std::make_shared<const std::string>(codec::EncodeWatchBody(*batch_));
  });
  return body_;
}

WatchStream::WatchStream(Context* context, std::string request)
    : StreamWriter(&context->offload),
      context_(*context),
      message_(std::move(request)) {}

std::shared_ptr<WatchStream> WatchStream::Self() {
  return std::static_pointer_cast<WatchStream>(shared_from_this());
}

void WatchStream::OnStarted() {
  absl::StatusOr<WatchWish> wish = DecodeWatch(message_, context_.limits);
  if (!wish.ok()) {
    End(wish.status());
    return;
  }
  wish_ = *std::move(wish);
  context_.core.Post([self = Self()](core::Replica& replica, core::Now now) {
    self->Open(replica, now);
  });
}

void WatchStream::Open(core::Replica& replica, core::Now now) {
  const absl::Status serving = replica.Serving();
  const absl::StatusOr<core::WatchId> id =
      serving.ok() ? replica.Watch(std::move(wish_.request), now)
                   : absl::StatusOr<core::WatchId>(serving);
  if (!id.ok()) {
    End(id.status());
    return;
  }
  wish_.request = {};
  id_ = *id;
  context_.sink.AddWatch(id_, Self());
}

void WatchStream::Deliver(const std::shared_ptr<SharedBatch>& batch) {
  size_t dropped = 0;
  {
    MutexLock lock(mutex());
    if (batch->batch().reset) {
      dropped = queue_.size();
      queue_.clear();
    }
    queue_.push_back(batch);
  }
  if (dropped > 0) context_.sink.WatchSent(id_, dropped);
}

bool WatchStream::HasNext() const { return !queue_.empty(); }

std::optional<Outgoing> WatchStream::TakeNext() {
  std::shared_ptr<SharedBatch> batch;
  {
    MutexLock lock(mutex());
    if (queue_.empty()) return std::nullopt;
    batch = std::move(queue_.front());
    queue_.pop_front();
  }
  return Outgoing{codec::EncodeWatchVersion(batch->batch(), wish_.scope),
                  batch->Body()};
}

void WatchStream::OnSent() { context_.sink.WatchSent(id_, 1); }

void WatchStream::OnDraining() {
  End(absl::UnavailableError(absl::StrCat(
      "node ", context_.node, " is draining; watch at another one")));
}

void WatchStream::OnClosed() {
  context_.core.Post([self = Self()](core::Replica& replica, core::Now) {
    self->Close(replica);
  });
}

void WatchStream::Close(core::Replica& replica) {
  if (id_ == 0) return;
  context_.sink.RemoveWatch(id_);
  replica.EndWatch(id_);
}

}  // namespace muster::service
