#include "tests/core/membership/member_world.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace muster::core {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(10);
constexpr absl::Duration kRedial = absl::Milliseconds(50);
constexpr size_t kSocketBuffer = 300;  // What waits for a frozen process.
constexpr absl::Duration kWireMemory = absl::Seconds(1);

std::pair<std::string, std::string> PairOf(const std::string& a,
                                           const std::string& b) {
  return {std::min(a, b), std::max(a, b)};
}

}  // namespace

uint64_t Process::Counter(const std::string& counter) const {
  for (const auto& [name, value] : membership->Counters()) {
    if (name == counter) return value;
  }
  return UINT64_MAX;
}

World::World(uint64_t seed, NetOptions net) : net_(net), random_(seed) {}

// --------------------------------------------------------------- processes

Process& World::Start(const std::string& name, std::vector<std::string> join,
                      Options options) {
  processes_.push_back(std::make_unique<Process>());
  Process& process = *processes_.back();
  options.node = name;
  options.join = std::move(join);
  if (options.address.empty()) options.address = name + ":1";
  process.name = name;
  process.address = options.address;
  process.options = options;
  process.life = {random_(), random_()};
  process.membership =
      std::make_unique<Membership>(options, process.life, random_(), now());
  At(now_ + Jitter(kTick), [this, &process] { TickLoop(process); });
  return process;
}

void World::TickLoop(Process& process) {
  if (!process.running) return;
  if (!process.frozen) {
    Do(process, [&](Output& out) { process.membership->Tick(now(), out); });
  }
  At(now_ + kTick, [this, &process] { TickLoop(process); });
}

void World::Do(Process& process, const std::function<void(Output&)>& call) {
  Output out;
  call(out);
  TakeEvents(process);
  Carry(process, out);
}

void World::Kill(Process& process) {
  process.running = false;
  std::vector<LinkId> links;
  for (const auto& [id, wire] : wires_) links.push_back(id);
  for (LinkId id : links) {
    int side = SideOf(id, process);
    if (side >= 0) Close(id, side);
  }
}

void World::Freeze(Process& process) { process.frozen = true; }

void World::Thaw(Process& process) {
  process.frozen = false;
  std::deque<std::function<void()>> inbox = std::exchange(process.inbox, {});
  for (auto& what : inbox) what();
}

void World::Leave(Process& process) {
  Do(process, [&](Output& out) { process.membership->Leave(now(), out); });
}

void World::TakeEvents(Process& process) {
  for (MembershipEvent& event : process.membership->TakeEvents()) {
    using Kind = MembershipEvent::Kind;
    process.seen.push_back({now_, event});
    if (event.kind == Kind::kUnlinked) process.linked.erase(event.link);
    if (event.kind != Kind::kLinked) continue;
    process.linked.insert(event.link);
    process.marked.erase(event.link);
    SendFrame marker{event.link, {process.membership->BeatOn(event.link), {}}};
    // Behind what this step of the membership sends.
    At(now_, [this, &process, marker] { SendFrameOn(process, marker); });
  }
}

void World::Carry(Process& process, Output& out) {
  for (const LogLine& line : out.log) {
    absl::StrAppend(&log_, now_.us / 1000, " ms ", process.name, ": ",
                    line.text, "\n");
  }
  for (const SendFrame& frame : out.frames) SendFrameOn(process, frame);
  for (const SendBeat& beat : out.beats) SendDatagram(process, beat);
  for (const CloseLink& close : out.closes) {
    ++process.closes;
    LinkId id = close.link;
    int side = SideOf(id, process);
    if (side >= 0) Close(id, side);
  }
  if (out.dial) {
    process.dial = {out.dial->begin(), out.dial->end()};
    for (const std::string& address : process.dial) {
      StartDial(process, address);
    }
  }
  for (const ConnectProbe& probe : out.probes) ConnectProbed(process, probe);
  for (const HelloProbe& probe : out.hello_probes) {
    HelloProbed(process, probe);
  }
  if (out.exit && !process.exit) {
    process.exit = *out.exit;
    At(now_ + absl::Milliseconds(20), [this, &process] { Kill(process); });
  }
}

// ----------------------------------------------------------------- network

void World::At(Instant when, std::function<void()> what) {
  queue_.emplace(when, std::move(what));
}

void World::Deliver(Process& process, std::function<void()> what, bool loss) {
  if (!process.running) return;
  if (!process.frozen) {
    what();
  } else if (!loss || process.inbox.size() < kSocketBuffer) {
    process.inbox.push_back(std::move(what));
  }
}

void World::Cut(const Process& a, const Process& b) {
  paths_[PairOf(a.address, b.address)] = Path::kCut;
}

void World::Refuse(const Process& a, const Process& b) {
  paths_[PairOf(a.address, b.address)] = Path::kRefused;
  std::vector<LinkId> links;
  for (const auto& [id, wire] : wires_) {
    if (SideOf(id, a) >= 0 && SideOf(id, b) >= 0) links.push_back(id);
  }
  for (LinkId id : links) Break(id);
}

void World::Heal(const Process& a, const Process& b) {
  paths_.erase(PairOf(a.address, b.address));
  for (auto& [id, wire] : wires_) {
    if (!wire.stuck || SideOf(id, a) < 0 || SideOf(id, b) < 0) continue;
    At(now_ + net_.tcp_recovery, [this, id = id] {
      auto it = wires_.find(id);
      if (it == wires_.end()) return;
      it->second.stuck = false;
      for (int to : {0, 1}) {
        auto held = std::exchange(it->second.sides[to].held, {});
        for (auto& what : held) Push(id, to, std::move(what));
      }
    });
  }
}

World::Path World::PathTo(const Process& from,
                          const std::string& address) const {
  auto it = paths_.find(PairOf(from.address, address));
  return it == paths_.end() ? Path::kOpen : it->second;
}

Process* World::Listening(const std::string& address) {
  for (auto& process : processes_) {
    if (process->running && process->address == address) return process.get();
  }
  return nullptr;
}

absl::Duration World::Jitter(absl::Duration most) {
  int64_t us = absl::ToInt64Microseconds(most);
  return absl::Microseconds(us <= 0 ? 0 : random_() % us);
}

void World::SendDatagram(Process& from, const SendBeat& beat) {
  if (net_.udp_blocked || PathTo(from, beat.address) != Path::kOpen) return;
  if (random_() % 1'000'000 < net_.udp_loss * 1e6) return;
  Instant when = now_ + net_.latency + Jitter(net_.udp_jitter);
  At(when, [this, address = beat.address, datagram = beat.beat] {
    Process* to = Listening(address);
    if (to == nullptr) return;
    auto read = [this, to, datagram] {
      Do(*to, [&](Output& out) {
        to->membership->OnDatagram(*datagram, now(), out);
      });
    };
    Deliver(*to, read, /*loss=*/true);
  });
}

void World::ConnectProbed(Process& from, const ConnectProbe& probe) {
  Path path = PathTo(from, probe.address);
  bool refused = path == Path::kRefused ||
                 (path == Path::kOpen && Listening(probe.address) == nullptr);
  absl::Duration wait =
      path == Path::kCut ? absl::Milliseconds(300) : 2 * net_.latency;
  At(now_ + wait, [this, &from, token = probe.token, refused] {
    Deliver(from, [this, &from, token, refused] {
      Do(from, [&](Output& out) {
        from.membership->OnProbe(token, refused, now(), out);
      });
    });
  });
}

void World::HelloProbed(Process& from, const HelloProbe& probe) {
  Process* to = Listening(probe.address);
  bool open = PathTo(from, probe.address) == Path::kOpen;
  bool answers = open && to != nullptr && !to->frozen;
  bool hangs = !answers && (!open || to != nullptr);
  absl::Duration wait = hangs ? absl::Milliseconds(1200) : 2 * net_.latency;
  crdt::LifeId life = answers ? to->life : crdt::LifeId();
  At(now_ + wait, [this, &from, token = probe.token, life] {
    Deliver(from, [this, &from, token, life] {
      Do(from, [&](Output& out) {
        from.membership->OnHelloProbe(token, life, now(), out);
      });
    });
  });
}

// ------------------------------------------------------------------- links

int World::SideOf(LinkId id, const Process& process) const {
  auto it = wires_.find(id);
  if (it == wires_.end()) return -1;
  if (it->second.sides[0].process == &process) return 0;
  return it->second.sides[1].process == &process ? 1 : -1;
}

void World::StartDial(Process& process, const std::string& address) {
  if (!process.running || !process.dial.contains(address)) return;
  if (!process.dialling.insert(address).second) return;
  At(now_ + 2 * net_.latency + Jitter(kRedial), [this, &process, address] {
    Process* target = Listening(address);
    if (target != nullptr && !target->frozen && process.running &&
        PathTo(process, address) == Path::kOpen) {
      Connected(process, address, *target);
      return;
    }
    process.dialling.erase(address);
    At(now_ + kRedial,
       [this, &process, address] { StartDial(process, address); });
  });
}

void World::Connected(Process& process, const std::string& address,
                      Process& target) {
  // A link to itself is two ends of one process: only the dialling one counts
  // here.
  LinkId id = ++last_link_;
  Wire& wire = wires_[id];
  wire.sides[0].process = &process;
  wire.sides[0].dialed = address;
  wire.sides[1].process = &target;
  // Either side may have the last proof first.
  int first = random_() % 2;
  Push(id, first, [this, id, first] { LinkUp(id, first); });
}

void World::LinkUp(LinkId id, int side) {
  Wire& wire = wires_.at(id);
  Process& process = *wire.sides[side].process;
  const Process& peer = *wire.sides[1 - side].process;
  wire.sides[side].up = true;
  if (!wire.sides[1 - side].up) {
    // Its own proof goes ahead of its frames.
    Push(id, 1 - side, [this, id, side] { LinkUp(id, 1 - side); });
  }
  PeerHello hello;
  hello.origin = peer.origin();
  hello.address = peer.address;
  hello.outbound = side == 0;
  hello.dialed = wire.sides[side].dialed;
  Do(process,
     [&](Output& out) { process.membership->OnLinkUp(id, hello, now(), out); });
}

void World::Push(LinkId id, int to, std::function<void()> what) {
  Wire& wire = wires_.at(id);
  Side& side = wire.sides[to];
  side.next = std::max(side.next, now_ + net_.latency);
  At(side.next, [this, id, to, what] {
    auto it = wires_.find(id);
    if (it == wires_.end() || it->second.sides[to].closed) return;
    Wire& wire = it->second;
    const Process& from = *wire.sides[1 - to].process;
    if (wire.stuck ||
        PathTo(from, wire.sides[to].process->address) != Path::kOpen) {
      wire.stuck = true;
      wire.sides[to].held.push_back(what);
      return;
    }
    Deliver(*wire.sides[to].process, [this, id, to, what] {
      auto it = wires_.find(id);
      if (it != wires_.end() && !it->second.sides[to].closed) what();
    });
  });
}

void World::SendFrameOn(Process& from, const SendFrame& frame) {
  int side = SideOf(frame.link, from);
  if (side < 0) return;
  const Wire& wire = wires_.at(frame.link);
  if (!wire.sides[side].up || wire.sides[side].closed) return;
  Process& to = *wire.sides[1 - side].process;
  Push(frame.link, 1 - side, [this, &to, frame] {
    LinkId id = frame.link;
    Membership& m = *to.membership;
    Do(to,
       [&](Output& out) { m.OnFrameBeat(id, frame.frame.beat, now(), out); });
    Do(to, [&](Output& out) {
      const auto& body = frame.frame.body;
      if (auto* members = std::get_if<MembersFrame>(&body)) {
        m.OnMembers(id, *members, now(), out);
      } else if (auto* ask = std::get_if<AskFrame>(&body)) {
        m.OnAsk(id, *ask, now(), out);
      } else if (auto* report = std::get_if<BeatReport>(&body)) {
        m.OnBeatReport(id, *report, now(), out);
      } else if (std::holds_alternative<LeavingFrame>(body)) {
        m.OnLeaving(id, now(), out);
      } else if (m.OriginOf(id) != nullptr) {
        to.marked.insert(id);
      }
    });
  });
}

void World::Close(LinkId id, int side) {
  Wire& wire = wires_.at(id);
  if (wire.sides[side].closed) return;
  Side& own = wire.sides[side];
  own.closed = true;
  if (side == 0) {
    own.process->dialling.erase(own.dialed);
    At(now_ + kRedial, [this, process = own.process, dialed = own.dialed] {
      StartDial(*process, dialed);
    });
  }
  if (own.process->running && own.up) {
    // The runtime reports the end of a link that was closed on request, too.
    Process& process = *own.process;
    At(now_, [this, &process, id] {
      Do(process,
         [&](Output& out) { process.membership->OnLinkDown(id, now(), out); });
    });
  }
  if (wire.sides[1 - side].closed) {
    At(now_ + kWireMemory, [this, id] { wires_.erase(id); });
  } else {
    Push(id, 1 - side, [this, id, side] { Close(id, 1 - side); });
  }
}

void World::Break(LinkId id) {
  for (int side : {0, 1}) Close(id, side);
}

// --------------------------------------------------------------- observing

void World::Run(absl::Duration time) {
  RunUntil([] { return false; }, time);
}

bool World::RunUntil(const std::function<bool()>& condition,
                     absl::Duration limit) {
  Instant end = now_ + limit;
  if (condition()) return true;
  while (!queue_.empty() && queue_.begin()->first <= end) {
    auto node = queue_.extract(queue_.begin());
    wall_ += (node.key().us - now_.us);
    now_ = node.key();
    node.mapped()();
    if (condition()) return true;
  }
  wall_ += end.us - now_.us;
  now_ = end;
  return condition();
}

std::optional<Instant> World::When(const Process& watcher,
                                   MembershipEvent::Kind kind,
                                   crdt::LifeId life, Instant since) {
  std::optional<Instant> when;
  for (const Process::Seen& seen : watcher.seen) {
    if (seen.event.kind == kind && seen.event.origin.life == life &&
        seen.at >= since) {
      when = seen.at;
    }
  }
  return when;
}

size_t World::CountOf(const Process& watcher, MembershipEvent::Kind kind,
                      crdt::LifeId life) {
  return std::count_if(
      watcher.seen.begin(), watcher.seen.end(), [&](const Process::Seen& seen) {
        return seen.event.kind == kind && seen.event.origin.life == life;
      });
}

bool World::AgreeOnLinks(const Process& a, const Process& b) const {
  LinkId link = a.membership->LinkTo(b.life);
  return link != 0 && link == b.membership->LinkTo(a.life) &&
         a.linked.contains(link) && b.linked.contains(link) &&
         a.marked.contains(link) && b.marked.contains(link);
}

std::string World::Missing(const std::vector<Process*>& processes) const {
  std::string missing;
  for (const Process* a : processes) {
    for (const Process* b : processes) {
      if (a == b) continue;
      if (!a->membership->IsAlive(b->life)) {
        absl::StrAppend(&missing, a->name, ": ", b->name, " is not alive\n");
      }
      if (a < b && !AgreeOnLinks(*a, *b)) {
        absl::StrAppend(&missing, a->name, " uses ",
                        a->membership->LinkTo(b->life), ", ", b->name, " uses ",
                        b->membership->LinkTo(a->life), "\n");
      }
    }
    if (a->linked.size() != processes.size() - 1) {
      absl::StrAppend(&missing, a->name, ": ", a->linked.size(), " links\n");
    }
  }
  return missing;
}

std::string World::History() const {
  std::string text;
  for (const auto& process : processes_) {
    for (const Process::Seen& seen : process->seen) {
      absl::StrAppend(&text, process->name, " ", seen.at.us, " ",
                      static_cast<int>(seen.event.kind), " ",
                      seen.event.origin.node, " ", seen.event.link, "\n");
    }
  }
  return text;
}

}  // namespace muster::core
