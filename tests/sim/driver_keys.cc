// The operations of the plan with the keyspace.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/sim/driver.h"
#include "tests/sim/network.h"

namespace muster::sim {
namespace {

// A leader is there so long after the last fault, and so many round trips.
constexpr SimTime kLedWithin = 10 * kSecond;
constexpr SimTime kLedRoundTrips = 60;
// What is judged at a time.
constexpr int64_t kJudgedCalls = 50;
constexpr SimTime kJudgedEvery = 15 * kMillisecond;
// Parts of an exchange that a trap may wait for.
constexpr int64_t kTrapParts = 8;

using Words = KeyClients::Words;

}  // namespace

SimTime Driver::LedWithin() const {
  return kLedWithin + kLedRoundTrips * (plan_.latency + plan_.jitter);
}

void Driver::DoKeyspace(Op op) {
  if (op == Op::kWithdraw) return WithdrawSome();
  if (op == Op::kWhole) return StayWhole();
  if (op == Op::kLoneKill) return LoneKill();
  if (op == Op::kInExchange) {
    exchange_trap_set_ = true;
    trap_frame_ = static_cast<uint64_t>(rng_.Range(1, kTrapParts));
    return Say(op, absl::StrCat("at part ", trap_frame_));
  }
  Process* at = SomeMember();
  if (at == nullptr) return;
  Say(op, at->name());
  switch (op) {
    case Op::kCallMany: {
      const std::vector<Process*> members = checks_.keys().Members();
      const SimTime every = rng_.Pick<SimTime>({200, 5'000, 50'000});
      return MakeCalls(members, rng_.Range(5, 40), every);
    }
    case Op::kBlockingPop:
      return BlockingPop(*at);
    case Op::kConnection:
      return UseConnection(*at);
    case Op::kWriteAndPublish:
      return WriteAndPublish(*at);
    default:
      return MakeCall(*at);
  }
}

Process* Driver::SomeMember() {
  const std::vector<Process*> members = checks_.keys().Members();
  return members.empty() ? nullptr : members[rng_.Below(members.size())];
}

// ---------------------------------------------------------------------- calls

Words Driver::SomeCommand() {
  KeyClients& clients = checks_.keys().clients();
  const std::string which = absl::StrCat(rng_.Below(2));
  const std::string name(1, static_cast<char>('a' + rng_.Below(4)));
  switch (rng_.Below(20)) {
    case 0:
    case 1:
    case 2:
      return clients.NewIncrement("c" + which);
    case 3:
      return {"GET", clients.CounterInUse("c" + which)};
    case 4:
    case 5:
    case 6:
      return {"SET", "s" + which, clients.NewValue()};
    case 7:
      return {"SETNX", "s" + which, clients.NewValue()};
    case 8:
    case 9:
      return {"GET", "s" + which};
    case 10:
      return {"DEL", rng_.OneIn(4) ? "h0" : "s" + which};
    case 11:
    case 12:
      return {"SADD", "m0", name};
    case 13:
      return {"SREM", "m0", name};
    case 14:
    case 15:
      return {"HSET", "h0", name, clients.NewValue()};
    case 16:
      return {rng_.OneIn(2) ? "HGET" : "HDEL", "h0", name};
    case 17:
    case 18:
      return {rng_.OneIn(6) ? "LPUSH" : "RPUSH", "q" + which,
              clients.NewValue()};
    default:
      return {rng_.OneIn(6) ? "RPOP" : "LPOP", "q" + which};
  }
}

Words Driver::SomeExpiring(std::string key) {
  KeyClients& clients = checks_.keys().clients();
  const std::string ms =
      absl::StrCat(rng_.Pick<int64_t>({50, 400, 1000, 3000, 8000}));
  switch (rng_.Below(8)) {
    case 0:
    case 1:
      return {"SET", key, clients.NewValue(), "PX", ms};
    case 2:
    case 3:
      return {"SET", key, clients.NewValue(), "NX", "PX", ms};
    case 4:
    case 5:
      return {"PEXPIRE", key, ms};
    case 6:
      return {"PERSIST", key};
    default:
      return {"GET", key};
  }
}

void Driver::MakeCall(Process& at) {
  KeyChecks& keys = checks_.keys();
  if (rng_.OneIn(6)) {
    return keys.MakeExpiring(at,
                             SomeExpiring(absl::StrCat("e", rng_.Below(2))));
  }
  std::vector<Words> commands = {SomeCommand()};
  const bool many = rng_.OneIn(6);
  if (many) commands.push_back(SomeCommand());
  // A read of each follows what was written, now and then.
  if (many && rng_.OneIn(2)) commands.push_back({"GET", "s0"});
  const bool leader_reads = rng_.OneIn(3);
  const bool atomic = many && rng_.OneIn(2);
  keys.clients().Make(at, std::move(commands), [&](KeyCall& call) {
    call.leader_reads = leader_reads;
    call.atomic = atomic;
  });
}

void Driver::MakeCalls(const std::vector<Process*>& at, int64_t count,
                       SimTime every) {
  for (int64_t i = 0; i < count; ++i) {
    Process* process = at[rng_.Below(at.size())];
    world_.After(i * every, [this, process] {
      if (process->alive()) MakeCall(*process);
    });
  }
}

void Driver::BlockingPop(Process& at) {
  const std::string queue = absl::StrCat("q", rng_.Below(2));
  const std::string seconds =
      rng_.Pick<std::string>({"0", "0", "0.1", "1", "4"});
  checks_.keys().clients().Make(at, {{"BLPOP", queue, seconds}});
}

void Driver::WithdrawSome() {
  KeyClients& clients = checks_.keys().clients();
  const std::vector<KeyCall*> waiting = clients.Waiting();
  if (waiting.empty()) return;
  KeyCall& call = *waiting[rng_.Below(waiting.size())];
  Say(Op::kWithdraw, ToString(call));
  clients.Withdraw(call);
}

// One after the other, none waited for.
void Driver::UseConnection(Process& at) {
  KeyClients& clients = checks_.keys().clients();
  const core::KvConnection connection = next_connection_++;
  const std::string own = absl::StrCat("n", connection);
  const SimTime every = rng_.Pick<SimTime>({0, 300, 20'000, 300'000});
  for (int64_t i = rng_.Range(3, 12); i > 0; --i) {
    Words words = {"GET", own};
    if (rng_.OneIn(2)) words = {"SET", own, clients.NewValue()};
    if (rng_.OneIn(4)) words = SomeCommand();
    world_.After(i * every, [this, &at, connection, words] {
      if (!at.alive()) return;
      checks_.keys().clients().Make(at, {words}, [connection](KeyCall& call) {
        call.connection = connection;
      });
    });
  }
}

// Whoever hears of it finds what was written.
void Driver::WriteAndPublish(Process& at) {
  KeyClients& clients = checks_.keys().clients();
  const std::string channel = SomeChannel();
  KeyCall& call = clients.Make(
      at, {{"SET", absl::StrCat("p", at.number), clients.NewValue()}});
  call.then = [this, &at, channel](const KeyCall&) {
    world_.After(0, [this, &at, channel] {
      if (at.alive()) checks_.subscribers().Publish(at, {channel});
    });
  };
}

// ------------------------------------------------------- a part that is whole

void Driver::CutOff(const std::vector<Process*>& part) {
  Network& network = world_.network();
  std::set<int> inside;
  for (const Process* process : part) inside.insert(process->host.index);
  const int hosts = static_cast<int>(world_.hosts().size());
  for (int a = 0; a < hosts; ++a) {
    for (int b = a + 1; b < hosts; ++b) {
      const size_t in = inside.count(a) + inside.count(b);
      if (in == 2) {
        if (!network.Open(a, b) || !network.Open(b, a)) checks_.Mend(a, b);
        SetPath(a, b, false);
        SetPath(b, a, false);
      }
      if (in != 1) continue;
      const uint64_t way = rng_.Below(3);
      if (way == 0) checks_.Cut(a, b, false);
      if (way == 1) checks_.CutOneWay(a, b);
      if (way == 2) checks_.CutOneWay(b, a);
    }
  }
}

void Driver::StayWhole() {
  std::vector<Process*> part = checks_.keys().Members();
  std::erase_if(part, [this](Process* p) { return checks_.Draining(*p); });
  const bool twin = world_.hosts().back()->process != nullptr;
  if (part.size() < 2 || twin || plan_.hostile_ppm > 0 || plan_.tail_ppm > 0 ||
      plan_.datagram_loss_ppm > 0) {
    return;
  }
  const size_t out = static_cast<size_t>(rng_.Below(part.size() - 1));
  for (size_t i = 0; i < out; ++i) {
    part.erase(part.begin() + static_cast<long>(rng_.Below(part.size())));
  }
  std::string names;
  for (const Process* process : part)
    absl::StrAppend(&names, process->name(), " ");
  Say(Op::kWhole, names);
  trap_set_ = false;
  exchange_trap_set_ = false;
  for (Process* process : part) {
    checks_.Slow(*process, 0);
    checks_.Thaw(*process);
  }
  CutOff(part);
  MakeCalls(part, 20, 300 * kMillisecond);
  // What was begun before may still happen to them.
  world_.RunFor(2 * kSecond);
  if (!checks_.keys().AwaitLeader(part, LedWithin())) return;
  JudgeWhole(part);
}

void Driver::JudgeWhole(const std::vector<Process*>& part) {
  if (world_.failed() || plan_.bytes_per_second > 0) return;
  if (part.empty() || !checks_.keys().BeginWhole(part)) return;
  MakeCalls(part, kJudgedCalls, kJudgedEvery);
  for (int i = 0; i < 3; ++i) BlockingPop(*part[rng_.Below(part.size())]);
  world_.RunFor(kJudgedCalls * kJudgedEvery);
  checks_.keys().EndWhole();
}

void Driver::LoneKill() {
  Say(Op::kLoneKill, "");
  const SimTime rest = 12 * kSecond + 80 * (plan_.latency + plan_.jitter);
  const std::vector<Process*> members = checks_.keys().Members();
  if (members.empty()) return;
  MakeCalls(members, rest / (300 * kMillisecond), 300 * kMillisecond);
  world_.RunFor(rest);
  MakeCalls(members, 20, 5 * kMillisecond);
  world_.RunFor(rng_.Range(0, 100 * kMillisecond));
  Process* victim = SomeMember();
  if (victim != nullptr) checks_.Kill(*victim);
}

void Driver::OnExchange(Process& from, Process& to,
                        const core::KvExchangePart& part) {
  if (!exchange_trap_set_ || part.number != trap_frame_) return;
  exchange_trap_set_ = false;
  world_.After(rng_.Range(0, 3 * plan_.latency),
               [this, &from, &to] { Spring(from, to); });
}

}  // namespace muster::sim
