#include "tests/sim/key_checks.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/network.h"

namespace muster::sim {
namespace {

using Role = core::KvStatusView::Role;

constexpr SimTime kContactEvery = 50 * kMillisecond;
// A member has answered within this if a due key is removed; and what it may
// have said on the way before it fell silent.
constexpr SimTime kAnswersWithin = kSecond;
constexpr SimTime kOnItsWay = 500 * kMillisecond;
// A message waits so long for what its publisher had seen.
constexpr SimTime kWaitsFor = 2 * kSecond;
// K1 is looked at in full after so many changes.
constexpr uint64_t kInFull = 16;

bool IsMember(const Process& process) {
  return process.feature_level >= core::kKeyspaceLevel;
}

std::string NameOf(const kv::KeyName& key, const kv::ElementName& element,
                   kv::VersionKind kind, int item_life) {
  return absl::StrCat(key.key, " ", static_cast<int>(element.kind), ":",
                      element.name, item_life < 0 ? "" : "item ",
                      item_life < 0 ? "" : absl::StrCat(item_life, ":"),
                      item_life < 0 ? 0 : element.item.seq.value, ".",
                      element.item.index, " kind ", static_cast<int>(kind));
}

}  // namespace

KeyChecks::KeyChecks(World& world) : world_(world), clients_(world, model_) {
  clients_.needs_two = [this](const Process& at) {
    if (lossy_ || calm_ == nullptr || !calm_()) return false;
    if (at.options.keyspace.ack == core::KvAckPolicy::kLocal) return false;
    const std::vector<Process*> members = Members();
    return members.size() > 1 && NotLed(members).empty();
  };
}

void KeyChecks::set_on(bool on) {
  if (on && !on_) NoteContacts();
  on_ = on;
}

void KeyChecks::set_slowest(SimTime slowest) {
  slowest_ = slowest;
  deadlines_ = KeyDeadlines(200 * kMillisecond + 10 * slowest);
  clients_.slack = 500 * kMillisecond + 20 * slowest;
}

int KeyChecks::NumberOf(const crdt::LifeId& life) const {
  const auto known = numbers_.find(life);
  if (known != numbers_.end()) return known->second;
  for (const auto& process : world_.processes()) {
    numbers_[process->life] = process->number;
  }
  return numbers_.contains(life) ? numbers_[life] : -1;
}

KeyspaceModel::Context KeyChecks::ContextOf(const Process& process) const {
  KeyspaceModel::Context context;
  for (const auto& [life, seq] :
       process.replica().kv_state().context().seqs()) {
    context[NumberOf(life)] = seq.value;
  }
  return context;
}

std::vector<Process*> KeyChecks::Members() {
  std::vector<Process*> members = world_.Alive();
  std::erase_if(members, [](const Process* p) { return !IsMember(*p); });
  return members;
}

// ----------------------------------------------------------------- every step

// All that the process holds of the keys that were ever named.
void KeyChecks::Scan(
    Process& process, Seen& seen, KeyspaceModel::State& state,
    std::map<std::string, int64_t>& sums,
    std::vector<std::pair<std::string, KeyspaceModel::Version>>& made) {
  const uint64_t had = model_.Knows(process.number)
                           ? model_.UptoOf(process.number, process.number)
                           : 0;
  seen.expiring.clear();
  const auto visit = [&](const kv::KeyName& key, const kv::ElementName& element,
                         const kv::Versions& versions) {
    if (key.key[0] == 'e') seen.expiring.insert(std::string(key.key));
    const int item = element.item.IsNil() ? -1 : NumberOf(element.item.life);
    for (const kv::Version& version : versions) {
      KeyspaceModel::Version held;
      held.where = NameOf(key, element, version.kind, item);
      held.life = NumberOf(version.dot.life);
      held.seq = version.dot.seq.value;
      held.index = version.dot.index;
      const bool own = held.life == process.number;
      if (own && version.kind == kv::VersionKind::kCount) {
        sums[std::string(key.key)] = version.sum;
      }
      if (own && held.seq > had && version.kind == kv::VersionKind::kValue) {
        made.emplace_back(std::string(version.bytes), held);
      }
      state.versions.insert(std::move(held));
    }
  };
  for (const std::string& key : clients_.keys()) {
    process.replica().kv_state().ScanKey({0, key}, visit);
  }
}

void KeyChecks::OnStepped(Process& process) {
  if (!on_ || !process.alive() || !IsMember(process)) return;
  const kv::Keyspace& keyspace = process.replica().kv_state();
  Seen& seen = seen_[process.number];
  const core::KvStatusView status = process.replica().KvStatus();
  const bool whole = status.role != Role::kGathering && !status.exchanging;
  const bool same = model_.Knows(process.number) &&
                    seen.context == keyspace.context().digest() &&
                    seen.digest == keyspace.digests().all() &&
                    seen.whole == whole;
  seen.exchanging = status.exchanging;
  if (same) return;
  seen.context = keyspace.context().digest();
  seen.digest = keyspace.digests().all();
  seen.whole = whole;
  KeyspaceModel::State state;
  state.context = ContextOf(process);
  state.context_digest = seen.context;
  state.digest = seen.digest;
  state.whole = whole;
  const uint64_t had = model_.Knows(process.number)
                           ? model_.UptoOf(process.number, process.number)
                           : 0;
  const std::set<std::string> expiring = seen.expiring;
  std::map<std::string, int64_t> sums;
  std::vector<std::pair<std::string, KeyspaceModel::Version>> made;
  Scan(process, seen, state, sums, made);
  const auto own = state.context.find(process.number);
  KeyspaceModel::Context before =
      had > 0 ? model_.state(process.number).context : KeyspaceModel::Context();
  if (own != state.context.end()) before[process.number] = own->second;
  // And took nothing in.
  const bool wrote = own != state.context.end() && own->second > had &&
                     before == state.context;
  Check(model_.Holds(process.number, std::move(state)));
  for (const auto& [value, version] : made) {
    Check(model_.Executed(value, version));
  }
  NoteCounts(process, seen, sums, had);
  if (wrote && status.role == Role::kLeading) {
    CheckRemovals(process, expiring, seen.expiring);
  }
  if (whole && ++changes_ % kInFull == 0) Check(model_.Follows(process.number));
}

void KeyChecks::OnFrame(const Process& from, const core::Frame& frame) {
  if (!on_) return;
  const auto* routed = std::get_if<core::RoutedFrame>(&frame.body);
  if (routed == nullptr || routed->from != from.life) return;
  const auto* body = std::get_if<core::KvBody>(&routed->body);
  if (body == nullptr) return;
  const auto* sent = std::get_if<core::KvMutations>(body);
  if (sent == nullptr || sent->mutations == nullptr) return;
  absl::string_view bytes = *sent->mutations;
  for (uint64_t i = 0; i < sent->count; ++i) {
    kv::MutationReader reader;
    if (!reader.Take(bytes)) return world_.Fail("K1: malformed mutations");
    kv::Op op;
    while (reader.Next(op)) NoteOp(op, from.number, sent->first.value + i);
  }
}

void KeyChecks::NoteOp(const kv::Op& op, int life, uint64_t seq) {
  using Kind = kv::Op::Kind;
  const auto executed = [&](const std::string& effect) {
    Check(model_.Executed(effect, life, seq - 1, seq));
  };
  if (op.kind == Kind::kPutString || op.kind == Kind::kPutField) {
    executed(std::string(op.value));
  } else if (op.kind == Kind::kIncrement) {
    executed(absl::StrCat(op.key.key, "+", op.amount));
  } else if (op.kind == Kind::kPush) {
    absl::string_view values = op.values;
    absl::string_view value;
    while (kv::TakeValue(values, value)) executed(std::string(value));
  }
}

// By the digits that a leader's sums have got.
void KeyChecks::NoteCounts(Process& process, Seen& seen,
                           const std::map<std::string, int64_t>& sums,
                           uint64_t had) {
  const uint64_t upto = model_.UptoOf(process.number, process.number);
  for (const auto& [key, sum] : sums) {
    int64_t& before = seen.own_sums[key];
    int64_t more = sum - std::exchange(before, sum);
    if (more == 0) continue;
    const auto counter = clients_.counters().find(key);
    if (counter == clients_.counters().end()) continue;
    for (const std::string& effect : counter->second) {
      for (int64_t times = more % 4; times > 0; --times) {
        Check(model_.Executed(effect, process.number, had, upto));
      }
      more /= 4;
    }
  }
}

void KeyChecks::OnGone(Process& process) {
  if (!on_) return;
  clients_.OnGone(process);
  if (!IsMember(process)) return;
  // What only it could hold goes with it.
  const std::vector<Process*> members = Members();
  const bool others =
      std::any_of(members.begin(), members.end(),
                  [&](const Process* other) { return other != &process; });
  // A member that it does not reach is a failure, too.
  const std::set<int> reached = ReachedFrom(process.host.index, members);
  const bool whole =
      std::all_of(members.begin(), members.end(), [&](const Process* other) {
        return reached.contains(other->host.index);
      });
  const bool alone = !lossy_ && others && whole && calm_ != nullptr &&
                     calm_() &&
                     process.options.keyspace.ack != core::KvAckPolicy::kLocal;
  Check(model_.Gone(process.number, alone));
}

// ------------------------------------------------------------------------- K9

void KeyChecks::NoteContacts() {
  world_.After(kContactEvery, [this] {
    SeeContacts();
    NoteContacts();
  });
}

// The hosts of members to which there is a way there and back, by others that
// run, too.
std::set<int> KeyChecks::ReachedFrom(int host,
                                     const std::vector<Process*>& members) {
  Network& network = world_.network();
  std::set<int> reached = {host};
  std::vector<int> edge = {host};
  while (!edge.empty()) {
    const int at = edge.back();
    edge.pop_back();
    for (const Process* to : members) {
      const int next = to->host.index;
      if (to->frozen() || reached.contains(next)) continue;
      if (!network.Open(at, next) || !network.Open(next, at)) continue;
      reached.insert(next);
      edge.push_back(next);
    }
  }
  return reached;
}

void KeyChecks::SeeContacts() {
  const std::vector<Process*> members = Members();
  for (const Process* from : members) {
    if (from->frozen()) continue;
    const std::set<int> reached = ReachedFrom(from->host.index, members);
    for (const Process* to : members) {
      if (to == from || !reached.contains(to->host.index)) continue;
      contacts_[std::minmax(from->number, to->number)] = world_.now();
    }
  }
}

// A member that cannot have answered lately, or "".
std::string KeyChecks::Silent(Process& process) {
  const SimTime since =
      world_.now() - kAnswersWithin - kOnItsWay - 10 * slowest_;
  for (const core::MemberView& member :
       process.replica().Members(process.Now())) {
    if (member.state == core::MemberState::kLeft) continue;
    const int number = NumberOf(member.origin.life);
    if (number < 0 || number == process.number) continue;
    const Process& other = *world_.processes()[static_cast<size_t>(number)];
    if (!IsMember(other)) continue;
    // A later life of its name has ended it.
    const auto& all = world_.processes();
    const bool ended = std::any_of(all.begin(), all.end(), [&](const auto& p) {
      return p->number > number && p->name() == other.name();
    });
    const auto contact = contacts_.find(std::minmax(process.number, number));
    if (ended || contact == contacts_.end() || contact->second >= since) {
      continue;
    }
    return Where(other);
  }
  return "";
}

void KeyChecks::CheckRemovals(Process& process,
                              const std::set<std::string>& before,
                              const std::set<std::string>& now) {
  for (const std::string& key : before) {
    if (now.contains(key) || lossy_) continue;
    // One that thawed a moment ago has answered since.
    SeeContacts();
    const std::string silent = Silent(process);
    if (silent.empty()) continue;
    world_.Fail(absl::StrCat("K9: ", Where(process), " removes ", key,
                             ", which is due, while ", silent,
                             " does not answer"));
  }
}

void KeyChecks::MakeExpiring(Process& at, KeyClients::Words words) {
  const std::string key = words[1];
  if (!expiring_open_.insert(key).second) return;
  KeyCall& call = clients_.Make(
      at, {std::move(words)}, [](KeyCall& made) { made.leader_reads = true; });
  call.over = [this, key](const KeyCall& over) {
    expiring_open_.erase(key);
    if (over.state == KeyCall::State::kDone && !part_.empty()) {
      const KeyCall::Command& command = over.commands[0];
      Check(deadlines_.Answered(command.words, command.result, over.called,
                                over.answered));
    } else if (over.state != KeyCall::State::kRefused) {
      deadlines_.Forget(key);
    }
  };
}

// ------------------------------------------------------------------------- K7

void KeyChecks::OnPublished(const Process& at,
                            const PubSubModel::Message& message) {
  if (!on_ || !IsMember(at)) return;
  written_[message] = {model_.AcknowledgedAt(at.number), world_.now()};
}

void KeyChecks::OnGiven(Process& at, const PubSubModel::Message& message) {
  if (!on_ || !IsMember(at)) return;
  const auto found = written_.find(message);
  if (found == written_.end()) return;
  const Written& written = found->second;
  if (world_.now() - written.at >= kWaitsFor) return;
  if (seen_[at.number].exchanging || at.replica().KvStatus().exchanging) return;
  const KeyspaceModel::Context here = ContextOf(at);
  for (const auto& [life, seq] : written.acknowledged) {
    const auto has = here.find(life);
    if (has != here.end() && has->second >= seq) continue;
    return world_.Fail(absl::StrCat(
        "K7: ", ToString(message), " is given at ", Where(at), " before #",
        life, ":", seq, ", which was acknowledged where it was published; ",
        ToString(here)));
  }
}

}  // namespace muster::sim
