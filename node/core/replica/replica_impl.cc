#include "node/core/replica/replica_impl.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace muster::core {
namespace {

// A tick that comes later than this was not only slow: the process stood
// still, and nobody else is to blame for the silence.
constexpr absl::Duration kStall = absl::Milliseconds(200);
constexpr absl::Duration kUpkeep = absl::Milliseconds(200);
// How long a draining node goes on answering, so that its farewells arrive.
constexpr absl::Duration kFarewell = absl::Milliseconds(150);
// How long a stream that was just learnt of is given to say what is in it.
constexpr absl::Duration kLearning = absl::Seconds(5);
// Rows a slice of a job looks at.
constexpr size_t kJobRows = 128;
// Deadlines looked at in one step.
constexpr size_t kDeadlines = 256;
// How often it is told that records were dropped.
constexpr absl::Duration kTellAgain = absl::Minutes(1);
// Own sessions ended in one step since they have moved.
constexpr size_t kLosers = 32;

}  // namespace

Replica::Impl::Impl(Options o, crdt::LifeId life, uint64_t seed, Now now)
    : options(std::move(o)),
      roll(options, streams, seed),
      membership(options, life, seed ^ 0x9e3779b97f4a7c15u, now),
      replication(options, streams, membership),
      hub(roll.store(), options.watch, life),
      router(streams, membership, replication),
      interest(streams, crdt::StreamKind::kInterest),
      pubsub(options.pubsub, interest,
             {[this] { return keyspace.seen_position(); },
              [this](const KvPosition& p) { return keyspace.Has(p); }}),
      keyspace(options.keyspace, life, seed ^ 0xc2b2ae3d27d4eb4fu,
               [this](crdt::LifeId to) { return router.Reaches(to); }),
      gate(streams, membership, replication),
      evictions(roll, membership, orders),
      last_tick_(now.mono),
      next_upkeep_(now.mono) {
  streams.AddKind(crdt::StreamKind::kPresence, crdt::PresenceGrammar(), roll,
                  options.replication.log_bytes);
  streams.AddKind(crdt::StreamKind::kInterest, crdt::InterestGrammar(),
                  interest, options.pubsub.log_bytes);
  roll.store().SetObserver(&hub);
  SetTime(now, absl::ZeroDuration());
  HandleEvents();
}

void Replica::Impl::SetTime(Now now, absl::Duration stalled) {
  streams.SetTime(now, stalled);
  roll.store().SetTime(now.wall_us);
  pubsub.SetTime(now.mono);
  keyspace.SetTime(now, stalled);
}

void Replica::Impl::Begin(Now now) {
  // What comes first after a stall need not be a tick.
  absl::Duration stalled = now.mono - last_tick_;
  if (stalled > kStall) {
    last_tick_ = now.mono;
  } else {
    stalled = absl::ZeroDuration();
  }
  SetTime(now, stalled);
  if (stalled > absl::ZeroDuration()) gate.Disturbed();
}

void Replica::Impl::End() {
  HandleEvents();
  if (sessions.has_value()) {
    sessions->OnLosers(roll.TakeLosers(kLosers), out);
    membership.SetPresenceSeq(own->stream().vv);
  }
  FlushPubSub();
  FlushKeyspace();
  replication.Pump(out);
  hub.Flush(streams.now(), out);
  out.more_work |= roll.has_losers() || !roll.idle() || hub.has_work() ||
                   replication.has_work() || pubsub.has_work() ||
                   keyspace.has_work() || evictions.has_work() ||
                   (sessions.has_value() && sessions->has_work());
}

void Replica::Impl::HandleEvents() {
  for (const MembershipEvent& event : membership.TakeEvents()) {
    HandleEvent(event);
  }
}

void Replica::Impl::HandleEvent(const MembershipEvent& event) {
  using Kind = MembershipEvent::Kind;
  out.members_changed = true;
  up_is_known_ = false;
  peers_are_known_ = false;
  if (event.kind != Kind::kAdmitted && event.kind != Kind::kJoined) {
    gate.Disturbed();
  }
  switch (event.kind) {
    case Kind::kAdmitted: {
      constexpr auto kKind = crdt::StreamKind::kPresence;
      Stream& mine =
          streams.Add(event.origin, kKind, /*own=*/true, streams.now().mono);
      own.emplace(roll, streams.log(kKind), mine);
      pubsub.Begin(streams.Add(event.origin, crdt::StreamKind::kInterest,
                               /*own=*/true, streams.now().mono));
      sessions.emplace(options.sessions, roll, *own,
                       [this](crdt::LifeId life) { return Where(life); });
      return;
    }
    case Kind::kJoined:
      joined_ = true;
      alone_ = event.alone;
      return;
    case Kind::kLinked:
      replication.OnLinked(event.link, event.origin, router.LevelOf(event.link),
                           out);
      pubsub.OnWayChanged(event.origin.life);
      return;
    case Kind::kUnlinked:
      orders.OnUnlinked(event.link, out);
      replication.OnUnlinked(event.link, out);
      pubsub.OnWayChanged(event.origin.life);
      return;
    case Kind::kAlive:
      OnAlive(event);
      return;
    case Kind::kSuspect:
      return;
    case Kind::kEnded:
    case Kind::kDown:
    case Kind::kLeft:
      OnGone(event);
      return;
    case Kind::kForgotten:
      OnForgotten(event.origin.life);
      return;
  }
}

// Its streams of all kinds.
void Replica::Impl::OnGone(const MembershipEvent& event) {
  const bool ended = event.kind == MembershipEvent::Kind::kEnded;
  streams.ForEachOf(event.origin.life, [&](Stream& stream) {
    stream.Heard(membership.LastBeatOf(stream.origin.life));
    StreamVisibility& visibility = stream.visibility;
    if (ended ? visibility.OnEnded() : visibility.OnGone()) {
      streams.Settle(stream);
    }
  });
}

void Replica::Impl::OnForgotten(crdt::LifeId life) {
  std::vector<Stream*> gone;
  streams.ForEachOf(life, [&](Stream& stream) {
    if (!stream.own) gone.push_back(&stream);
  });
  for (Stream* stream : gone) {
    replication.OnStreamGone(stream->id());
    streams.Drop(*stream);
  }
  pubsub.OnForgotten(life);
}

void Replica::Impl::OnAlive(const MembershipEvent& event) {
  streams.ForEachOf(event.origin.life, [&](Stream& stream) {
    if (stream.own) return;
    const bool named = stream.kind == crdt::StreamKind::kPresence;
    stream.visibility.OnAlive(named ? event.presence_seq : crdt::Seq(),
                              streams.now().mono);
    ShowIfCaughtUp(stream);
  });
}

void Replica::Impl::OnPresenceSeq(const BeatDatagram& beat) {
  Stream* stream =
      streams.Find({beat.origin.life, crdt::StreamKind::kPresence});
  if (stream == nullptr) return;
  stream->visibility.OnNamed(beat.presence_seq, /*origin=*/true);
}

void Replica::Impl::ShowIfCaughtUp(Stream& stream) {
  if (stream.visibility.ShowIfCaughtUp(stream.vv, !stream.rebasing,
                                       streams.now().mono)) {
    streams.Settle(stream);
  }
}

// -------------------------------------------------------------------- time

void Replica::Impl::Tick(Now now) {
  Begin(now);
  last_tick_ = now.mono;
  up_is_known_ = false;
  membership.Tick(now, out);
  HandleEvents();
  RefreshAges();
  replication.Tick(out);
  writer_went_ = false;
  out.may_write |= std::exchange(writers_wait_, false);
  hub.Tick(now, out);
  pubsub.Tick();
  keyspace.Tick();
  gate.Tick(sessions.has_value() && sessions->has_lapsed(), out);
  orders.Tick(now.mono, out);
  out.more_work |= RunDeadlines();
  if (now.mono >= next_upkeep_) {
    next_upkeep_ = now.mono + kUpkeep;
    peers_are_known_ = false;
    Forget();
    TellOfDroppedRecords();
  }
  CheckReady();
  CheckLeave();
  if (now.mono >= exit_at_) out.exit = absl::OkStatus();
  End();
}

bool Replica::Impl::RunDeadlines() {
  if (!sessions.has_value()) return false;
  std::vector<crdt::ElementId> due;
  const bool more = roll.RunDeadlines(kDeadlines, due);
  for (crdt::ElementId id : due) sessions->OnDeadline(id);
  return sessions->RunLapsed(gate.KnownUntil()) || more;
}

void Replica::Impl::RefreshAges() {
  streams.ForSome(ages_next_, SliceOf(streams.size()), [this](Stream& stream) {
    // What a cut held back may come long after its sender has ended: no
    // advance.
    if (stream.own || stream.visibility.ended()) return;
    stream.Heard(membership.LastBeatOf(stream.origin.life));
    ShowIfCaughtUp(stream);
  });
}

// Streams that cannot be shown any more: of ended lives, and those of the dead
// that nobody has whole, once no session is within its grace; of the silent,
// after DetectorOptions::forget.
void Replica::Impl::Forget() {
  std::vector<Stream*> gone;
  streams.ForEach([&](Stream& stream) {
    if (stream.own || membership.IsAlive(stream.origin.life)) return;
    absl::Duration age = streams.now().mono - stream.advanced;
    bool broken = stream.rebasing && replication.SourceOf(stream).empty();
    bool coming = stream.vv == crdt::Seq() &&
                  streams.now().mono - stream.learnt < kLearning;
    bool over = (stream.visibility.ended() || broken) && stream.hidden() &&
                !coming && !streams.state(stream.kind).HasWanted(stream);
    if (over || age > options.detector.forget) gone.push_back(&stream);
  });
  for (Stream* stream : gone) {
    replication.OnStreamLapsed(*stream);
    streams.Drop(*stream);
  }
}

// One line for all that were dropped in a while.
void Replica::Impl::TellOfDroppedRecords() {
  if (!sessions.has_value()) return;
  const uint64_t dropped = sessions->records_dropped();
  if (dropped == records_told_ ||
      roll.now().mono - records_told_at_ < kTellAgain) {
    return;
  }
  out.log.push_back(
      {LogLine::Level::kWarning,
       absl::StrCat(dropped - records_told_,
                    " records of ended sessions were dropped before their time:"
                    " this node keeps ",
                    options.sessions.max_ended, " (--max-ended-sessions)")});
  records_told_ = dropped;
  records_told_at_ = roll.now().mono;
}

void Replica::Impl::CheckReady() {
  if (ready || draining || !joined_ || !own.has_value()) return;
  if (!alone_ && !replication.CaughtUp()) return;
  if (!roll.idle()) return;
  replication.StopCatchingUp();
  ready = true;
  out.ready_changed = true;
  keyspace.SetReady(membership.self().incarnation);
}

void Replica::Impl::RunJobs(Now now) {
  Begin(now);
  out.more_work = false;
  // What this shows and hides is not faster than watchers can be told of it.
  bool more = !roll.idle();
  if (hub.waiting() < WatchHub::kMaxBehind / 4) more = roll.RunJob(kJobRows);
  more |= hub.RunSlice(now, out);
  more |= replication.RunJob(out);
  if (sessions.has_value()) {
    more |= sessions->RunJob(out);
    more |= evictions.RunJob(*sessions, out);
  }
  more |= pubsub.RunJob(out.messages);
  more |= keyspace.RunJob();
  more |= RunDeadlines();
  End();
  out.more_work |= more;
}

void Replica::Impl::OnFrame(LinkId link, Frame frame) {
  Now now = streams.now();
  membership.OnFrameBeat(link, frame.beat, now, out);
  HandleEvents();
  replication.OnHeard(link);
  struct Visitor {
    Impl& self;
    LinkId link;
    Now now;
    void operator()(const PositionsFrame& f) {
      self.replication.OnPositions(link, f, self.out);
      self.up_is_known_ = false;
    }
    void operator()(const PullFrame& f) {
      self.replication.OnPull(link, f, self.out);
    }
    void operator()(const DeltaFrame& f) {
      self.replication.OnDelta(link, f, self.out);
    }
    void operator()(const RebaseFrame& f) {
      self.replication.OnRebase(link, f, self.out);
    }
    void operator()(const CheckpointFrame& f) {
      self.replication.OnCheckpoint(link, f, self.out);
    }
    void operator()(const AckFrame& f) { self.replication.OnAck(link, f); }
    void operator()(const MembersFrame& f) {
      self.membership.OnMembers(link, f, now, self.out);
    }
    void operator()(const AskFrame& f) {
      self.membership.OnAsk(link, f, now, self.out);
    }
    void operator()(const BeatReport& f) {
      self.membership.OnBeatReport(link, f, now, self.out);
    }
    void operator()(const LeavingFrame&) {
      self.membership.OnLeaving(link, now, self.out);
    }
    void operator()(RoutedFrame& f) { self.OnRouted(link, std::move(f)); }
    void operator()(const EvictFrame& f) { self.OnEvict(link, f); }
    void operator()(const ForgetFrame& f) { self.OnForget(link, f); }
    void operator()(const OrderAnswerFrame& f) {
      self.orders.OnAnswer(link, f, self.out);
    }
  };
  std::visit(Visitor{*this, link, now}, frame.body);
}

bool Replica::Impl::MayWrite(Now now) {
  SetTime(now, absl::ZeroDuration());
  if (!replication.HoldsWriter(own->stream())) return true;
  if (!std::exchange(writer_went_, true)) return true;
  writers_wait_ = true;
  return false;
}

void Replica::Impl::Drain() {
  if (draining) return;
  draining = true;
  ready = false;
  out.ready_changed = true;
  keyspace.Drain();
  CheckLeave();
}

void Replica::Impl::CheckLeave() {
  if (!draining || leaving_ || !keyspace.IsDrained()) return;
  leaving_ = true;
  keyspace.RefuseAll();
  exit_at_ = streams.now().mono + kFarewell;
  membership.Leave(streams.now(), out);
}

absl::Status Replica::Impl::Serving() const {
  if (draining) {
    return absl::UnavailableError("the node is draining; use another one");
  }
  if (!ready) {
    return absl::UnavailableError(
        "the node has not caught up with its peers yet");
  }
  return absl::OkStatus();
}

}  // namespace muster::core
