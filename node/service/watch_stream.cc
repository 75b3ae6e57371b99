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
namespace {

using Names = google::protobuf::RepeatedPtrField<std::string>;

absl::Status CheckNames(const char* list, const Names& names,
                        const Limits& limits) {
  absl::Status status = CheckCount(list, static_cast<size_t>(names.size()),
                                   limits.max_watch_names, "--max-watch-names");
  for (int i = 0; i < names.size() && status.ok(); ++i) {
    status = CheckName({list, static_cast<size_t>(i)}, names[i], limits);
  }
  return status;
}

std::vector<std::string> SortedOnce(const Names& names) {
  std::vector<std::string> sorted(names.begin(), names.end());
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  return sorted;
}

// The same on every node for the same wish, whatever its order.
uint64_t ScopeOf(const core::WatchRequest& request) {
  std::string text(request.counts_only ? "counts" : "entries");
  const auto append = [&text](char kind, const std::string& name) {
    absl::StrAppend(&text, std::string(1, kind), name.size(), ":", name);
  };
  for (const std::string& topic : request.topics) append('t', topic);
  for (const std::string& key : request.keys) append('k', key);
  append('p', request.prefix);
  return HashText(text);
}

absl::Status TakeVersion(const std::string& text, WatchWish* wish) {
  if (text.empty()) return absl::OkStatus();
  codec::Version version;
  if (!codec::ParseVersion(text, &version)) {
    return absl::InvalidArgumentError(
        absl::StrCat("version (", text.size(),
                     " bytes) is not one that a node has given "
                     "out; leave it empty for a fresh state"));
  }
  if (version.scope != wish->scope) {
    return absl::InvalidArgumentError(
        "version belongs to a watch of something else; leave it empty for a "
        "fresh state");
  }
  wish->request.version_life = version.life;
  wish->request.version_counter = version.counter;
  return absl::OkStatus();
}

}  // namespace

std::shared_ptr<const std::string> SharedBatch::Body() {
  std::call_once(once_, [this] {
    body_ =
        std::make_shared<const std::string>(codec::EncodeWatchBody(*batch_));
  });
  return body_;
}

absl::StatusOr<WatchWish> CheckWatch(const v1::WatchRequest& message,
                                     const Limits& limits) {
  const int kinds = (message.topics().empty() ? 0 : 1) +
                    (message.prefix().empty() ? 0 : 1) +
                    (message.keys().empty() ? 0 : 1);
  if (kinds != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        kinds == 0 ? "none" : "more than one",
        " of topics, prefix and keys is set; exactly one must be, and not "
        "empty"));
  }
  absl::Status status = CheckNames("topics", message.topics(), limits);
  if (status.ok()) status = CheckNames("keys", message.keys(), limits);
  if (status.ok() && !message.prefix().empty()) {
    status = CheckName({nullptr, 0, "prefix"}, message.prefix(), limits);
  }
  if (!status.ok()) return status;
  const absl::StatusOr<absl::Duration> interval =
      GrantInterval(message.interval_ms(), limits);
  if (!interval.ok()) return interval.status();

  WatchWish wish;
  wish.request.topics = SortedOnce(message.topics());
  wish.request.keys = SortedOnce(message.keys());
  wish.request.prefix = message.prefix();
  wish.request.counts_only = message.counts_only();
  wish.request.interval = *interval;
  wish.scope = ScopeOf(wish.request);
  status = TakeVersion(message.version(), &wish);
  if (!status.ok()) return status;
  return wish;
}

WatchStream::WatchStream(Context* context, std::string request)
    : StreamWriter(&context->offload),
      context_(*context),
      message_(std::move(request)) {}

std::shared_ptr<WatchStream> WatchStream::Self() {
  return std::static_pointer_cast<WatchStream>(shared_from_this());
}

void WatchStream::OnStarted() {
  v1::WatchRequest message;
  const absl::Status status = codec::ParseMessage(message_, &message);
  absl::StatusOr<WatchWish> wish = status.ok()
                                       ? CheckWatch(message, context_.limits)
                                       : absl::StatusOr<WatchWish>(status);
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
      serving.ok() ? replica.Watch(wish_.request, now)
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
