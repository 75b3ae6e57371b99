#include "node/core/watch/channel_names.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/hash/hash.h"

namespace muster::core {

WatchChannel* ChannelNames::Find(const WatchScope& scope) const {
  const size_t hash = absl::Hash<WatchScope>{}(scope);
  for (auto [it, end] = channels_.equal_range(hash); it != end; ++it) {
    if (it->second->scope == scope) return it->second.get();
  }
  return nullptr;
}

WatchChannel* ChannelNames::Add(WatchScope scope) {
  auto owned = std::make_unique<WatchChannel>();
  WatchChannel* channel = owned.get();
  channel->number = next_channel_++;
  channel->hash = absl::Hash<WatchScope>{}(scope);
  channel->scope = std::move(scope);
  scope_bytes_ += channel->scope.bytes();
  channels_.emplace(channel->hash, std::move(owned));
  return channel;
}

void ChannelNames::Drop(WatchChannel* channel) {
  channel->gone = true;
  scope_bytes_ -= channel->scope.bytes();
  auto it = channels_.lower_bound(channel->hash);
  while (it->second.get() != channel) ++it;
  leaving_.push_back(std::move(it->second));
  channels_.erase(it);
}

void ChannelNames::Register(WatchChannel& channel, size_t names) {
  const std::vector<std::string>& all = channel.scope.names;
  const size_t end = std::min(all.size(), channel.registered + names);
  for (size_t& at = channel.registered; at < end; ++at) {
    index_.Add(channel.scope.kind, all[at], &channel);
  }
}

void ChannelNames::Unregister(size_t names) {
  for (; names > 0 && !leaving_.empty(); --names) {
    WatchChannel& channel = *leaving_.front();
    std::vector<std::string>& all = channel.scope.names;
    if (all.empty()) {
      leaving_.pop_front();
      continue;
    }
    if (all.size() == channel.registered) {
      index_.Remove(channel.scope.kind, all.back(), &channel);
      --channel.registered;
    }
    all.pop_back();
  }
  if (!leaving_.empty() && leaving_.front()->scope.names.empty()) {
    leaving_.pop_front();
  }
}

}  // namespace muster::core
