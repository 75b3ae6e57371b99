#include "node/service/member_watch.h"

#include <algorithm>
#include <utility>

#include "muster/v1/cluster.pb.h"
#include "node/codec/client_codec.h"

namespace muster::service {
namespace {

constexpr size_t kMaxQueued = 16;

bool SameLife(const core::MemberView& a, const core::MemberView& b) {
  return a.origin.node == b.origin.node && a.origin.life == b.origin.life;
}

bool LooksTheSame(const core::MemberView& a, const core::MemberView& b) {
  return a.origin == b.origin && a.address == b.address && a.state == b.state &&
         a.linked == b.linked && a.self == b.self;
}

const core::MemberView* FindLife(const std::vector<core::MemberView>& members,
                                 const core::MemberView& member) {
  const auto at = std::find_if(
      members.begin(), members.end(),
      [&member](const core::MemberView& m) { return SameLife(m, member); });
  return at == members.end() ? nullptr : &*at;
}

std::shared_ptr<const std::string> Encode(
    const std::vector<core::MemberView>& members, bool full) {
  v1::WatchMembersResponse response;
  response.set_full(full);
  for (const core::MemberView& member : members) {
    codec::ToProto(member, response.add_members());
  }
  return std::make_shared<const std::string>(response.SerializeAsString());
}

}  // namespace

void MemberWatches::Add(std::shared_ptr<MemberStream> stream,
                        const core::Replica& replica, core::Now now) {
  const std::vector<core::MemberView> members = replica.Members(now);
  if (streams_.empty()) last_ = members;
  const auto all = Encode(members, true);
  stream->Tell(all, all);
  streams_.insert(std::move(stream));
}

void MemberWatches::Remove(const std::shared_ptr<MemberStream>& stream) {
  streams_.erase(stream);
}

void MemberWatches::OnChanged(const core::Replica& replica, core::Now now) {
  if (streams_.empty()) return;
  std::vector<core::MemberView> members = replica.Members(now);
  std::vector<core::MemberView> changed;
  for (const core::MemberView& member : members) {
    const core::MemberView* before = FindLife(last_, member);
    if (before == nullptr || !LooksTheSame(*before, member)) {
      changed.push_back(member);
    }
  }
  const bool forgotten = std::any_of(
      last_.begin(), last_.end(), [&members](const core::MemberView& before) {
        return FindLife(members, before) == nullptr;
      });
  last_ = std::move(members);
  if (changed.empty() && !forgotten) return;
  const auto all = Encode(last_, true);
  const auto news = forgotten ? all : Encode(changed, false);
  for (const std::shared_ptr<MemberStream>& stream : streams_) {
    stream->Tell(news, all);
  }
}

void MemberWatches::OnDraining() {
  for (const std::shared_ptr<MemberStream>& stream : streams_) {
    stream->OnDraining();
  }
}

MemberStream::MemberStream(CorePort* core, Offload* offload,
                           MemberWatches* watches)
    : StreamWriter(offload), core_(core), watches_(watches) {}

std::shared_ptr<MemberStream> MemberStream::Self() {
  return std::static_pointer_cast<MemberStream>(shared_from_this());
}

void MemberStream::OnStarted() {
  core_->Post([self = Self()](core::Replica& replica, core::Now now) {
    self->watches_->Add(self, replica, now);
  });
}

void MemberStream::Tell(const std::shared_ptr<const std::string>& news,
                        const std::shared_ptr<const std::string>& all) {
  {
    MutexLock lock(mutex());
    if (queue_.size() < kMaxQueued) {
      queue_.push_back(news);
    } else {
      queue_.clear();
      queue_.push_back(all);
    }
  }
  Wake();
}

bool MemberStream::HasNext() const { return !queue_.empty(); }

std::optional<Outgoing> MemberStream::TakeNext() {
  MutexLock lock(mutex());
  if (queue_.empty()) return std::nullopt;
  Outgoing message;
  message.body = std::move(queue_.front());
  queue_.pop_front();
  return message;
}

void MemberStream::OnDraining() {
  End(absl::UnavailableError("the node is draining; watch at another one"));
}

void MemberStream::OnClosed() {
  core_->Post([self = Self()](core::Replica&, core::Now) {
    self->watches_->Remove(self);
  });
}

}  // namespace muster::service
