#include "node/core/keyspace/leading.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "crdt/check.h"
#include "crdt/mutant.h"

namespace muster::core {
namespace {

using Outcome = KvAnswers::Outcome;

// In one slice: keys removed since they are due, and keys settled.
constexpr size_t kDueKeys = 64;
constexpr size_t kSettledKeys = 16;
// Woken pops run in one step.
constexpr size_t kWoken = 256;

// Of a call of another node: what is larger does not fit a frame.
constexpr size_t kMaxAnswerBytes = 512 << 10;

void RefuseAnswer(size_t bytes, commands::Reply& reply) {
  reply.Clear();
  reply.Error(absl::StrCat("ERR answer of ", bytes,
                           " bytes exceeds the limit of ", kMaxAnswerBytes,
                           " for calls that another node forwards: nothing was "
                           "done; ask for less, or ask the leader"));
}

// Whether the call may wait.
bool IsPop(const KvForward& call) {
  if (call.atomic || call.commands.count() != 1) return false;
  std::vector<absl::string_view> argv;
  commands::CommandReader(call.commands).Next(argv);
  const commands::Command* command = commands::FindCommand(argv[0]);
  return command != nullptr && command->Has(commands::kBlocking);
}

}  // namespace

Leading::Leading(KvShared& shared, const Gather& gather, KvServedPops served,
                 crdt::MutationLog& log)
    : shared_(shared),
      term_(gather.term()),
      base_(shared.state.context()),
      log_(log),
      followers_(shared, term_, base_, log),
      opened_(shared.now),
      served_(std::move(served)) {
  std::vector<std::pair<crdt::LifeId, const KvForward*>> waiting;
  for (const auto& [life, promise] : gather.promises()) {
    followers_.OnPromised(life, promise.context);
    for (const KvServed& served : promise.served) served_.Add(served);
    for (const KvForward& call : promise.waiting) {
      waiting.emplace_back(life, &call);
    }
  }
  if (crdt::Mutated(crdt::Mutant::kKvLosesWaiters)) waiting.clear();
  std::sort(waiting.begin(), waiting.end(), [](const auto& a, const auto& b) {
    return std::tie(a.second->ticket, a.first, a.second->call) <
           std::tie(b.second->ticket, b.first, b.second->call);
  });
  for (const auto& [life, call] : waiting) {
    KvForward again = *call;
    again.term = term_;
    OnForward(life, std::move(again));
  }
}

// ------------------------------------------------------------------ execution

void Leading::Append(kv::Transaction& tx) {
  const std::string mutation = tx.Commit();
  if (!mutation.empty()) log_.Append(kOwnStream, mutation, 1);
}

void Leading::WakeOn(const commands::Command& command, commands::Argv argv,
                     uint8_t db) {
  if (waiters_.size() == 0) return;
  commands::VisitKeys(command, argv,
                      [&](size_t i) { waiters_.Wake(db, argv[i]); });
}

bool Leading::Fits(const KvRequest& request, const commands::Reply& before,
                   const commands::Reply& reply) const {
  return request.origin == shared_.self ||
         before.bytes() + reply.bytes() <= kMaxAnswerBytes;
}

Leading::Done Leading::RunAtomic(const KvRequest& request,
                                 const KvForward& call) {
  Done done;
  std::vector<std::vector<absl::string_view>> held;
  commands::CommandReader reader(call.commands);
  std::vector<absl::string_view> argv;
  while (reader.Next(argv)) held.push_back(argv);
  std::vector<commands::Argv> list(held.begin(), held.end());
  const commands::Environment env = shared_.Environment();
  commands::Session session{call.db};
  const kv::Seen seen = NextSeen();
  kv::Transaction tx(shared_.state, seen, shared_.clock.NextStamp(), env.now);
  const commands::Outcome outcome = commands::ExecuteTransaction(
      list, call.watched, session, env, tx, done.replies);
  if (outcome.abandoned) return done;
  if (!Fits(request, {}, done.replies)) {
    tx.Abandon();
    RefuseAnswer(done.replies.bytes(), done.replies);
    return done;
  }
  if (tx.empty()) return done;
  Append(tx);
  done.seq = seen.seq;
  for (const commands::Argv& one : list) {
    // SELECT may be among them: whoever is woken for nothing waits on.
    for (uint8_t db = 0; db < kv::kDatabases; ++db) {
      WakeOn(*commands::FindCommand(one[0]), one, db);
    }
  }
  return done;
}

// The commands of a call that is not atomic, one by one.
Leading::Done Leading::Run(const KvRequest& request, const KvForward& call,
                           commands::Blocking blocking) {
  Done done;
  commands::Session session{call.db};
  commands::CommandReader reader(call.commands);
  std::vector<absl::string_view> argv;
  const commands::Environment env = shared_.Environment(
      call.commands.count() == 1 ? blocking : commands::Blocking::kNever);
  while (reader.Next(argv)) {
    commands::Reply reply;
    const commands::Command* command = commands::Check(argv, env, reply);
    if (command == nullptr) {
      done.replies.Append(reply);
      continue;
    }
    commands::Outcome outcome;
    if (command->Has(commands::kWrite)) {
      const uint8_t db = session.db;
      const kv::Seen seen = NextSeen();
      kv::Transaction tx(shared_.state, seen, shared_.clock.NextStamp(),
                         env.now);
      outcome = commands::Execute(*command, argv, session, env, shared_.state,
                                  &tx, reply);
      if (!outcome.abandoned && !Fits(request, done.replies, reply)) {
        tx.Abandon();
        RefuseAnswer(reply.bytes(), reply);
      } else if (!outcome.abandoned && !tx.empty()) {
        Append(tx);
        done.seq = seen.seq;
        WakeOn(*command, argv, db);
      }
    } else {
      outcome = commands::Execute(*command, argv, session, env, shared_.state,
                                  nullptr, reply);
      if (!Fits(request, done.replies, reply)) {
        RefuseAnswer(reply.bytes(), reply);
      }
    }
    if (outcome.wait.has_value()) {
      Register(request, call, *std::move(outcome.wait));
      done.outcome = Outcome::kWaits;
      return done;
    }
    done.replies.Append(reply);
  }
  return done;
}

void Leading::Register(const KvRequest& request, const KvForward& call,
                       commands::Wait wait) {
  // The time that it has waited before counts.
  const uint64_t since_ms = call.ticket / 1000;
  const uint64_t now_ms = shared_.clock.now().value;
  if (wait.until.IsSet() && now_ms > since_ms) {
    wait.until.at_ms -= std::min(now_ms - since_ms, wait.until.at_ms - 1);
  }
  waiters_.Add(request, {call, std::move(wait)});
}

Leading::Done Leading::Execute(const KvForward& call) {
  MUSTER_CHECK(CanExecute());
  const KvRequest request{shared_.self, call.call};
  if (const KvServed* served = call.again ? served_.Find(request) : nullptr) {
    return {Outcome::kDone, SeqOf(*served), 0, served->replies};
  }
  Done done = call.atomic ? RunAtomic(request, call)
                          : Run(request, call, commands::Blocking::kMayWait);
  if (done.outcome == Outcome::kDone && done.seq == crdt::Seq()) {
    done.sign = followers_.AskForSign();
  }
  ServeWoken();
  return done;
}

void Leading::OnForward(crdt::LifeId from, KvForward call) {
  const KvRequest request{from, call.call};
  const bool pop = IsPop(call);
  if (call.again && !pop) {
    // This term does not know what another one had of it.
    if (call.term == term_) AnswerAgain(request);
    return;
  }
  // A copy of one that was executed is no reason to refuse that.
  KvSeenCalls& seen = seen_[from];
  if (call.term == term_ && !call.again && seen.Has(call.call)) return;
  // From one that is down it comes late: its node may have gone to another
  // leader meanwhile.
  if (call.term != term_ || stopped_ || !shared_.peers.IsUp(from)) {
    return followers_.Answer(from, {call.call, Outcome::kRefused, {}, {}});
  }
  if (barrier_.has_value()) {
    held_forwards_.emplace_back(from, std::move(call));
    return;
  }
  if (!call.again) seen.Add(call.call);
  if (const KvServed* served = pop ? served_.Find(request) : nullptr) {
    return SendAnswer(
        from, {call.call, Outcome::kDone, SeqOf(*served), served->replies});
  }
  if (call.again && waiters_.Has(request)) {
    return followers_.Answer(from, {call.call, Outcome::kWaits, {}, {}});
  }
  Done done = call.atomic ? RunAtomic(request, call)
                          : Run(request, call, commands::Blocking::kMayWait);
  if (pop) {
    TellServed(request, done);
  } else {
    answered_.Add({request, shared_.self, done.seq, done.replies});
  }
  Finish(request, std::move(done));
  ServeWoken();
}

// A call that was never seen is never run from here on: later calls of its
// connection may have been.
void Leading::AnswerAgain(const KvRequest& request) {
  if (const KvServed* answered = answered_.Find(request)) {
    SendAnswer(request.origin, {request.call, Outcome::kDone, answered->seq,
                                answered->replies});
  } else if (seen_[request.origin].Add(request.call)) {
    followers_.Answer(request.origin,
                      {request.call, Outcome::kRefused, {}, {}});
  }
}

// A mutation of another leader is in the base of this term.
crdt::Seq Leading::SeqOf(const KvServed& served) const {
  return served.leader == shared_.self ? served.seq : base_.Of(shared_.self);
}

void Leading::TellServed(const KvRequest& request, const Done& done) {
  if (done.seq == crdt::Seq() || request.origin == shared_.self) return;
  KvServed served{request, shared_.self, done.seq, done.replies};
  followers_.Tell(served);
  served_.Add(std::move(served));
}

void Leading::Finish(const KvRequest& request, Done done) {
  KvAnswers::Answer answer{request.call, done.outcome, done.seq,
                           std::move(done.replies)};
  if (request.origin == shared_.self) {
    own_served_.push_back(std::move(answer));
  } else {
    SendAnswer(request.origin, std::move(answer));
  }
}

void Leading::SendAnswer(crdt::LifeId to, KvAnswers::Answer answer) {
  const bool waits = shared_.options.ack == KvAckPolicy::kMajority &&
                     answer.seq > followers_.acked();
  if (waits) {
    held_.push_back({to, std::move(answer)});
  } else {
    followers_.Answer(to, std::move(answer));
  }
}

// ---------------------------------------------------------------- pops that
// wait

void Leading::ServeWoken() {
  for (size_t n = 0; n < kWoken; ++n) {
    const auto request = waiters_.TakeWoken();
    if (!request.has_value()) return;
    Serve(*request);
  }
}

void Leading::Serve(const KvRequest& request) {
  const KvForward call = waiters_.Get(request).call;
  waiters_.Remove(request);
  Done done = Run(request, call, commands::Blocking::kWoken);
  if (done.outcome == Outcome::kWaits) return;
  TellServed(request, done);
  Finish(request, std::move(done));
}

void Leading::AnswerDue() {
  while (const auto request = waiters_.FirstDue(shared_.clock.now())) {
    Done done;
    done.replies = waiters_.Get(*request).wait.at_deadline;
    waiters_.Remove(*request);
    // It is not to be run again, if it comes once more.
    served_.Add({*request, shared_.self, {}, done.replies});
    Finish(*request, std::move(done));
  }
}

// Its node hears whether it was served. If not, it never is, even if it comes
// once more.
void Leading::Withdraw(const KvRequest& request) {
  const KvServed* served = served_.Find(request);
  const bool elsewhere = request.origin != shared_.self;
  if (served != nullptr && served->seq > crdt::Seq()) {
    if (!elsewhere) return;
    return SendAnswer(request.origin, {request.call, Outcome::kDone,
                                       SeqOf(*served), served->replies});
  }
  commands::Reply nothing;
  nothing.NilArray();
  waiters_.Remove(request);
  served_.Add({request, shared_.self, {}, std::move(nothing)});
  if (!elsewhere) return;
  followers_.Answer(request.origin, {request.call, Outcome::kRefused, {}, {}});
}

// ------------------------------------------------------------------------ time

void Leading::OnStalled() {
  barrier_ = shared_.now;
  followers_.OnStalled();
}

void Leading::Stop() { stopped_ = true; }

bool Leading::Tick() {
  followers_.Tick();
  for (const crdt::LifeId origin : waiters_.Origins()) {
    if (origin != shared_.self && !shared_.peers.IsUp(origin)) {
      waiters_.RemoveOf(origin);
    }
  }
  AnswerDue();
  if (!barrier_.has_value()) return true;
  if (followers_.AllUpAnsweredSince(*barrier_)) {
    barrier_.reset();
    auto forwards = std::move(held_forwards_);
    held_forwards_.clear();
    for (auto& [from, call] : forwards) OnForward(from, std::move(call));
    return true;
  }
  return shared_.now - *barrier_ < KvPeers::kPatience;
}

bool Leading::RemoveDue() {
  if (!shared_.state.FirstDue(shared_.clock.now()).has_value()) return false;
  if (!MayRemoveDue()) return false;
  const kv::Seen seen = NextSeen();
  const kv::Time now = shared_.clock.now();
  kv::Transaction tx(shared_.state, seen, shared_.clock.NextStamp(), now);
  for (size_t n = 0; n < kDueKeys; ++n) {
    const auto due = shared_.state.FirstDue(now);
    if (!due.has_value()) break;
    tx.RemoveKey(due->name());
  }
  Append(tx);
  return shared_.state.FirstDue(now).has_value();
}

bool Leading::Settle() {
  if (shared_.state.unsettled() == 0) return false;
  const kv::Seen seen = NextSeen();
  kv::Transaction tx(shared_.state, seen, shared_.clock.NextStamp(),
                     shared_.clock.now());
  for (size_t n = 0; n < kSettledKeys; ++n) {
    const auto key = shared_.state.FirstUnsettled();
    if (!key.has_value()) break;
    tx.Settle(key->name());
    ++settled_keys_;
  }
  Append(tx);
  return shared_.state.unsettled() > 0;
}

// What is due while a member is silent is no job: it has to wait.
bool Leading::HasJob() const {
  if (!CanExecute()) return false;
  return shared_.state.unsettled() > 0 || waiters_.has_woken() ||
         (shared_.state.FirstDue(shared_.clock.now()).has_value() &&
          MayRemoveDue());
}

bool Leading::MayRemoveDue() const {
  return followers_.AllAnsweredWithin(kDueAnswer) ||
         crdt::Mutated(crdt::Mutant::kKvRemovesDueWhileSilent);
}

bool Leading::RunJob() {
  if (!CanExecute()) return false;
  ServeWoken();
  bool more = RemoveDue();
  more |= Settle();
  return more || waiters_.has_woken();
}

bool Leading::Flush() {
  while (!held_.empty() && held_.front().answer.seq <= followers_.acked()) {
    followers_.Answer(held_.front().to, std::move(held_.front().answer));
    held_.pop_front();
  }
  return followers_.Flush();
}

void Leading::End() {
  for (Held& held : held_) {
    followers_.Answer(held.to, std::move(held.answer));
  }
  held_.clear();
  for (auto& [from, call] : held_forwards_) {
    followers_.Answer(from, {call.call, Outcome::kRefused, {}, {}});
  }
  held_forwards_.clear();
  followers_.Flush();
}

}  // namespace muster::core
