// What each operation of a run does.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/sim/driver.h"
#include "tests/sim/network.h"

namespace muster::sim {

// ---------------------------------------------------------------------- work

void Driver::DoWork(Op op) {
  if (op >= Op::kWatch) return DoWatch(op);
  if (op != Op::kOpen) return DoSession(op);
  Process* at = SomeProcess();
  if (at == nullptr) return;
  const bool stream = !rng_.OneIn(3);
  const SimTime ttl = stream ? 0 : rng_.Range(2, 6) * kSecond;
  const SimTime grace = rng_.Pick<SimTime>(
      {0, 200 * kMillisecond, kSecond, 3 * kSecond, 10 * kSecond});
  Say(op, absl::StrCat("at ", at->name(), " grace ", grace));
  clients_.Open(*at, stream, ttl, grace);
}

void Driver::DoSession(Op op) {
  const bool resume = op == Op::kResumeHere || op == Op::kResumeElsewhere ||
                      op == Op::kRaiseEpoch;
  Session* session = SomeSession(!resume);
  if (session == nullptr) return;
  Say(op,
      absl::StrCat("session ", session->number, " ", absl::Hex(session->id.hi),
                   " at ", session->at == nullptr ? "-" : session->at->name()));
  switch (op) {
    case Op::kTrack:
    case Op::kUpdate:
    case Op::kUntrack:
      return clients_.Apply(*session, SomeBatch(op, *session));
    case Op::kClose:
      return clients_.Close(*session);
    case Op::kDisconnect:
      return clients_.Disconnect(*session);
    case Op::kSecondClient: {
      // A client that has forgotten what it tracked last.
      if (session->held.empty()) return;
      session->held.erase(std::prev(session->held.end()));
      break;
    }
    default:
      break;
  }
  Process* to = op == Op::kResumeHere ? session->at : SomeOther(session->at);
  if (to == nullptr) to = SomeProcess();
  if (to == nullptr) return;
  // Half of them end the old stream before.
  if (session->stream && rng_.OneIn(2)) clients_.Disconnect(*session);
  clients_.Resume(*session, *to,
                  session->epoch + (op == Op::kRaiseEpoch ? 1 : 0));
}

void Driver::DoWatch(Op op) {
  Process* at = SomeProcess();
  if (at == nullptr) return;
  if (op == Op::kWatch) {
    core::WatchRequest request;
    switch (rng_.Below(4)) {
      case 0:
        request.prefix = "t";
        break;
      case 1:
        request.keys = {SomeKey(), "k0"};
        break;
      default:
        request.topics = {SomeTopic()};
        if (rng_.OneIn(2)) request.topics.push_back("t0");
    }
    // Drawn by those that have it alone, so that others stay as they were.
    if (plan_.counts && rng_.OneIn(3)) {
      request.counts_only = true;
      request.interval = absl::Milliseconds(rng_.Range(0, 1000));
    }
    for (auto* names : {&request.keys, &request.topics}) {
      std::sort(names->begin(), names->end());
      names->erase(std::unique(names->begin(), names->end()), names->end());
    }
    Say(op, absl::StrCat("at ", at->name()));
    clients_.Watch(*at, request);
    return;
  }
  Watcher* watcher = SomeWatcher();
  if (watcher == nullptr) return;
  Say(op, absl::StrCat("to ", at->name()));
  if (op == Op::kEndWatch) clients_.EndWatch(*watcher);
  if (op == Op::kWatchOn) {
    const bool stay = watcher->at != nullptr && rng_.OneIn(2);
    clients_.WatchOn(*watcher, stay ? *watcher->at : *at);
  }
  if (op == Op::kLag && watcher->at != nullptr) {
    clients_.SetLagging(*watcher, !watcher->lagging);
  }
}

// -------------------------------------------------------------------- faults

void Driver::DoFault(Op op) {
  if (op >= Op::kBurst) return DoSecondPlan(op);
  switch (op) {
    case Op::kFreeze:
    case Op::kThaw:
    case Op::kKill:
    case Op::kPowerOff:
    case Op::kRestart:
    case Op::kTwin:
    case Op::kDrain:
    case Op::kWallJump:
    case Op::kSlowNode:
      return DoProcessFault(op);
    default:
      return DoNetworkFault(op);
  }
}

void Driver::DoNetworkFault(Op op) {
  const int hosts = static_cast<int>(world_.hosts().size());
  const int a = static_cast<int>(rng_.Below(static_cast<uint64_t>(hosts)));
  const int b = static_cast<int>(rng_.Below(static_cast<uint64_t>(hosts)));
  if (a == b) return;
  Say(op, absl::StrCat("h", a, " h", b));
  switch (op) {
    case Op::kCut:
      return checks_.Cut(a, b, false);
    case Op::kCutReset:
      return checks_.Cut(a, b, true);
    case Op::kCutOneWay:
      return checks_.CutOneWay(a, b);
    case Op::kPartition:
      return Partition();
    case Op::kMend:
      return checks_.Mend(a, b);
    case Op::kBreak:
      return checks_.BreakLinks(a, b);
    case Op::kSlowPath:
      return SetPath(a, b, rng_.OneIn(2));
    default:
      break;
  }
  for (int i = 0; i < hosts; ++i) {
    for (int j = 0; j < hosts; ++j) {
      if (i != j && !world_.network().Open(i, j)) checks_.Mend(i, j);
    }
  }
}

// Two sides, and now and then a host that hears both.
void Driver::Partition() {
  const int hosts = static_cast<int>(world_.hosts().size());
  const uint64_t sides = rng_.Next();
  const int both =
      rng_.OneIn(3) ? static_cast<int>(rng_.Below(static_cast<uint64_t>(hosts)))
                    : -1;
  const bool reset = rng_.OneIn(4);
  for (int i = 0; i < hosts; ++i) {
    for (int j = i + 1; j < hosts; ++j) {
      if (i == both || j == both) continue;
      if ((sides >> i & 1) != (sides >> j & 1)) checks_.Cut(i, j, reset);
    }
  }
}

void Driver::DoProcessFault(Op op) {
  if (op == Op::kRestart) return Restart();
  if (op == Op::kTwin) return StartTwin();
  Process* process = SomeProcess();
  if (process == nullptr) return;
  Say(op, process->name());
  switch (op) {
    case Op::kFreeze:
      return checks_.Freeze(*process);
    case Op::kThaw:
      for (Process* other : world_.Alive()) {
        if (other->frozen()) return checks_.Thaw(*other);
      }
      return;
    case Op::kKill:
      return checks_.Kill(*process);
    case Op::kPowerOff:
      return checks_.PowerOff(*process);
    case Op::kDrain:
      return checks_.Drain(*process);
    case Op::kWallJump:
      process->host.clock.wall_offset +=
          rng_.Range(-plan_.wall_jump / kSecond, plan_.wall_jump / kSecond) *
          kSecond;
      return;
    default:
      checks_.Slow(*process,
                   process->step_cost > 0 ? 0 : rng_.Range(100, 3000));
  }
}

void Driver::Restart() {
  for (int i = 0; i < plan_.nodes; ++i) {
    Host& host = *world_.hosts()[static_cast<size_t>(i)];
    if (host.process != nullptr) continue;
    host.powered = true;
    Say(Op::kRestart, absl::StrCat("n", i));
    StartNode(host, i);
    return;
  }
}

void Driver::StartTwin() {
  Host& spare = *world_.hosts().back();
  if (spare.process != nullptr) return;
  spare.powered = true;
  const int node =
      static_cast<int>(rng_.Below(static_cast<uint64_t>(plan_.nodes)));
  Say(Op::kTwin, absl::StrCat("n", node));
  StartNode(spare, node);
}

}  // namespace muster::sim
