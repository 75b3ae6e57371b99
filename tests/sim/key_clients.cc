#include "tests/sim/key_clients.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace muster::sim {
namespace {

using State = KeyCall::State;

// 4^30 is the last power whose sum with the others is an int64.
constexpr size_t kPowers = 31;
// What was given up may take effect for so long.
constexpr SimTime kLate = 10 * kSecond;

char KindOf(const std::string& key) { return key.empty() ? ' ' : key[0]; }

bool IsWrite(const std::string& name) {
  static const std::set<std::string> kReads = {"GET", "HGET", "SISMEMBER",
                                               "LLEN", "PTTL"};
  return !kReads.contains(name);
}
bool IsPop(const std::string& name) {
  return name == "LPOP" || name == "RPOP" || name == "BLPOP";
}

// What is unique in it.
std::string EffectOf(const KeyClients::Words& words) {
  const std::string& name = words[0];
  if (name == "INCRBY") return absl::StrCat(words[1], "+", words[2]);
  if (name == "SET" || name == "SETNX") return words[2];
  if (name == "RPUSH" || name == "LPUSH") return words[2];
  if (name == "HSET") return words[3];
  return "";
}

// The results of a call's commands, in the form of histories.
std::vector<std::string> ResultsOf(const commands::Reply& reply) {
  using Kind = commands::Reply::Kind;
  std::vector<std::string> results;
  commands::ReplyReader reader(reply);
  commands::ReplyNode node;
  while (reader.Next(node)) {
    switch (node.kind) {
      case Kind::kSimple:
        results.push_back(absl::StrCat("+", node.text));
        break;
      case Kind::kError:
        results.push_back(absl::StrCat("-", node.text));
        break;
      case Kind::kInteger:
        results.push_back(absl::StrCat(":", node.integer));
        break;
      case Kind::kBulk:
        results.push_back(absl::StrCat("$", node.text));
        break;
      case Kind::kNil:
      case Kind::kNilArray:
        results.push_back("_");
        break;
      default:  // A transaction's, or key and value of a pop.
        break;
    }
  }
  return results;
}

// Whether a command with this result has done what its effect says.
bool Took(const std::string& result) {
  return result[0] != '-' && result != "_" && result != ":0";
}

}  // namespace

std::string ToString(const KeyCall& call) {
  std::vector<std::string> commands;
  for (const KeyCall::Command& command : call.commands) {
    commands.push_back(absl::StrJoin(command.words, " "));
  }
  return absl::StrCat("call ", call.id, " at ", call.at->name(), "#",
                      call.at->number, " (", absl::StrJoin(commands, "; "),
                      ")");
}

// --------------------------------------------------------------------- making

std::string KeyClients::NewValue() { return absl::StrCat("v", next_value_++); }

std::string KeyClients::CounterInUse(const std::string& family) const {
  for (int generation = 0;; ++generation) {
    const std::string key = absl::StrCat(family, ".", generation);
    const auto at = counters_.find(key);
    if (at == counters_.end() || at->second.size() < kPowers) return key;
  }
}

KeyClients::Words KeyClients::NewIncrement(const std::string& family) {
  const std::string key = CounterInUse(family);
  std::vector<std::string>& effects = counters_[key];
  const std::string amount = absl::StrCat(int64_t{1} << 2 * effects.size());
  const Words words = {"INCRBY", key, amount};
  effects.push_back(EffectOf(words));
  return words;
}

KeyCall& KeyClients::Make(Process& at, std::vector<Words> commands,
                          const std::function<void(KeyCall&)>& edit) {
  calls_.push_back(std::make_unique<KeyCall>());
  KeyCall& call = *calls_.back();
  call.number = static_cast<int>(calls_.size());
  call.at = &at;
  for (Words& words : commands) {
    keys_.insert(words[1]);
    call.blocking |= words[0] == "BLPOP";
    call.commands.push_back({words, EffectOf(words), "", -1});
  }
  if (edit != nullptr) edit(call);
  open_[call.number] = &call;
  at.Post([this, &call](core::Replica& replica, core::Now now) {
    MakeNow(call, replica, now);
  });
  return call;
}

void KeyClients::MakeNow(KeyCall& call, core::Replica& replica, core::Now now) {
  if (call.state != State::kPosted) return;
  if (!replica.Serving().ok()) return NotDone(call, State::kRefused);
  call.state = State::kMade;
  call.called = world_.now();
  ++made;
  core::KvCall of;
  of.connection = call.connection;
  of.atomic = call.atomic;
  of.leader_reads = call.leader_reads;
  for (const KeyCall::Command& command : call.commands) {
    const std::vector<absl::string_view> argv(command.words.begin(),
                                              command.words.end());
    of.commands.Add(argv);
    if (!command.effect.empty()) model_.Called(command.effect);
    const bool push =
        command.words[0] == "RPUSH" || command.words[0] == "LPUSH";
    if (push) pushed_[command.effect] = command.words[1];
  }
  if (recording_ && recorded_at_.contains(call.at->number)) AddOperations(call);
  if (call.connection != 0) {
    order_[{call.at->number, call.connection}].push_back(call.number);
  }
  call.id = replica.Execute(std::move(of), now);
  by_id_[{call.at->number, call.id}] = &call;
}

void KeyClients::Withdraw(KeyCall& call) {
  if (call.state != State::kMade) return;
  Process& at = *call.at;
  at.Post([this, &call](core::Replica& replica, core::Now now) {
    if (call.state != State::kMade) return;
    replica.Withdraw(call.id, now);
    NotDone(call, State::kWithdrawn);
  });
}

// ------------------------------------------------------------------ answering

void KeyClients::OnAnswer(Process& from, const core::KvAnswer& answer) {
  const auto found = by_id_.find({from.number, answer.call});
  if (found == by_id_.end()) {
    return world_.Fail(absl::StrCat("K5: ", from.name(), "#", from.number,
                                    " answers call ", answer.call,
                                    ", which is not open"));
  }
  KeyCall& call = *found->second;
  CheckOrder(call, answer);
  call.answered = world_.now();
  if (answer.status.ok()) return Took(call, answer);
  call.status = answer.status.ToString();
  const bool refused = answer.status.code() != absl::StatusCode::kAborted;
  NotDone(call, refused ? State::kRefused : State::kUnknown);
}

void KeyClients::Took(KeyCall& call, const core::KvAnswer& answer) {
  std::vector<std::string> results = ResultsOf(answer.replies);
  // Of a pop that waited, its key comes first.
  if (call.blocking && results.size() == 2) results.erase(results.begin());
  if (results.size() != call.commands.size()) {
    return world_.Fail(absl::StrCat("K5: ", ToString(call), " has ",
                                    results.size(),
                                    " results: ", absl::StrJoin(results, " ")));
  }
  call.state = State::kDone;
  ++done;
  Close(call);
  for (size_t i = 0; i < results.size(); ++i) {
    call.commands[i].result = std::move(results[i]);
    TookResult(call, call.commands[i]);
  }
  if (call.over != nullptr) call.over(call);
  if (call.then != nullptr) call.then(call);
}

void KeyClients::TookResult(KeyCall& call, KeyCall::Command& command) {
  const std::string& key = command.words[1];
  if (command.operation >= 0) {
    Operation& operation = history_[static_cast<size_t>(command.operation)];
    operation.answered = call.answered;
    operation.result = command.result;
  }
  const bool hash = command.words[0] == "HSET" && command.result[0] == ':';
  if (!command.effect.empty()) {
    if (!hash && !muster::sim::Took(command.result)) {
      return Check(model_.Refused(command.effect));
    }
    if (call.atomic && call.commands.size() > 1) {
      model_.MayBeUndone(command.effect);
    }
    Check(model_.Acknowledged(command.effect, call.at->number));
    if (needs_two != nullptr && needs_two(*call.at) &&
        model_.Holders(command.effect) < 2) {
      world_.Fail(absl::StrCat("K2: ", ToString(call),
                               " is acknowledged, and on one node only"));
    }
  }
  if (IsPop(command.words[0]) && command.result[0] == '$') {
    const std::string value = command.result.substr(1);
    Check(model_.Popped(value, call.at->number));
    if (call.blocking) CheckServedFirst(call, key);
  }
  if (KindOf(key) == 'n') CheckReadsOwn(call, command);
}

void KeyClients::NotDone(KeyCall& call, State state) {
  const bool was_made = call.state == State::kMade;
  call.state = state;
  call.answered = world_.now();
  (state == State::kRefused ? refused : unknown) += was_made ? 1 : 0;
  Close(call);
  for (KeyCall::Command& command : call.commands) {
    if (state == State::kRefused || !was_made) {
      if (was_made && !command.effect.empty()) {
        Check(model_.Refused(command.effect));
      }
      continue;
    }
    if (IsPop(command.words[0])) ++unknown_pops_[command.words[1]];
    if (KindOf(command.words[1]) == 'n' && IsWrite(command.words[0])) {
      own_[command.words[1]].value = "";
    }
  }
  if (call.over != nullptr) call.over(call);
}

void KeyClients::Close(KeyCall& call) {
  open_.erase(call.number);
  by_id_.erase({call.at->number, call.id});
  const auto order = order_.find({call.at->number, call.connection});
  if (order != order_.end()) std::erase(order->second, call.number);
}

void KeyClients::OnGone(Process& process) {
  std::vector<KeyCall*> lost;
  for (const auto& [number, call] : open_) {
    if (call->at == &process) lost.push_back(call);
  }
  for (KeyCall* call : lost) NotDone(*call, State::kUnknown);
  positions_.erase(process.number);
}

// --------------------------------------------------------------------- K5, K6

void KeyClients::CheckOrder(const KeyCall& call, const core::KvAnswer& answer) {
  const auto order = order_.find({call.at->number, call.connection});
  if (call.connection != 0 && order != order_.end() &&
      order->second.front() != call.number) {
    world_.Fail(absl::StrCat("K5: ", ToString(call),
                             " is answered before an earlier call of its "
                             "connection"));
  }
  if (!answer.status.ok() || answer.position.term.IsNone()) return;
  core::KvPosition& last = positions_[call.at->number];
  if (answer.position < last) {
    world_.Fail(absl::StrCat("K5: ", ToString(call), " tells of a position (",
                             answer.position.term.number, ", ",
                             answer.position.seq.value, ") after (",
                             last.term.number, ", ", last.seq.value, ")"));
  }
  last = answer.position;
}

// Nobody else writes to the key.
void KeyClients::CheckReadsOwn(const KeyCall& call,
                               const KeyCall::Command& command) {
  Own& own = own_[command.words[1]];
  if (own.excused != model_.excused()) own.value = "";
  own.excused = model_.excused();
  if (own.value.empty()) return;
  if (IsWrite(command.words[0])) {
    own.value = command.words[0] == "DEL" ? "_" : "$" + command.words[2];
  } else if (command.result != own.value) {
    world_.Fail(absl::StrCat("K5: ", ToString(call), " reads ", command.result,
                             " where its connection wrote ", own.value));
  }
}

void KeyClients::CheckServedFirst(const KeyCall& call, const std::string& key) {
  if (!recording_ || slack == 0) return;
  for (const auto& [number, other] : open_) {
    if (!other->blocking || other->state != State::kMade) continue;
    if (!recorded_at_.contains(other->at->number)) continue;
    if (other->commands[0].words[1] != key) continue;
    // It may have come under another leader: tickets of two leaders' clocks are
    // compared, and these may be far apart.
    if (other->called < recorded_since_) continue;
    // The answer of one that was served before may come later.
    if (other->called + slack >= call.called) continue;
    const KeyCall* early = other;
    world_.After(slack, [this, early, &call] {
      if (early->state != State::kMade) return;
      world_.Fail(absl::StrCat(
          "K6: ", ToString(call),
          " is served before one that waits longer: ", ToString(*early)));
    });
  }
}

std::string KeyClients::Unaccounted(const std::set<std::string>& held) const {
  std::map<std::string, uint64_t> missing;
  std::map<std::string, std::string> first;
  for (const auto& [value, queue] : pushed_) {
    if (!model_.WasAcknowledged(value) || held.contains(value) ||
        model_.WasPopped(value) || model_.WasExcused(value)) {
      continue;
    }
    ++missing[queue];
    first.try_emplace(queue, value);
  }
  // Whoever waits may be on the way to be answered.
  std::map<std::string, uint64_t> pops = unknown_pops_;
  for (const auto& [number, call] : open_) {
    for (const KeyCall::Command& command : call->commands) {
      if (IsPop(command.words[0])) ++pops[command.words[1]];
    }
  }
  for (const auto& [queue, count] : missing) {
    const uint64_t may = pops[queue];
    if (count <= may) continue;
    return absl::StrCat("K6: ", count, " elements of ", queue,
                        " are gone that nobody was given, as ", first.at(queue),
                        "; pops of unknown outcome: ", may);
  }
  return "";
}

size_t KeyClients::Open(bool blocking) const {
  return static_cast<size_t>(
      std::count_if(open_.begin(), open_.end(), [blocking](const auto& call) {
        return call.second->blocking == blocking;
      }));
}

size_t KeyClients::OpenAt(const std::set<int>& processes) const {
  return static_cast<size_t>(
      std::count_if(open_.begin(), open_.end(), [&](const auto& call) {
        return !call.second->blocking &&
               processes.contains(call.second->at->number);
      }));
}

std::vector<KeyCall*> KeyClients::Waiting() {
  std::vector<KeyCall*> waiting;
  for (const auto& [number, call] : open_) {
    if (call->blocking && call->state == State::kMade) waiting.push_back(call);
  }
  return waiting;
}

// ------------------------------------------------------------------ histories

bool KeyClients::IsJudged(const std::string& key) {
  return std::string("csmhq").find(KindOf(key)) != std::string::npos;
}

void KeyClients::AddOperations(KeyCall& call) {
  bool reads_here = !call.leader_reads && !call.atomic;
  for (const KeyCall::Command& command : call.commands) {
    if (IsWrite(command.words[0])) reads_here = false;
  }
  recorded_.push_back(&call);
  // A read of what its node has applied may be of a moment ago.
  if (reads_here) return;
  for (KeyCall::Command& command : call.commands) {
    if (!IsJudged(command.words[1])) continue;
    Operation operation;
    operation.client = call.at->number;
    operation.called = std::max(call.called, world_.now());
    operation.command = command.words;
    command.operation = static_cast<int>(history_.size());
    history_.push_back(std::move(operation));
  }
}

void KeyClients::Record(const std::set<int>& processes, History begin) {
  recording_ = true;
  recorded_since_ = world_.now();
  recorded_at_ = processes;
  history_ = std::move(begin);
  for (const auto& call : calls_) {
    const bool waits = call->blocking && call->state == State::kMade;
    // It may be on its way still.
    const bool late =
        (call->state == State::kUnknown || call->state == State::kWithdrawn) &&
        call->answered + kLate >= world_.now();
    if (waits || late) AddOperations(*call);
  }
  recorded_.clear();  // Of those that follow it is known that they are well.
}

History KeyClients::Recorded() {
  recording_ = false;
  History history;
  std::set<int> refused;
  for (const auto& call : calls_) {
    for (KeyCall::Command& command : call->commands) {
      if (call->state == State::kRefused && command.operation >= 0) {
        refused.insert(command.operation);
      }
      command.operation = -1;
    }
  }
  for (size_t i = 0; i < history_.size(); ++i) {
    if (refused.contains(static_cast<int>(i))) continue;
    history.push_back(std::move(history_[i]));
  }
  history_.clear();
  judged += history.size();
  return history;
}

const KeyCall* KeyClients::FirstNotDone() const {
  for (const KeyCall* call : recorded_) {
    if (call->blocking) continue;
    if (call->state != State::kDone) return call;
  }
  return nullptr;
}

}  // namespace muster::sim
