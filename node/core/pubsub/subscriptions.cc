#include "node/core/pubsub/subscriptions.h"

#include <utility>

#include "crdt/check.h"
#include "crdt/glob.h"
#include "crdt/mutant.h"

namespace muster::core {

SubscriberId Subscriptions::Open(bool gaps) {
  const SubscriberId id = ++last_subscriber_;
  if (gaps) gaps_.insert(id);
  subscribers_.try_emplace(id);
  return id;
}

bool Subscriptions::Add(SubscriberId subscriber, bool pattern,
                        absl::string_view text) {
  Places& places = subscribers_.at(subscriber);
  Names& names = NamesOf(pattern);
  auto at = names.find(text);
  if (at == names.end()) {
    at = names.emplace(std::string(text), Name()).first;
    at->second.number = ++last_name_;
    at->second.pattern = pattern;
    at->second.text = std::make_shared<const std::string>(text);
  }
  Name& name = at->second;
  if (!places.try_emplace(&name, name.all.size()).second) return false;
  name.all.push_back(subscriber);
  Changed(name);
  return true;
}

bool Subscriptions::Remove(SubscriberId subscriber, bool pattern,
                           absl::string_view text) {
  Names& names = NamesOf(pattern);
  const auto at = names.find(text);
  if (at == names.end()) return false;
  Places& places = subscribers_.at(subscriber);
  const auto place = places.find(&at->second);
  if (place == places.end()) return false;
  if (pattern && crdt::Mutated(crdt::Mutant::kUnsubscribedStays)) return true;
  const size_t hole = place->second;
  places.erase(place);
  RemoveFrom(at->second, hole);
  return true;
}

bool Subscriptions::CloseSome(SubscriberId subscriber, size_t budget) {
  const auto it = subscribers_.find(subscriber);
  if (it == subscribers_.end()) return true;
  gaps_.erase(subscriber);
  Places& places = it->second;
  for (; budget > 0 && !places.empty(); --budget) {
    const auto [name, place] = *places.begin();
    places.erase(places.begin());
    RemoveFrom(*name, place);
  }
  if (!places.empty()) return false;
  subscribers_.erase(it);
  return true;
}

size_t Subscriptions::CountOf(SubscriberId subscriber) const {
  const auto it = subscribers_.find(subscriber);
  return it == subscribers_.end() ? 0 : it->second.size();
}

// The hole is filled by the last one served, if it was served itself, and what
// is then missing by the last of all: both parts stay together.
void Subscriptions::RemoveFrom(Name& name, size_t hole) {
  if (hole < name.served) {
    --name.served;
    if (hole != name.served) PutAt(name, hole, name.all[name.served]);
    hole = name.served;
  }
  if (hole + 1 < name.all.size()) PutAt(name, hole, name.all.back());
  name.all.pop_back();
  Changed(name);
}

void Subscriptions::PutAt(Name& name, size_t place, SubscriberId subscriber) {
  name.all[place] = subscriber;
  subscribers_.at(subscriber)[&name] = place;
}

void Subscriptions::Changed(Name& name) {
  if (std::exchange(name.changed, true)) return;
  waiting_.push_back(&name);
  ++last_ticket_;
}

std::optional<InterestChange> Subscriptions::TakeChange() {
  if (waiting_.empty()) return std::nullopt;
  Name& name = *waiting_.front();
  waiting_.pop_front();
  name.changed = false;
  InterestChange change{name.pattern, *name.text, name.all.size()};
  ForgetIfUnused(name);
  return change;
}

void Subscriptions::ForgetIfUnused(Name& name) {
  if (name.changed || name.held || !name.all.empty()) return;
  const std::shared_ptr<const std::string> text = name.text;
  NamesOf(name.pattern).erase(*text);
}

std::vector<Subscriptions::Name*> Subscriptions::Hold(
    absl::string_view channel) {
  std::vector<Name*> held;
  const auto hold = [&held](Name& name) {
    if (name.all.empty()) return;
    MUSTER_CHECK(!name.held);
    name.held = true;
    name.served = 0;
    held.push_back(&name);
  };
  const auto it = channels_.find(channel);
  if (it != channels_.end()) hold(it->second);
  for (auto& [text, name] : patterns_) {
    if (crdt::GlobMatch(text, channel)) hold(name);
  }
  return held;
}

void Subscriptions::Release(const std::vector<Name*>& names) {
  for (Name* name : names) {
    name->held = false;
    name->served = 0;
    ForgetIfUnused(*name);
  }
}

}  // namespace muster::core
