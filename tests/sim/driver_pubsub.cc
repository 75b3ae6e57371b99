// The operations of the plan with pub/sub.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/sim/driver.h"
#include "tests/sim/network.h"

namespace muster::sim {
namespace {

// A rest is long enough for all ways to settle, by relays too.
constexpr SimTime kRest = 11 * kSecond;
constexpr SimTime kRestRoundTrips = 40;
constexpr SimTime kAfterRest = kSecond;
// A frozen member is down by then, and forgotten.
constexpr SimTime kForgetAfter = 4 * kSecond;
constexpr SimTime kThawAfter = 5 * kSecond;
constexpr SimTime kBeforeFreeze = 50 * kMillisecond;
// Publishes, a second apart.
constexpr int kPublishedAfterThaw = 3;
const char* const kPatterns[] = {"*",     "c*",     "c?",   "c[0-2]",
                                 "c[^1]", "?[1-3]", "\\c3", "d*"};

}  // namespace

void Driver::StartNode(Host& host, int node) {
  Process& process = checks_.Start(host, plan_.NodeOptions(node, plan_.nodes));
  const bool first_life = process.number < plan_.nodes;
  const bool old = first_life && node < plan_.old_nodes;
  uint32_t level = core::kRoutedLevel - 1;
  if (HasPubSub()) level = core::kRoutedLevel;
  if (HasKeyspace()) level = core::kKeyspaceLevel;
  if (HasPubSub() && old) --level;
  process.feature_level = level;
}

void Driver::DoPubSub(Op op) {
  switch (op) {
    case Op::kSubscriber:
    case Op::kChangeNames:
    case Op::kCloseSubscriber:
      return DoSubscriber(op);
    case Op::kPublishMany:
      return PublishMany();
    case Op::kRest:
      return Rest();
    case Op::kForgetMember:
      return ForgetMember();
    default:
      break;
  }
  Process* at = SomeListener();
  if (at == nullptr) return;
  const std::vector<std::string> channels = SomeChannels(plan_.batch);
  Say(op, absl::StrCat(channels.size(), " at ", at->name()));
  checks_.subscribers().Publish(*at, channels);
}

void Driver::DoSubscriber(Op op) {
  Subscribers& subscribers = checks_.subscribers();
  if (op == Op::kSubscriber) {
    Process* at = SomeListener();
    if (at == nullptr) return;
    Say(op, at->name());
    // Drawn one after the other: the order of arguments is the compiler's.
    Subscribers::Names names = SomeNames(3);
    const bool reads = rng_.OneIn(2);
    subscribers.Open(*at, reads, std::move(names));
    return;
  }
  std::vector<Subscriber*> open;
  for (auto& subscriber : subscribers.all()) {
    if (subscriber->at != nullptr) open.push_back(subscriber.get());
  }
  if (open.empty()) return;
  Subscriber& subscriber = *open[rng_.Below(open.size())];
  Say(op, absl::StrCat(subscriber.number, " at ", subscriber.at->name()));
  if (op == Op::kCloseSubscriber) return subscribers.Close(subscriber);
  Subscribers::Names remove;
  for (const auto& [name, answer] : subscriber.answers) {
    if (rng_.OneIn(3)) remove.push_back(name);
  }
  // What it does not have, too: an error, and nothing else.
  if (rng_.OneIn(8)) remove.push_back({false, "never"});
  Subscribers::Names add;
  if (!rng_.OneIn(3)) add = SomeNames(3);
  subscribers.Change(subscriber, std::move(remove), std::move(add));
}

// Of the version that has pub/sub.
Process* Driver::SomeListener() {
  std::vector<Process*> alive = world_.Alive();
  std::erase_if(alive, [](const Process* process) {
    return process->feature_level < core::kRoutedLevel;
  });
  return alive.empty() ? nullptr : alive[rng_.Below(alive.size())];
}

std::string Driver::SomeChannel() {
  return absl::StrCat("c", rng_.Below(static_cast<uint64_t>(plan_.channels)));
}

PubSubModel::Name Driver::SomeName() {
  if (!rng_.OneIn(3)) return {false, SomeChannel()};
  return {true, kPatterns[rng_.Below(std::size(kPatterns))]};
}

Subscribers::Names Driver::SomeNames(int64_t most) {
  Subscribers::Names names;
  for (int64_t n = rng_.Range(1, most); n > 0; --n) names.push_back(SomeName());
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::vector<std::string> Driver::SomeChannels(int64_t most) {
  std::vector<std::string> channels;
  for (int64_t n = rng_.Range(1, most); n > 0; --n) {
    channels.push_back(SomeChannel());
  }
  return channels;
}

// Within two seconds, so that faults of that time hit what is on its way.
void Driver::PublishMany() {
  Process* at = SomeListener();
  if (at == nullptr) return;
  const int64_t batches = rng_.Range(5, 40);
  const SimTime every = rng_.Pick<SimTime>({100, 5'000, 50'000});
  Say(Op::kPublishMany, absl::StrCat(batches, " at ", at->name()));
  for (int64_t i = 0; i < batches; ++i) {
    world_.After(i * every, [this, at] {
      if (at->alive()) checks_.subscribers().Publish(*at, SomeChannels(3));
    });
  }
}

// Nothing is done for a while; then whatever is connected, by relays too, hears
// what is published.
void Driver::Rest() {
  Say(Op::kRest, "");
  world_.RunFor(kRest + kRestRoundTrips * (plan_.latency + plan_.jitter) * 5);
  for (Process* process : world_.Alive()) {
    if (process->feature_level < core::kRoutedLevel) continue;
    checks_.subscribers().Publish(*process, SomeChannels(4));
  }
  world_.RunFor(kAfterRest);
}

// A member stands still until it is down; an administrator has it forgotten, it
// comes back as the life that it was, and mail to it begins anew.
void Driver::ForgetMember() {
  Process* victim = SomeListener();
  if (victim == nullptr || victim->frozen()) return;
  Process* at = SomeOther(victim);
  if (at == nullptr) return;
  Say(Op::kForgetMember, absl::StrCat(victim->name(), " at ", at->name()));
  const std::vector<std::string> channels = SomeChannels(4);
  checks_.subscribers().Publish(*at, channels);
  world_.RunFor(kBeforeFreeze + 3 * plan_.latency);
  if (!victim->alive() || victim->frozen()) return;
  checks_.Freeze(*victim);
  world_.After(kForgetAfter, [this, victim, at] {
    if (!at->running() || !victim->alive() || !victim->frozen()) return;
    checks_.subscribers().OnForget();
    clients_.Forget(*at, victim->name());
  });
  world_.After(kThawAfter, [this, victim] {
    if (victim->alive()) checks_.Thaw(*victim);
  });
  for (int n = 1; n <= kPublishedAfterThaw; ++n) {
    world_.After(kThawAfter + n * kSecond, [this, at, channels] {
      if (at->alive()) checks_.subscribers().Publish(*at, channels);
    });
  }
}

}  // namespace muster::sim
