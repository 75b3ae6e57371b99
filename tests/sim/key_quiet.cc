// Checks of the keyspace when all is quiet, and in a part that stays whole.
#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/sim/key_checks.h"
#include "tests/sim/network.h"

namespace muster::sim {
namespace {

using Role = core::KvStatusView::Role;

// Before any deadline.
constexpr kv::Time kNever{1};
constexpr SimTime kServedWithin = 15 * kSecond;
constexpr SimTime kRemovedWithin = 20 * kSecond;

const char* NameOf(Role role) {
  constexpr const char* kNames[] = {"waits", "gathers", "leads", "follows"};
  return kNames[static_cast<size_t>(role)];
}

std::string Stands(const Process& process) {
  const core::KvStatusView status = process.replica().KvStatus();
  return absl::StrCat(Where(process), " ", NameOf(status.role), " term ",
                      status.position.term.number, " at ",
                      status.position.seq.value, " promised ",
                      status.promised.number,
                      status.exchanging ? " exchanging" : "");
}

}  // namespace

Process* KeyChecks::LeaderOf(const std::vector<Process*>& part) {
  for (Process* process : part) {
    if (process->replica().KvStatus().role == Role::kLeading) return process;
  }
  return nullptr;
}

std::string KeyChecks::NotLed(const std::vector<Process*>& part) {
  const Process* leader = LeaderOf(part);
  std::string all;
  for (const Process* process : part) {
    absl::StrAppend(&all, all.empty() ? "" : ", ", Stands(*process));
  }
  if (leader == nullptr) return absl::StrCat("K8: nobody leads: ", all);
  const core::KvStatusView leads = leader->replica().KvStatus();
  for (const Process* process : part) {
    if (process == leader) continue;
    const core::KvStatusView status = process->replica().KvStatus();
    const bool follows =
        status.role == Role::kFollowing && !status.exchanging &&
        status.position.term == leads.position.term &&
        std::any_of(leads.followers.begin(), leads.followers.end(),
                    [&](const core::KvFollowerView& follower) {
                      return follower.life == process->life &&
                             follower.state ==
                                 core::KvFollowerView::State::kFollowing;
                    });
    if (follows) continue;
    return absl::StrCat("K8: ", Where(*process), " does not follow ",
                        Where(*leader), ": ", all);
  }
  return "";
}

bool KeyChecks::AwaitLeader(const std::vector<Process*>& part, SimTime limit) {
  if (!on_ || part.empty()) return true;
  const auto led = [&] {
    return std::all_of(part.begin(), part.end(),
                       [](const Process* p) { return p->running(); }) &&
           NotLed(part).empty();
  };
  const SimTime begun = world_.now();
  const bool good = world_.RunUntilTrue(led, limit, 50 * kMillisecond);
  slowest_led = std::max(slowest_led, world_.now() - begun);
  if (good || world_.failed()) return good;
  // Nobody is promised a leader where a process has ended meanwhile.
  if (std::any_of(part.begin(), part.end(),
                  [](const Process* p) { return !p->alive(); })) {
    return false;
  }
  world_.Fail(absl::StrCat(NotLed(part), ", ", limit / kSecond,
                           " s after the last fault"));
  return false;
}

// -------------------------------------------------------------- quiet points

std::string KeyChecks::NotQuiet() {
  if (!on_) return "";
  const std::vector<Process*> members = Members();
  if (members.empty()) return "";
  std::string wrong = NotLed(members);
  if (!wrong.empty()) return wrong;
  if (clients_.Open(/*blocking=*/false) > 0) return "K11: a call is open";
  const core::KvStatusView first = members.front()->replica().KvStatus();
  for (Process* process : members) {
    const core::KvStatusView status = process->replica().KvStatus();
    if (status.position != first.position ||
        status.context_digest != first.context_digest ||
        status.digest != first.digest) {
      return absl::StrCat("K8: not equal: ", Stands(*members.front()), ", ",
                          Stands(*process));
    }
    // A follower forgets what it has to settle when the leader has done it.
    if (status.unsettled > 0 && status.role == Role::kLeading) {
      return absl::StrCat("K8: ", status.unsettled, " keys of ",
                          Where(*process), " are not settled");
    }
    if (status.calls_waiting != status.blocked) {
      return absl::StrCat("K11: ", status.calls_waiting, " calls wait at ",
                          Where(*process));
    }
    const std::string audit = process->replica().kv_state().Audit();
    if (!audit.empty())
      return absl::StrCat("K1: ", Where(*process), ": ", audit);
  }
  return "";
}

void KeyChecks::Settled() {
  if (!on_ || world_.failed()) return;
  const std::vector<Process*> members = Members();
  if (members.empty()) return;
  for (const Process* process : members) {
    Check(model_.Follows(process->number));
  }
  const Process& leader = *members.front();
  Check(model_.Settled(leader.number));
  const kv::Keyspace& state = leader.replica().kv_state();
  for (const auto& [key, effects] : clients_.counters()) {
    const kv::KeyView counter = state.Find({0, key}, kNever);
    const int64_t sum = counter.exists() ? counter.Integer().value_or(-1) : 0;
    Check(model_.Counted(key, sum, effects));
  }
  CheckElements();
}

// K6
void KeyChecks::CheckElements() {
  const kv::Keyspace& state = Members().front()->replica().kv_state();
  std::set<std::string> held;
  for (const std::string& key : clients_.keys()) {
    const kv::KeyView queue = state.Find({0, key}, kNever);
    if (queue.type() != kv::Type::kList) continue;
    queue.Walk(0, kv::KeyView::Direction::kUp, [&](const kv::Entry& entry) {
      held.insert(std::string(entry.value));
      return true;
    });
  }
  Check(clients_.Unaccounted(held));
}

// A pop that waits though its queue has something was forgotten.
void KeyChecks::PopAll() {
  const std::vector<Process*> members = Members();
  const auto served = [&] { return clients_.Waiting().empty(); };
  const SimTime end = world_.now() + kServedWithin;
  while (!served() && world_.now() < end && !world_.failed()) {
    std::set<std::string> queues;
    for (const KeyCall* call : clients_.Waiting()) {
      queues.insert(call->commands[0].words[1]);
    }
    for (const std::string& queue : queues) {
      clients_.Make(*members.front(), {{"RPUSH", queue, clients_.NewValue()}});
    }
    world_.RunUntilTrue(served, kSecond);
  }
  if (served() || world_.failed()) return;
  world_.Fail(absl::StrCat("K6: nobody serves ",
                           ToString(*clients_.Waiting().front())));
}

void KeyChecks::RemoveAll() {
  const std::vector<Process*> members = Members();
  const std::set<std::string> keys = clients_.keys();
  for (const std::string& key : keys) {
    // What is due is removed by the leader.
    if (key[0] == 'e') {
      clients_.Make(*members.back(), {{"PEXPIRE", key, "1"}});
    } else {
      clients_.Make(*members.back(), {{"DEL", key}});
    }
  }
  world_.RunUntilTrue([&] { return clients_.Open(false) == 0; }, kServedWithin);
}

std::string KeyChecks::Left(Process& process) {
  const core::KvStatusView status = process.replica().KvStatus();
  uint64_t keys = 0;
  for (const uint64_t in_database : status.keys) keys += in_database;
  if (keys > 0) return absl::StrCat(keys, " keys");
  if (status.digest != 0) return "versions, of keys that are gone";
  if (status.calls_waiting > 0) {
    return absl::StrCat(status.calls_waiting, " calls that wait, ",
                        status.blocked, " of them pops");
  }
  if (status.context_lives > world_.processes().size()) {
    return absl::StrCat(status.context_lives, " lives in its context");
  }
  return "";
}

void KeyChecks::CheckNothingKept() {
  if (!on_ || world_.failed()) return;
  const std::vector<Process*> members = Members();
  if (members.empty()) return;
  PopAll();
  if (world_.failed()) return;
  world_.RunUntilTrue([&] { return clients_.Open(false) == 0; }, kServedWithin);
  CheckElements();
  RemoveAll();
  // Of a member that is down, and not forgotten, nobody knows what it does.
  const bool all_answer =
      std::all_of(members.begin(), members.end(), [&](const Process* process) {
        const auto known = process->replica().Members(process->Now());
        return std::all_of(known.begin(), known.end(), [](const auto& m) {
          return m.state == core::MemberState::kAlive;
        });
      });
  if (!all_answer) return;
  std::string left;
  const auto nothing = [&] {
    left.clear();
    for (Process* process : members) {
      const std::string of = Left(*process);
      if (!of.empty()) left = absl::StrCat(Where(*process), " keeps ", of);
    }
    return left.empty();
  };
  if (world_.RunUntilTrue(nothing, kRemovedWithin, 100 * kMillisecond)) return;
  if (!world_.failed()) world_.Fail("K11: in the end " + left);
}

// ------------------------------------------------------- a part that is whole

// What the leader's keys hold, as operations that were answered before all.
History KeyChecks::HistoryOf(Process& leader) {
  History history;
  const kv::Keyspace& state = leader.replica().kv_state();
  const auto add = [&history](KeyClients::Words words, std::string result) {
    history.push_back({-1, 0, 0, std::move(words), std::move(result)});
  };
  for (const std::string& key : clients_.keys()) {
    if (!KeyClients::IsJudged(key)) continue;
    const kv::KeyView view = state.Find({0, key}, kNever);
    std::string scratch;
    KeyClients::Words items = {"RPUSH", key};
    const auto each = [&](const kv::Entry& entry) {
      const std::string name(entry.name);
      const std::string value(entry.value);
      if (view.type() == kv::Type::kList) items.push_back(value);
      if (view.type() == kv::Type::kSet) add({"SADD", key, name}, ":1");
      if (view.type() == kv::Type::kHash) add({"HSET", key, name, value}, ":1");
      return true;
    };
    if (view.type() == kv::Type::kString) {
      add({"SET", key, std::string(view.String(scratch))}, "+OK");
    } else if (view.type() == kv::Type::kList) {
      view.Walk(0, kv::KeyView::Direction::kUp, each);
      const std::string count = absl::StrCat(":", items.size() - 2);
      add(std::move(items), count);
    } else if (view.exists()) {
      view.Scan(std::nullopt, each);
    }
  }
  return history;
}

bool KeyChecks::BeginWhole(const std::vector<Process*>& part) {
  std::set<int> numbers;
  for (const Process* process : part) numbers.insert(process->number);
  // What was asked before is answered first.
  world_.RunUntilTrue([&] { return clients_.OpenAt(numbers) == 0; },
                      kServedWithin);
  Process* leader = LeaderOf(part);
  if (world_.failed() || leader == nullptr || !NotLed(part).empty()) {
    return false;
  }
  part_ = part;
  whole_leader_ = leader->number;
  clients_.Record(numbers, HistoryOf(*leader));
  return true;
}

void KeyChecks::EndWhole() {
  std::set<int> numbers;
  for (const Process* process : part_) numbers.insert(process->number);
  world_.RunUntilTrue([&] { return clients_.OpenAt(numbers) == 0; },
                      kServedWithin);
  part_.clear();
  if (world_.failed()) return;
  const KeyCall* failed = clients_.FirstNotDone();
  if (failed != nullptr) {
    return world_.Fail(absl::StrCat(
        "K8: ", ToString(*failed), " fails where nothing is wrong: ",
        failed->is_open() ? "no answer" : failed->status));
  }
  CheckReads();
  const Verdict verdict = Judge(clients_.Recorded());
  if (!verdict.ok()) world_.Fail(absl::StrCat("K10: ", ToText(verdict)));
}

// Plain reads, by the place of what they show: an increment's by the sum, a
// string's by its mutation.
void KeyChecks::CheckReads() {
  std::vector<const KeyCall*> calls(clients_.recorded().begin(),
                                    clients_.recorded().end());
  std::stable_sort(calls.begin(), calls.end(),
                   [](const KeyCall* a, const KeyCall* b) {
                     return a->answered < b->answered;
                   });
  // Of each process and key, what was shown or acknowledged there, and when.
  std::map<std::pair<int, std::string>, std::pair<int64_t, SimTime>> seen;
  for (const KeyCall* call : calls) {
    if (call->state != KeyCall::State::kDone) continue;
    for (const KeyCall::Command& command : call->commands) {
      const std::string& key = command.words[1];
      const bool write =
          command.words[0] == "SET" || command.words[0] == "INCRBY";
      const bool read = command.words[0] == "GET";
      if ((!write && !read) || (key[0] != 'c' && key[0] != 's')) continue;
      int64_t place = 0;
      if (key[0] == 'c') {
        if (!absl::SimpleAtoi(command.result.substr(1), &place)) continue;
      } else {
        const std::string value =
            write ? command.words[2] : command.result.substr(1);
        place = static_cast<int64_t>(model_.PlaceOf(value, whole_leader_));
        if (place == 0 || command.result == "_") continue;
      }
      auto& [last, at] = seen[{call->at->number, key}];
      if (read && place < last && call->called > at) {
        return world_.Fail(absl::StrCat("K10: ", ToString(*call), " => ",
                                        command.result,
                                        " goes back: something later was "
                                        "shown or written there before"));
      }
      if (place > last) last = place;
      at = std::max(at, call->answered);
    }
  }
}

}  // namespace muster::sim
