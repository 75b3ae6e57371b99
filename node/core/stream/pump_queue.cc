#include "node/core/stream/pump_queue.h"

#include <algorithm>

namespace muster::core {

using crdt::Seq;
using crdt::StreamId;

namespace {

constexpr Seq kLast{UINT64_MAX};

}  // namespace

void PumpQueue::At(LinkId link, Instant when) {
  const auto [at, added] = when_.try_emplace(link, when);
  if (!added) {
    if (at->second <= when) return;
    later_.erase({at->second, link});
    at->second = when;
  }
  later_.insert({when, link});
}

void PumpQueue::WakeAt(const Stream& stream, LinkId link, Seq at, Seq seq) {
  Waiting& waiting =
      waiting_.try_emplace(stream.id(), Waiting{{kLast, kLast}, {}})
          .first->second;
  waiting.all.at = std::min(waiting.all.at, at);
  waiting.all.seq = std::min(waiting.all.seq, seq);
  waiting.links[link] = {at, seq};
}

void PumpQueue::Unserve(const StreamId& stream, LinkId link) {
  const auto at = waiting_.find(stream);
  if (at == waiting_.end()) return;
  at->second.links.erase(link);
  if (at->second.links.empty()) waiting_.erase(at);
}

void PumpQueue::Remove(LinkId link) {
  ready_.erase(link);
  const auto at = when_.find(link);
  if (at == when_.end()) return;
  later_.erase({at->second, link});
  when_.erase(at);
}

void PumpQueue::OnLog(const StreamId& stream, Seq start, Seq last) {
  const auto it = waiting_.find(stream);
  if (it == waiting_.end()) return;
  Waiting& waiting = it->second;
  if (last < waiting.all.seq && start <= waiting.all.at) return;
  waiting.all = {kLast, kLast};
  absl::erase_if(waiting.links, [&](const auto& item) {
    const Range& range = item.second;
    if (range.seq > last && range.at >= start) {
      waiting.all.at = std::min(waiting.all.at, range.at);
      waiting.all.seq = std::min(waiting.all.seq, range.seq);
      return false;
    }
    ready_.insert(item.first);
    return true;
  });
}

void PumpQueue::WakeAll(const StreamId& stream) { OnLog(stream, Seq(), kLast); }

void PumpQueue::MakeDue(Instant now) {
  while (!later_.empty() && later_.begin()->first <= now) {
    const LinkId link = later_.begin()->second;
    later_.erase(later_.begin());
    when_.erase(link);
    ready_.insert(link);
  }
}

std::vector<LinkId> PumpQueue::Take(size_t most) {
  std::vector<LinkId> taken;
  if (ready_.size() <= most) {
    taken.assign(ready_.begin(), ready_.end());
    ready_.clear();
    return taken;
  }
  auto at = ready_.upper_bound(taken_);
  while (taken.size() < most) {
    if (at == ready_.end()) at = ready_.begin();
    taken.push_back(*at);
    at = ready_.erase(at);
  }
  taken_ = taken.back();
  return taken;
}

}  // namespace muster::core
