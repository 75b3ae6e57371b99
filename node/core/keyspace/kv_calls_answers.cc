// Answers of calls, and the work of time on them.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "crdt/mutant.h"
#include "node/core/keyspace/kv_calls.h"

namespace muster::core {
namespace {

// A call that was refused is sent again after this.
constexpr absl::Duration kRefusedRests = absl::Milliseconds(10);
// An answer that has not come by then may be lost.
constexpr absl::Duration kAskAgain = absl::Seconds(1);
// How often all calls are looked at for those that have waited too long.
constexpr absl::Duration kTickEvery = absl::Milliseconds(250);
// Of pops that wait, told with a promise; the others ask again.
constexpr size_t kMaxBlockedBytes = 256 << 10;

absl::Status NoLeader() {
  return absl::UnavailableError("the keyspace has no leader here yet");
}

absl::Status Draining() {
  return absl::UnavailableError("the node is draining; use another");
}

absl::Status NotConfirmed() {
  return absl::UnavailableError(
      "the leader changed before it confirmed the answer, and later calls of "
      "this connection were executed: nothing was changed");
}

}  // namespace

using Outcome = KvAnswers::Outcome;

// ---------------------------------------------------------------- answering

void KvCalls::OnAnswers(crdt::LifeId from, const KvAnswers& frame,
                        const KvStanding& standing) {
  for (const KvAnswers::Answer& answer : frame.answers) {
    const auto at = calls_.find(answer.call);
    if (at == calls_.end()) continue;
    Call& call = at->second;
    const bool expected =
        call.state == State::kSent || call.state == State::kBlocked;
    if (!expected || call.leader != from) continue;
    switch (answer.outcome) {
      case Outcome::kRefused:
        OnRefused(answer.call, call, standing);
        break;
      case Outcome::kWaits:
        if (call.state == State::kSent)
          Enter(answer.call, call, State::kBlocked);
        break;
      case Outcome::kDone:
        call.term = frame.term;
        call.seq = answer.seq;
        call.answer.replies = answer.replies;
        Enter(answer.call, call, State::kDone);
        break;
    }
  }
}

void KvCalls::OnRefused(KvCallId id, Call& call, const KvStanding& standing) {
  const bool late = shared_.now - call.came > shared_.options.wait;
  if (call.withdrawn) {
    Answer(id, call, Draining(), standing);
  } else if (call.again && !call.blocking) {
    Answer(id, call,
           absl::UnavailableError("the call was lost on its way to the leader, "
                                  "and was not executed"),
           standing);
  } else if (late && !call.blocking) {
    Answer(id, call, NoLeader(), standing);
  } else {
    call.not_before = shared_.now + kRefusedRests;
    Enter(id, call, State::kQueued);
  }
}

// Whether they were executed is known to the leader alone.
void KvCalls::AskAgain(const KvStanding& standing) {
  if (!standing.whole || standing.leading != nullptr) return;
  for (auto& [id, call] : calls_) {
    const bool away =
        call.state == State::kSent || call.state == State::kBlocked;
    const Instant last = std::max(call.since, call.asked);
    if (!away || shared_.now - last < kAskAgain) continue;
    call.asked = shared_.now;
    if (call.withdrawn) {
      shared_.Send(call.leader, KvWithdraw{id});
    } else if (!call.blocking && call.term == standing.term) {
      call.again = true;
      shared_.Send(call.leader, ForwardOf(id, call, call.term));
    }
  }
}

void KvCalls::Served(KvCallId id, Call& call, const KvServed& served) {
  call.leader = served.leader;
  call.seq = served.seq;
  call.answer.replies = served.replies;
  Enter(id, call, State::kDone);
}

void KvCalls::OnServed(const std::vector<KvServed>& served) {
  for (const KvServed& pop : served) {
    const auto at = calls_.find(pop.request.call);
    if (pop.request.origin != shared_.self || at == calls_.end()) continue;
    Call& call = at->second;
    const bool waits =
        call.state == State::kSent || call.state == State::kBlocked;
    const bool applied = shared_.state.context().Of(pop.leader) >= pop.seq;
    if (call.blocking && waits && applied) Served(at->first, call, pop);
  }
}

void KvCalls::SendPopsAgain() {
  for (auto& [id, call] : calls_) {
    const bool waits =
        call.state == State::kSent || call.state == State::kBlocked;
    if (!call.blocking || !waits) continue;
    if (call.withdrawn) {
      shared_.Send(call.leader, KvWithdraw{id});
    } else {
      Enter(id, call, State::kQueued);
    }
  }
}

void KvCalls::OnServed(Leading& leading) {
  for (KvAnswers::Answer& answer : leading.TakeServed()) {
    const auto at = calls_.find(answer.call);
    if (at == calls_.end() || at->second.state != State::kBlocked) continue;
    Call& call = at->second;
    call.seq = answer.seq;
    call.answer.replies = std::move(answer.replies);
    if (call.seq == crdt::Seq()) call.sign = leading.followers().AskForSign();
    Enter(answer.call, call, State::kDone);
  }
}

// Whether what the call wrote is where it has to be, under the present term.
bool KvCalls::IsCovered(const Call& call, const KvStanding& standing) const {
  if (standing.term.IsNone() || !standing.whole) return false;
  if (standing.leading == nullptr) {
    if (crdt::Mutated(crdt::Mutant::kKvAcksAlone)) return true;
    return shared_.state.context().Of(call.leader) >= call.seq;
  }
  const Followers& followers = standing.leading->followers();
  if (call.leader != shared_.self) {
    return shared_.state.context().Of(call.leader) >= call.seq &&
           (followers.count() > 0 || followers.alone());
  }
  if (call.seq > crdt::Seq()) return followers.acked() >= call.seq;
  return followers.IsConfirmed(call.sign) || followers.alone() ||
         crdt::Mutated(crdt::Mutant::kKvAnswersUnconfirmed);
}

// It changed nothing, and nobody confirmed it in its term.
bool KvCalls::IsToRunAgain(const Call& call, const KvStanding& standing) const {
  return call.state == State::kDone && call.seq == crdt::Seq() &&
         standing.whole && call.term != standing.term;
}

// The last call of a connection that has left the queue for good; 0: none. One
// that is run again after it would see the writes of its successors.
KvCallId KvCalls::LastToStay(KvConnection connection,
                             const KvStanding& standing) const {
  if (connection == 0) return 0;
  const std::deque<KvCallId>& order = connections_.at(connection);
  const auto last =
      std::find_if(order.rbegin(), order.rend(), [&](KvCallId id) {
        const Call& call = calls_.at(id);
        return call.state != State::kQueued && !IsToRunAgain(call, standing);
      });
  return last == order.rend() ? 0 : *last;
}

void KvCalls::ResolveDone(const KvStanding& standing) {
  std::map<KvConnection, KvCallId> stay;  // LastToStay, looked for once each.
  for (auto at = done_.begin(); at != done_.end();) {
    const KvCallId id = *at++;
    Call& call = calls_.at(id);
    if (IsToRunAgain(call, standing)) {
      const KvConnection connection = call.call.connection;
      const auto [last, first] = stay.try_emplace(connection, 0);
      if (first) last->second = LastToStay(connection, standing);
      if (last->second > id) {
        Answer(id, call, NotConfirmed(), standing);
        continue;
      }
      call.answer.replies.Clear();
      Enter(id, call, State::kQueued);
      continue;
    }
    if (IsCovered(call, standing)) {
      Answer(id, call, absl::OkStatus(), standing);
    } else if (call.term == standing.term) {
      // Those that come after it in this term are not further.
      return;
    }
  }
}

void KvCalls::Answer(KvCallId id, Call& call, absl::Status status,
                     const KvStanding& standing) {
  call.answer.status = std::move(status);
  if (!call.answer.status.ok()) call.answer.replies.Clear();
  position_ = std::max(position_, standing.position);
  Enter(id, call, State::kAnswered);
  if (call.blocking) --blocked_;
  call.blocking = false;
  Deliver(id);
}

void KvCalls::Deliver(KvCallId id) {
  const KvConnection connection = calls_.at(id).call.connection;
  const auto hand_out = [this](KvCallId which) {
    const auto at = calls_.find(which);
    if (at->second.answer.call != 0) {
      // As of now: what was answered before, to others too, is not further.
      at->second.answer.position = position_;
      shared_.answers.push_back(std::move(at->second.answer));
    }
    calls_.erase(at);
  };
  if (connection == 0) return hand_out(id);
  std::deque<KvCallId>& order = connections_.at(connection);
  while (!order.empty() && calls_.at(order.front()).state == State::kAnswered) {
    hand_out(order.front());
    order.pop_front();
  }
  if (order.empty()) connections_.erase(connection);
}

// --------------------------------------------------------------------- time

// A term has begun here: what the leader before did not answer is settled.
void KvCalls::OnTermChanged(const KvStanding& standing) {
  std::vector<KvCallId> ids;
  for (const auto& [id, call] : calls_) ids.push_back(id);
  for (const KvCallId id : ids) {
    const auto at = calls_.find(id);
    if (at == calls_.end()) continue;
    Call& call = at->second;
    const bool sent =
        call.state == State::kSent || call.state == State::kBlocked;
    if (sent && call.blocking) {
      if (crdt::Mutated(crdt::Mutant::kKvLosesWaiters)) continue;
      const KvServed* served = standing.served->Find({shared_.self, id});
      if (served != nullptr) {
        Served(id, call, *served);
      } else if (call.withdrawn) {
        Answer(id, call, Draining(), standing);
      } else {
        Enter(id, call, State::kQueued);
      }
    } else if (sent && call.leader != standing.term.leader) {
      if (crdt::Mutated(crdt::Mutant::kKvResendsForward)) {
        Enter(id, call, State::kQueued);
        continue;
      }
      Answer(id, call,
             absl::AbortedError("outcome unknown: the leader that had the call "
                                "leads no more, and did not answer"),
             standing);
    } else if (call.state == State::kDone && call.seq > crdt::Seq() &&
               shared_.state.context().Of(call.leader) < call.seq) {
      Answer(id, call,
             absl::AbortedError("outcome unknown: the leader that executed the "
                                "call leads no more"),
             standing);
    }
  }
}

void KvCalls::Run(const KvStanding& standing) {
  if (standing.whole && (term_ != standing.term || !whole_)) {
    OnTermChanged(standing);
  }
  term_ = standing.term;
  whole_ = standing.whole;
  for (auto at = queued_.begin(); at != queued_.end();) {
    const KvCallId id = *at++;
    Start(id, calls_.at(id), standing);
  }
  if (!done_.empty()) ResolveDone(standing);
}

void KvCalls::Tick(const KvStanding& standing) {
  if (shared_.now < next_tick_) return;
  next_tick_ = shared_.now + kTickEvery;
  AskAgain(standing);
  std::vector<KvCallId> late;
  for (const auto& [id, call] : calls_) {
    // A pop that was sent waits as long as it was asked to; if nobody says that
    // it waits, it is sent again.
    const bool once = call.state == State::kQueued && !call.again;
    const Instant since = once ? call.came : call.since;
    if (shared_.now - since <= shared_.options.wait) continue;
    if (call.state == State::kAnswered || call.state == State::kBlocked) {
      continue;
    }
    late.push_back(id);
  }
  for (const KvCallId id : late) {
    const auto at = calls_.find(id);
    if (at == calls_.end() || at->second.state == State::kAnswered) continue;
    Call& call = at->second;
    if (call.state == State::kSent && call.blocking && !call.withdrawn) {
      Enter(id, call, State::kQueued);
    } else if (call.state != State::kQueued) {
      Answer(id, call,
             absl::AbortedError(
                 "outcome unknown: the call was not acknowledged in time"),
             standing);
    } else if (!call.at_leader && !standing.readable) {
      Answer(id, call,
             absl::UnavailableError(
                 "LOADING this node catches up with the keyspace"),
             standing);
    } else if (!call.at_leader) {
      Answer(id, call,
             absl::UnavailableError("this node has not come to the position "
                                    "(min_position) in time"),
             standing);
    } else {
      Answer(id, call, NoLeader(), standing);
    }
  }
}

std::vector<KvForward> KvCalls::Blocked() const {
  std::vector<KvForward> blocked;
  size_t bytes = 0;
  for (const auto& [id, call] : calls_) {
    if (!call.blocking) continue;
    if (call.state != State::kSent && call.state != State::kBlocked) continue;
    bytes += call.call.commands.bytes().size() + 64;
    if (bytes > kMaxBlockedBytes) break;
    blocked.push_back(ForwardOf(id, call, call.term));
    blocked.back().again = true;
  }
  return blocked;
}

// A pop that waits elsewhere may have been served: its leader says whether.
void KvCalls::RefuseAll() {
  std::vector<KvCallId> ids;
  for (const auto& [id, call] : calls_) ids.push_back(id);
  for (const KvCallId id : ids) {
    const auto at = calls_.find(id);
    if (at == calls_.end() || at->second.state == State::kAnswered) continue;
    Call& call = at->second;
    const bool away =
        (call.state == State::kSent || call.state == State::kBlocked) &&
        call.leader != shared_.self;
    if (call.blocking && away) {
      if (!std::exchange(call.withdrawn, true)) {
        shared_.Send(call.leader, KvWithdraw{id});
      }
      continue;
    }
    const bool queued = call.state == State::kQueued || call.blocking;
    Answer(id, call,
           queued ? Draining()
                  : absl::AbortedError("outcome unknown: the node is draining"),
           {});
  }
}

bool KvCalls::AnyUnderWay() const {
  for (const auto& [id, call] : calls_) {
    if (call.state == State::kDone) return true;
    const bool away =
        call.state == State::kSent || call.state == State::kBlocked;
    if (away && (!call.blocking || call.withdrawn)) return true;
  }
  return false;
}

}  // namespace muster::core
