#include "node/core/keyspace/kv_calls.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace muster::core {

namespace {

// What a call counts for beside its commands.
constexpr size_t kCallBytes = 128;

}  // namespace

using Outcome = KvAnswers::Outcome;

// ---------------------------------------------------------------- coming in

KvCallId KvCalls::Add(KvCall call) {
  const KvCallId id = next_id_++;
  Call& added = calls_[id];
  added.call = std::move(call);
  added.came = added.since = shared_.now;
  added.ticket = shared_.clock.now_us();
  added.answer.call = id;
  Classify(added);
  if (added.call.connection != 0) {
    connections_[added.call.connection].push_back(id);
  }
  const bool full =
      added.blocking ? blocked_ >= shared_.options.max_blocked
                     : calls_.size() - blocked_ > shared_.options.max_waiting;
  if (added.blocking) ++blocked_;
  if (full) {
    const char* flag = added.blocking ? " pops wait (--kv-max-blocked)"
                                      : " calls wait (--kv-max-waiting)";
    const size_t limit = added.blocking ? shared_.options.max_blocked
                                        : shared_.options.max_waiting;
    Answer(id, added,
           absl::ResourceExhaustedError(
               absl::StrCat("this node has reached its limit: ", limit, flag)),
           {});
    return id;
  }
  const size_t bytes = added.call.commands.bytes().size();
  if (added.at_leader && bytes > shared_.options.limits.max_mutation_bytes) {
    Answer(id, added,
           absl::InvalidArgumentError(
               absl::StrCat("call of ", bytes, " bytes exceeds the limit of ",
                            shared_.options.limits.max_mutation_bytes,
                            " for calls that write (--kv-max-mutation-bytes)")),
           {});
    return id;
  }
  queued_.insert(id);
  return id;
}

void KvCalls::Classify(Call& call) const {
  call.at_leader = call.call.atomic || call.call.leader_reads ||
                   shared_.options.leader_reads;
  commands::CommandReader reader(call.call.commands);
  std::vector<absl::string_view> argv;
  while (reader.Next(argv)) {
    const commands::Command* command = commands::FindCommand(argv[0]);
    if (command == nullptr) continue;
    if (command->Has(commands::kWrite)) call.at_leader = true;
    if (command->Has(commands::kBlocking) && !call.call.atomic &&
        call.call.commands.count() == 1) {
      call.blocking = true;
    }
  }
}

void KvCalls::Withdraw(KvCallId id) {
  const auto at = calls_.find(id);
  if (at == calls_.end() || at->second.state == State::kAnswered) return;
  Call& call = at->second;
  if (call.blocking &&
      (call.state == State::kSent || call.state == State::kBlocked)) {
    shared_.Send(call.leader, KvWithdraw{id});
  }
  // Nobody is told.
  call.answer.call = 0;
  Answer(id, call, absl::CancelledError(), {});
}

// ----------------------------------------------------------------- starting

// In the order of its connection. `follows`: something before it was sent to
// the leader and is not answered, so that it has to go there, too.
bool KvCalls::MayStart(KvCallId id, const Call& call,
                       const KvStanding& standing, bool& follows) const {
  follows = false;
  if (call.call.connection == 0) return true;
  for (const KvCallId before : connections_.at(call.call.connection)) {
    if (before == id) return true;
    const Call& earlier = calls_.at(before);
    if (earlier.state == State::kAnswered) continue;
    if (earlier.state == State::kQueued || earlier.blocking) return false;
    if (earlier.term != standing.term) return false;
    follows = true;
  }
  return true;
}

bool KvCalls::Start(KvCallId id, Call& call, const KvStanding& standing) {
  if (shared_.now < call.not_before) return false;
  bool follows = false;
  if (!MayStart(id, call, standing, follows)) return false;
  if (!call.at_leader && !follows) {
    if (!standing.readable || standing.position < call.call.min_position) {
      return false;
    }
    ReadHere(call, standing);
    Answer(id, call, absl::OkStatus(), standing);
    return true;
  }
  if (standing.leading != nullptr) {
    if (!standing.leading->CanExecute()) return false;
    ExecuteHere(id, call, standing);
    return true;
  }
  if (standing.term.IsNone() || !standing.whole) return false;
  if (shared_.peers.WasJustLost(standing.term.leader, shared_.now)) {
    return false;
  }
  if (sent_bytes_ >= shared_.options.window_bytes && !call.blocking) {
    return false;
  }
  Forward(id, call, standing);
  return true;
}

void KvCalls::ReadHere(Call& call, const KvStanding&) {
  const commands::Environment env =
      shared_.Environment(commands::Blocking::kNever);
  commands::Session session{call.call.db};
  commands::CommandReader reader(call.call.commands);
  std::vector<absl::string_view> argv;
  while (reader.Next(argv)) {
    commands::Reply reply;
    const commands::Command* command = commands::Check(argv, env, reply);
    if (command != nullptr) {
      commands::Execute(*command, argv, session, env, shared_.state, nullptr,
                        reply);
    }
    call.answer.replies.Append(reply);
  }
}

KvForward KvCalls::ForwardOf(KvCallId id, const Call& call,
                             const Term& term) const {
  return {term,
          id,
          call.ticket,
          call.call.db,
          call.call.atomic,
          call.again,
          call.call.commands,
          call.call.watched};
}

void KvCalls::ExecuteHere(KvCallId id, Call& call, const KvStanding& standing) {
  Leading::Done done =
      standing.leading->Execute(ForwardOf(id, call, standing.term));
  call.leader = shared_.self;
  call.term = standing.term;
  if (done.outcome == Outcome::kWaits) {
    call.again = true;
    return Enter(id, call, State::kBlocked);
  }
  call.seq = done.seq;
  call.sign = done.sign;
  call.answer.replies = std::move(done.replies);
  Enter(id, call, State::kDone);
}

void KvCalls::Forward(KvCallId id, Call& call, const KvStanding& standing) {
  shared_.Send(standing.term.leader, ForwardOf(id, call, standing.term));
  call.leader = standing.term.leader;
  call.term = standing.term;
  call.again = call.blocking;
  Enter(id, call, State::kSent);
}

void KvCalls::Enter(KvCallId id, Call& call, State state) {
  const size_t bytes =
      call.blocking ? 0 : call.call.commands.bytes().size() + kCallBytes;
  if (call.state == State::kSent) sent_bytes_ -= bytes;
  if (state == State::kSent) sent_bytes_ += bytes;
  if (state == State::kQueued) {
    call.again = call.again && call.blocking;
    queued_.insert(id);
  } else {
    queued_.erase(id);
  }
  call.since = shared_.now;
  if (state == State::kDone) {
    done_.insert(id);
  } else {
    done_.erase(id);
  }
  call.state = state;
}

}  // namespace muster::core
