#include "tests/sim/subscribers.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/sim/network.h"

namespace muster::sim {
namespace {

// A message waits 2 s at most for what its publisher had subscribed to.
constexpr SimTime kPatience = 4 * kSecond;
constexpr SimTime kOrderPatience = 2 * kSecond;
constexpr SimTime kWatchEvery = kSecond / 2;
// What a round may take, beside its round trips.
constexpr SimTime kRoundWithin = 10 * kSecond;

std::string PayloadOf(const PubSubModel::Message& message) {
  return absl::StrCat(message.process, ":", message.number);
}

PubSubModel::Message MessageOf(absl::string_view payload) {
  PubSubModel::Message message;
  const std::vector<std::string> parts = absl::StrSplit(payload, ':');
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &message.process) ||
      !absl::SimpleAtoi(parts[1], &message.number)) {
    return {};
  }
  return message;
}

core::SubscribeRequest RequestOf(const Subscribers::Names& remove,
                                 const Subscribers::Names& add) {
  core::SubscribeRequest request;
  for (const auto& name : remove) {
    (name.pattern ? request.punsubscribe : request.unsubscribe)
        .push_back(name.text);
  }
  for (const auto& name : add) {
    (name.pattern ? request.psubscribe : request.subscribe)
        .push_back(name.text);
  }
  return request;
}

}  // namespace

// ------------------------------------------------------------------- clients

Subscriber& Subscribers::Open(Process& at, bool gaps, Names names) {
  all_.push_back(std::make_unique<Subscriber>());
  Subscriber& subscriber = *all_.back();
  subscriber.at = &at;
  subscriber.gaps = gaps;
  at.Post([this, &subscriber, &at, names = std::move(names)](
              core::Replica& replica, core::Now now) {
    OpenNow(subscriber, at, replica, now, names);
  });
  return subscriber;
}

void Subscribers::OpenNow(Subscriber& subscriber, Process& at,
                          core::Replica& replica, core::Now now,
                          const Names& names) {
  const auto id = replica.OpenSubscriber(subscriber.gaps, now);
  if (!id.ok()) {
    subscriber.at = nullptr;
    return;
  }
  subscriber.id = *id;
  subscriber.number = model_.Open(at.number, subscriber.gaps);
  by_id_[{at.number, *id}] = &subscriber;
  Ask(subscriber, replica, now, {}, names);
}

void Subscribers::Change(Subscriber& subscriber, Names remove, Names add) {
  if (subscriber.at == nullptr) return;
  Process& at = *subscriber.at;
  at.Post([this, &subscriber, &at, remove = std::move(remove),
           add = std::move(add)](core::Replica& replica, core::Now now) {
    if (subscriber.at != &at || subscriber.number < 0) return;
    Ask(subscriber, replica, now, remove, add);
  });
}

void Subscribers::Ask(Subscriber& subscriber, core::Replica& replica,
                      core::Now now, const Names& remove, const Names& add) {
  for (const Name& name : add) {
    if (!name.pattern) channels_.insert(name.text);
  }
  const uint64_t request = model_.Asked(subscriber.number, remove, add);
  subscriber.asked[request] = add;
  replica.Subscribe(subscriber.id, request, RequestOf(remove, add), now);
}

void Subscribers::Close(Subscriber& subscriber) {
  if (subscriber.at == nullptr) return;
  Process& at = *subscriber.at;
  at.Post([this, &subscriber, &at](core::Replica& replica, core::Now now) {
    if (subscriber.at != &at || subscriber.number < 0) return;
    subscriber.at = nullptr;
    model_.Closed(subscriber.number);
    replica.CloseSubscriber(subscriber.id, now);
  });
}

void Subscribers::Publish(Process& at, std::vector<std::string> channels) {
  at.Post([this, &at, channels = std::move(channels)](core::Replica& replica,
                                                      core::Now now) {
    PublishNow(at, replica, now, channels);
  });
}

void Subscribers::PublishNow(Process& at, core::Replica& replica, core::Now now,
                             const std::vector<std::string>& channels) {
  // A node of the version before has no pub/sub.
  if (at.feature_level < core::kRoutedLevel) return;
  if (!replica.Serving().ok()) return;
  auto batch = std::make_shared<core::MessageBatch>();
  std::vector<PubSubModel::Message> messages;
  for (const std::string& channel : channels) {
    channels_.insert(channel);
    messages.push_back(model_.Published(at.number, channel));
    written_[messages.back()] = {InterestAt(at, at), world_.now()};
    batch->messages.push_back({batch->arena.Copy(channel),
                               batch->arena.Copy(PayloadOf(messages.back()))});
    if (on_published != nullptr) on_published(at, messages.back());
    Expect(at, channel, messages.back());
  }
  const auto met = replica.Publish(std::move(batch), now);
  if (!met.ok()) {
    return world_.Fail(
        absl::StrCat("a publish was refused: ", met.status().ToString()));
  }
  for (size_t i = 0; round_ && i < channels.size(); ++i) {
    const uint64_t expected = model_.Matching(channels[i]);
    if ((*met)[i] == expected) continue;
    return world_.Fail(absl::StrCat(
        "P6: a publish on ", channels[i], " at ", at.name(), "#", at.number,
        " meets ", (*met)[i], " subscriptions, where there are ", expected));
  }
}

// -------------------------------------------------------- what must arrive

void Subscribers::Expect(Process& at, const std::string& channel,
                         const PubSubModel::Message& message) {
  for (const auto& subscriber : all_) {
    if (subscriber->at == nullptr || subscriber->number < 0) continue;
    bool sent = false;
    for (const auto& [name, answer] : subscriber->answers) {
      if (!name.Matches(channel) || !model_.Holds(subscriber->number, name)) {
        continue;
      }
      if (MustReach(at, *subscriber, name)) {
        model_.MustArrive(subscriber->number, name, message, world_.now());
      }
      sent |=
          subscriber->at != &at && Shows(at, *subscriber->at, answer.interest);
    }
    if (sent) model_.WasSent(subscriber->number, message);
  }
}

bool Subscribers::MustReach(Process& from, const Subscriber& to,
                            const Name& name) {
  Process& at = *to.at;
  if (&from == &at) return true;
  if (hostile_ || lossy_ || tight_) return false;
  if (std::min(from.feature_level, at.feature_level) < core::kRoutedLevel) {
    return false;
  }
  const Subscriber::Answer& answer = to.answers.at(name);
  const bool waited_for = !narrow_ && answer.living.contains(from.number);
  if (!waited_for && !Shows(from, at, answer.interest)) return false;
  if (round_) return true;
  if (Open(from.host.index, at.host.index)) return Undisturbed(from, at);
  return AllUndisturbed() && Connected(from, at);
}

bool Subscribers::Shows(Process& at, const Process& of, crdt::Seq interest) {
  for (const core::StreamView& s : at.replica().Status(at.Now()).streams) {
    if (s.origin.life != of.life) continue;
    if (s.kind != crdt::StreamKind::kInterest) continue;
    return !s.hidden && !s.rebasing && s.seq >= interest;
  }
  return false;
}

crdt::Seq Subscribers::InterestAt(Process& at, const Process& of) {
  for (const core::StreamView& s : at.replica().Status(at.Now()).streams) {
    const bool interest = s.kind == crdt::StreamKind::kInterest;
    if (interest && s.origin.life == of.life) return s.seq;
  }
  return {};
}

// P11
void Subscribers::CheckOrder(Process& at, const PubSubModel::Message& message) {
  const auto written = written_.find(message);
  if (written == written_.end() || message.process == at.number) return;
  const auto& [interest, since] = written->second;
  if (world_.now() - since >= kOrderPatience) return;
  const Process& of = *world_.processes()[static_cast<size_t>(message.process)];
  if (InterestAt(at, of) >= interest) return;
  world_.Fail(absl::StrCat("P11: ", ToString(message), " is given at ",
                           at.name(), "#", at.number,
                           " before what its node had subscribed to"));
}

bool Subscribers::Steady(const Process& process, SimTime since) const {
  const auto touched = host_touched_.find(process.host.index);
  return process.running() && process.step_cost == 0 &&
         (touched == host_touched_.end() || touched->second <= since);
}

bool Subscribers::Open(int a, int b) {
  return world_.network().Open(a, b) && world_.network().Open(b, a);
}

// A link may have to be found dead and made anew, over a slow path.
SimTime Subscribers::Settled() {
  SimTime longest = 0;
  for (const auto& a : world_.hosts()) {
    for (const auto& b : world_.hosts()) {
      const Path& path = world_.network().path(a->index, b->index);
      longest = std::max(longest, path.latency + path.jitter);
    }
  }
  return 5 * kSecond + 20 * longest;
}

bool Subscribers::Undisturbed(const Process& a, const Process& b) {
  const SimTime since = world_.now() - Settled();
  const auto path = path_touched_.find(std::minmax(a.host.index, b.host.index));
  return Steady(a, since) && Steady(b, since) &&
         (path == path_touched_.end() || path->second <= since);
}

bool Subscribers::AllUndisturbed() {
  const std::vector<Process*> alive = world_.Alive();
  return touched_ <= world_.now() - 2 * Settled() &&
         std::all_of(alive.begin(), alive.end(), [](const Process* process) {
           return process->running() && process->step_cost == 0;
         });
}

// By processes that can read routed frames, no more than the links that a
// frame may come over: so that the longest way there has no more.
bool Subscribers::Connected(const Process& a, const Process& b) {
  std::set<int> reached = {a.host.index};
  std::vector<int> edge = {a.host.index};
  while (!edge.empty()) {
    const int from = edge.back();
    edge.pop_back();
    for (Process* process : world_.Alive()) {
      const int to = process->host.index;
      if (process->feature_level < core::kRoutedLevel || !Open(from, to) ||
          !reached.insert(to).second) {
        continue;
      }
      edge.push_back(to);
    }
  }
  return reached.contains(b.host.index) && reached.size() <= core::kMaxHops + 1;
}

// -------------------------------------------------------------------- faults

void Subscribers::TouchHost(int host, bool harm) {
  touched_ = host_touched_[host] = world_.now();
  harmed_ |= harm;
  const Process* process = world_.hosts()[static_cast<size_t>(host)]->process;
  if (process == nullptr) return;
  for (Process* other : world_.Alive()) {
    if (other != process) model_.Excuse(process->number, other->number);
  }
}

void Subscribers::TouchPath(int a, int b, bool harm) {
  touched_ = path_touched_[std::minmax(a, b)] = world_.now();
  harmed_ |= harm;
  const Process* first = world_.hosts()[static_cast<size_t>(a)]->process;
  const Process* second = world_.hosts()[static_cast<size_t>(b)]->process;
  if (first == nullptr || second == nullptr) return;
  model_.Excuse(first->number, second->number);
  // Others may have no way but this one.
  for (Process* x : world_.Alive()) {
    for (Process* y : world_.Alive()) {
      if (!Open(x->host.index, y->host.index)) {
        model_.Excuse(x->number, y->number);
      }
    }
  }
}

void Subscribers::OnGone(Process& process) {
  TouchHost(process.host.index);
  for (Process* x : world_.Alive()) {
    for (Process* y : world_.Alive()) {
      if (!Open(x->host.index, y->host.index)) {
        model_.Excuse(x->number, y->number);
      }
    }
  }
  model_.ProcessGone(process.number);
  for (auto& subscriber : all_) {
    if (subscriber->at == &process) subscriber->at = nullptr;
  }
}

// ----------------------------------------------------------------- answers

void Subscribers::OnHeld(Process& from, const core::SubscribeHeld& held) {
  const auto found = by_id_.find({from.number, held.subscriber});
  if (found == by_id_.end()) {
    return world_.Fail("P8: a request of no subscriber is answered");
  }
  Subscriber& subscriber = *found->second;
  if (subscriber.at == nullptr) return;
  Check(model_.Answered(subscriber.number, held.request));
  Subscriber::Answer answer;
  std::set<crdt::LifeId> known;
  const core::StatusView status = from.replica().Status(from.Now());
  for (const core::StreamView& s : status.streams) {
    if (s.kind != crdt::StreamKind::kInterest) continue;
    known.insert(s.origin.life);
    if (s.origin.life == from.life) answer.interest = s.seq;
  }
  for (const core::MemberView& m : from.replica().Members(from.Now())) {
    if (m.state != core::MemberState::kAlive) continue;
    for (Process* other : world_.Alive()) {
      if (other->life != m.origin.life || other == &from) continue;
      if (m.linked || known.contains(other->life)) {
        answer.living.insert(other->number);
      }
    }
  }
  const Names names = subscriber.asked.extract(held.request).mapped();
  for (const Name& name : names) subscriber.answers[name] = answer;
  if (askers_ && !names.empty() && world_.rng().OneIn(2)) Answer(names);
}

// As whoever was asked answers on the channel that the asker named: at any
// other node, in the same moment.
void Subscribers::Answer(const Names& names) {
  std::vector<std::string> channels;
  for (const std::string& channel : channels_) {
    if (names.front().Matches(channel)) channels.push_back(channel);
  }
  const std::vector<Process*> alive = world_.Alive();
  if (channels.empty() || alive.empty()) return;
  Process* at = alive[world_.rng().Below(alive.size())];
  world_.After(
      0, [this, at, channel = channels.front()] { Publish(*at, {channel}); });
}

void Subscribers::OnMessages(Process& from,
                             const core::MessageDelivery& delivery) {
  for (const core::SubscriberId id : delivery.subscribers) {
    const auto found = by_id_.find({from.number, id});
    if (found == by_id_.end()) {
      return world_.Fail("P1: a message is given to no subscriber");
    }
    Subscriber& subscriber = *found->second;
    if (subscriber.at == nullptr) continue;
    if (delivery.missed > 0) {
      subscriber.missed += delivery.missed;
      Check(model_.Missed(subscriber.number, delivery.missed));
      if (!harmed_ && !hostile_ && !lossy_ && !tight_) {
        world_.Fail("P7: messages are told to be lost, and nothing was wrong");
      }
      continue;
    }
    const core::MessageRun& run = delivery.run;
    for (size_t i = run.first; i < run.first + run.count; ++i) {
      const core::Message& message = run.batch->messages[i];
      const std::string channel(message.channel);
      const Name name = {run.pattern != nullptr,
                         run.pattern != nullptr ? *run.pattern : channel};
      ++subscriber.messages;
      CheckOrder(from, MessageOf(message.payload));
      if (on_given != nullptr) on_given(from, MessageOf(message.payload));
      Check(model_.Given(subscriber.number, name, channel,
                         MessageOf(message.payload)));
    }
  }
}

void Subscribers::OnFrame(Process& from, const core::Frame& frame) {
  const auto* routed = std::get_if<core::RoutedFrame>(&frame.body);
  if (routed == nullptr) return;
  if (routed->hops >= 1 && routed->hops <= core::kMaxHops) return;
  world_.Fail(absl::StrCat("P10: ", from.name(), "#", from.number,
                           " sends a frame over link ", routed->hops,
                           " of its way"));
}

// -------------------------------------------------------------- quiet points

std::string Subscribers::CountsDiffer(Process& process) {
  const core::Replica& replica = process.replica();
  const std::string where =
      absl::StrCat("P6: ", process.name(), "#", process.number, " counts ");
  const std::map<std::string, uint64_t> channels = model_.Channels();
  std::map<std::string, uint64_t> listed;
  std::string after;
  for (bool more = true; more;) {
    const auto page = replica.Channels("*", after, 3);
    for (const auto& channel : page.channels) {
      listed[std::string(channel.name)] = channel.subscribers;
    }
    after = std::string(page.next);
    more = page.more;
  }
  for (const std::string& name : channels_) {
    const auto at = channels.find(name);
    const uint64_t expected = at == channels.end() ? 0 : at->second;
    const uint64_t counted = replica.Subscribers(name);
    if (counted == expected && listed[name] == expected) continue;
    return absl::StrCat(where, counted, " subscribers of ", name, ", lists ",
                        listed[name], ", and there are ", expected);
  }
  const size_t patterns = model_.Patterns().size();
  if (replica.PatternCount() == patterns) return "";
  return absl::StrCat(where, replica.PatternCount(),
                      " patterns, and there are ", patterns);
}

std::string Subscribers::NotQuiet() {
  if (!model_.AllAnswered()) return "P8: a request is not answered";
  for (Process* process : world_.Alive()) {
    if (process->feature_level < core::kRoutedLevel) continue;
    std::string wrong = CountsDiffer(*process);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

void Subscribers::Round() {
  // What was cut a moment ago may still be found to stand still, and made anew:
  // what is on its way then is lost (seed 41).
  world_.RunFor(Settled());
  round_ = !lossy_;
  const std::vector<std::string> channels(channels_.begin(), channels_.end());
  for (Process* process : world_.Alive()) {
    if (process->feature_level >= core::kRoutedLevel) {
      Publish(*process, channels);
    }
  }
  const bool all = world_.RunUntilTrue(
      [this] { return model_.Overdue(world_.now(), -1).empty(); },
      kRoundWithin + Settled());
  round_ = false;
  if (!all) Check(model_.Overdue(world_.now(), -1));
}

void Subscribers::Watch() {
  world_.After(kWatchEvery, [this] {
    if (!narrow_ && !round_) {
      Check(model_.Overdue(world_.now(), kPatience + Settled()));
    }
    Watch();
  });
}

}  // namespace muster::sim
