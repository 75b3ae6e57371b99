// The faults of the second plan, and its crowd.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/sim/driver.h"
#include "tests/sim/network.h"

namespace muster::sim {
namespace {

// What one session of a crowd holds.
constexpr int kOfCrowd = 1000;
// How long it may take to be everywhere. Where queues are full, and drop the
// end of what is sent, only a fresh link goes on: 4,000 entries in 5 s.
constexpr SimTime kCrowdWithin = 20 * kSecond;
constexpr SimTime kCrowdPastFullQueues = 120 * kSecond;
// Frames of a rebase that a trap may wait for.
constexpr int64_t kTrapFrames = 6;
// Rebases that are written into after an operation, and what is updated of each
// session.
constexpr int kWrites = 3;
constexpr size_t kLatest = 3;

}  // namespace

// All at once and in a few topics, with keys that nothing else draws.
void Driver::OpenCrowd() {
  for (int begun = 0; begun < plan_.crowd; begun += kOfCrowd) {
    Process* at = SomeProcess();
    if (at == nullptr) return;
    Session& session =
        clients_.Open(*at, true, 0, rng_.Pick<SimTime>({0, 10 * kSecond}));
    world_.RunFor(kMillisecond);
    Batch batch;
    batch.allow_duplicate = true;
    for (int i = begun; i < std::min(begun + kOfCrowd, plan_.crowd); ++i) {
      batch.track.push_back({SomeTopic(), absl::StrCat("crowd", i), "m"});
    }
    clients_.Apply(session, std::move(batch));
    world_.RunFor(kMillisecond);
  }
  const bool full_queues =
      plan_.bulk_queue_bytes < NetworkOptions().bulk_queue_bytes;
  checks_.BecomeQuiet(full_queues ? kCrowdPastFullQueues : kCrowdWithin);
}

void Driver::DoSecondPlan(Op op) {
  switch (op) {
    case Op::kBurst:
      return Burst();
    case Op::kSuspend:
      return Suspend();
    case Op::kIslands:
      return Islands();
    case Op::kSplitOneWay:
      return SplitOneWay();
    case Op::kInRebase:
      return SetTrap();
    case Op::kWriteInRebase:
      return WriteInRebase();
    case Op::kEvict:
      return Evict();
    default:
      break;
  }
  // Narrow: so little that what is written waits.
  const uint64_t hosts = world_.hosts().size();
  const int from = static_cast<int>(rng_.Below(hosts));
  const int to = static_cast<int>(rng_.Below(hosts));
  Say(op, absl::StrCat("h", from, " to h", to));
  checks_.Disturbed();
  checks_.Slowed();
  checks_.subscribers().TouchPath(from, to);
  world_.network().path(from, to).bytes_per_second = rng_.Range(2'000, 20'000);
}

// More than a log holds, within two seconds: whoever is slow falls behind it.
void Driver::Burst() {
  Session* session = SomeSession(true);
  if (session == nullptr) return;
  const int64_t batches = rng_.Range(5, 40);
  const SimTime every = rng_.Pick<SimTime>({100, 5'000, 50'000});
  Say(Op::kBurst, absl::StrCat("session ", session->number, " at ",
                               session->at->name(), ": ", batches));
  for (int64_t i = 0; i < batches; ++i) {
    world_.After(i * every, [this, session, i] {
      constexpr Op kWhat[] = {Op::kTrack, Op::kUpdate, Op::kUntrack};
      clients_.Apply(*session, SomeBatch(kWhat[i % 3], *session));
    });
  }
}

// As a machine that is put to sleep: it does not run for a while, and its wall
// clock may have been set when it wakes.
void Driver::Suspend() {
  Process* process = SomeProcess();
  if (process == nullptr || process->frozen()) return;
  const SimTime pause = rng_.Pick<SimTime>(
      {300 * kMillisecond, kSecond, 3 * kSecond, 8 * kSecond});
  const bool set = rng_.OneIn(2);
  Say(Op::kSuspend, absl::StrCat(process->name(), " for ", pause));
  checks_.Freeze(*process);
  world_.After(pause, [this, process, pause, set] {
    if (!process->alive()) return;
    if (set) process->host.clock.wall_offset -= pause;
    checks_.Thaw(*process);
  });
}

// Any set of pairs: most shapes are not transitive.
void Driver::Islands() {
  const int hosts = static_cast<int>(world_.hosts().size());
  const uint64_t one_in = static_cast<uint64_t>(rng_.Range(2, 4));
  Say(Op::kIslands, absl::StrCat("one pair in ", one_in));
  for (int i = 0; i < hosts; ++i) {
    for (int j = i + 1; j < hosts; ++j) {
      if (rng_.OneIn(one_in)) checks_.Cut(i, j, rng_.OneIn(4));
    }
  }
}

// One side hears the other, and is not heard.
void Driver::SplitOneWay() {
  const int hosts = static_cast<int>(world_.hosts().size());
  const uint64_t sides = rng_.Next();
  Say(Op::kSplitOneWay, "");
  for (int i = 0; i < hosts; ++i) {
    for (int j = 0; j < hosts; ++j) {
      const bool deaf = (sides >> i % 64 & 1) > (sides >> j % 64 & 1);
      if (i != j && deaf) checks_.CutOneWay(i, j);
    }
  }
}

void Driver::SetTrap() {
  trap_set_ = true;
  trap_frame_ = static_cast<uint64_t>(rng_.Range(1, kTrapFrames));
  Say(Op::kInRebase, absl::StrCat("at frame ", trap_frame_));
}

void Driver::Evict() {
  Process* at = SomeProcess();
  if (at == nullptr) return;
  const std::string topic = SomeTopic();
  const std::string key = SomeKey();
  Say(Op::kEvict, absl::StrCat(topic, "/", key, " at ", at->name()));
  clients_.Evict(*at, topic, key);
}

void Driver::WriteInRebase() {
  writes_set_ = kWrites;
  Say(Op::kWriteInRebase, "");
}

void Driver::OnRebase(Process& from, Process& to,
                      const core::RebaseFrame& frame) {
  if (trap_set_ && frame.number == trap_frame_) {
    trap_set_ = false;
    world_.After(rng_.Range(0, 3 * plan_.latency),
                 [this, &from, &to] { Spring(from, to); });
  }
  const bool names = frame.kind == core::RebaseFrame::Kind::kBegin &&
                     frame.have.value > 0 && frame.stream.life == from.life;
  if (writes_set_ > 0 && names) {
    --writes_set_;
    world_.After(rng_.Range(0, 3 * plan_.latency),
                 [this, &from] { WriteLatest(from); });
  }
}

// Elements are named in the order of their writing, so the last are still to
// come: an updated one is then in the log alone.
void Driver::WriteLatest(Process& origin) {
  if (!working_ || !origin.alive()) return;
  for (const auto& session : clients_.sessions()) {
    if (session->at != &origin || session->busy) continue;
    Batch batch;
    for (auto it = session->held.rbegin(); it != session->held.rend(); ++it) {
      if (batch.update.size() == kLatest) {
        batch.untrack.push_back(it->first);
        break;
      }
      batch.update.emplace_back(it->first, absl::StrCat("w", rng_.Below(1000)));
    }
    clients_.Apply(*session, std::move(batch));
  }
}

void Driver::Spring(Process& sender, Process& receiver) {
  if (!working_ || !sender.alive() || !receiver.alive()) return;
  const int a = sender.host.index;
  const int b = receiver.host.index;
  world_.trace().Print(world_.now(), "trap",
                       absl::StrCat(sender.name(), " to ", receiver.name()));
  switch (rng_.Below(6)) {
    case 0:
      return checks_.Kill(sender);
    case 1:
      return checks_.Kill(receiver);
    case 2:
      return checks_.Freeze(rng_.OneIn(2) ? sender : receiver);
    case 3:
      return checks_.BreakLinks(a, b);
    case 4:
      return checks_.CutOneWay(a, b);
    default:
      return checks_.Cut(a, b, rng_.OneIn(3));
  }
}

}  // namespace muster::sim
