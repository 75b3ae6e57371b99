// Paths, dialling, probes and datagrams; lanes are in network_link.cc.
#include "tests/sim/network.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace muster::sim {
namespace {

constexpr SimTime kProbeLimit = 300 * kMillisecond;
constexpr SimTime kHelloProbeLimit = 1200 * kMillisecond;
// Datagrams that a socket of a process that does not read will hold.
constexpr size_t kSocketDatagrams = 200;
// What a process sends in a second at most: so many, and for each pair of
// hosts.
constexpr int64_t kSentASecond = 100;
constexpr int64_t kSentOfPair = 20;

}  // namespace

Network::Network(World& world) : world_(world) {}
Network::~Network() = default;

Path& Network::path(int from, int to) {
  const size_t size = static_cast<size_t>(std::max(from, to)) + 1;
  if (paths_.size() < size) paths_.resize(size);
  for (auto& row : paths_) {
    if (row.size() < paths_.size()) row.resize(paths_.size());
  }
  return paths_[static_cast<size_t>(from)][static_cast<size_t>(to)];
}

void Network::Cut(int a, int b, bool reset) {
  for (auto [from, to] : {std::pair(a, b), std::pair(b, a)}) {
    path(from, to).cut = true;
    path(from, to).reset = reset;
  }
}

SimTime Network::TransmitTime(const Path& path, size_t bytes) {
  if (path.bytes_per_second == 0) return 0;
  return static_cast<SimTime>(bytes) * kSecond / path.bytes_per_second;
}

void Network::Widened(int from, int to) {
  const Path& way = path(from, to);
  for (const auto& [number, conn] : conns_) {
    const int side = HostOf(*conn, 0) == from ? 0 : 1;
    if (HostOf(*conn, side) != from || HostOf(*conn, 1 - side) != to) continue;
    Lane& lane = conn->lanes[side];
    if (lane.busy_until <= world_.now() || lane.wire.empty()) continue;
    SimTime time = world_.now();
    for (Item& item : lane.wire) {
      time += TransmitTime(way, item.bytes);
      item.ready = std::min(item.ready, time + way.latency + way.jitter);
    }
    lane.busy_until = std::min(lane.busy_until, time);
    lane.last_ready = lane.wire.back().ready;
    lane.due = kNone;
    Post(conn, side);
  }
}

void Network::Mend(int a, int b) {
  path(a, b).cut = false;
  path(b, a).cut = false;
}

SimTime Network::Transit(const Path& path) {
  return path.latency + world_.rng().Range(0, path.jitter);
}

SimTime Network::RoundTrip(int a, int b) {
  return Transit(path(a, b)) + Transit(path(b, a));
}

// ---------------------------------------------------------------- datagrams

// C17
Network::Traffic& Network::TrafficOf(const Process& process) {
  Traffic& traffic = traffic_[process.number];
  const int64_t second = world_.now() / kSecond;
  if (second != traffic.second) {
    const bool next = second == traffic.second + 1;
    traffic = {second, 0, 0, 0, next ? traffic.bulk : 0};
  }
  return traffic;
}

void Network::CheckTraffic(const Process& from, int64_t sent,
                           absl::string_view what) {
  const auto hosts = static_cast<int64_t>(world_.hosts().size());
  if (sent <= kSentASecond + kSentOfPair * hosts * hosts) return;
  world_.Fail(absl::StrCat("C17: ", from.name(), "#", from.number, " sends ",
                           sent, " ", what, " within a second"));
}

void Network::CountDatagram(const Process& from) {
  ++datagrams_sent;
  CheckTraffic(from, ++TrafficOf(from).datagrams, "datagrams");
}

void Network::CountControl(const Process& from) {
  Traffic& traffic = TrafficOf(from);
  const int64_t answers = 2 * (traffic.bulk + traffic.bulk_before);
  CheckTraffic(from, ++traffic.control - answers,
               "control frames beside acks and pulls");
}

void Network::SendBeat(Process& from, const core::SendBeat& beat) {
  CountDatagram(from);
  Host* host = world_.HostAt(beat.address);
  if (host == nullptr) return;
  Rng& rng = world_.rng();
  const int source = from.host.index;
  const Path& way = path(source, host->index);
  if (way.cut || rng.Chance(way.datagram_loss_ppm)) return;
  const int copies = rng.Chance(way.datagram_twice_ppm) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    SimTime delay = Transit(way);
    if (rng.Chance(way.tail_ppm)) {
      SimTime tail = way.tail;
      while (tail < 30 * kSecond && rng.OneIn(2)) tail *= 2;
      delay += tail;
    }
    world_.After(delay, [this, source, host, datagram = beat.beat,
                         number = from.number] {
      Process* to = host->process;
      if (to == nullptr || !Open(source, host->index)) return;
      last_heard_[number] = world_.now();
      if (to->frozen() && to->waiting() > kSocketDatagrams) return;
      to->Post(
          [this, source, to, datagram](core::Replica& replica, core::Now now) {
            replica.OnDatagram(*datagram, now);
            OnBeatFrom(*to, source);
          });
    });
  }
}

// ------------------------------------------------------------------- probes

void Network::Probe(Process& from, const core::ConnectProbe& probe) {
  using Outcome = core::Replica::ProbeOutcome;
  auto answer = [&from, token = probe.token](Outcome outcome) {
    from.Post([token, outcome](core::Replica& replica, core::Now now) {
      replica.OnProbe(token, outcome, now);
    });
  };
  auto done = std::make_shared<bool>(false);
  world_.After(kProbeLimit, [done, answer] {
    if (!std::exchange(*done, true)) answer(Outcome::kNoAnswer);
  });
  Host* host = world_.HostAt(probe.address);
  if (host == nullptr) return;
  const int a = from.host.index;
  const int b = host->index;
  const SimTime back = Transit(path(b, a));
  auto reply = [this, done, answer, a, b, back](Outcome outcome) {
    if (!Open(b, a) && !path(b, a).reset) return;
    world_.After(back, [done, answer, outcome] {
      if (!std::exchange(*done, true)) answer(outcome);
    });
  };
  world_.After(Transit(path(a, b)), [this, reply, host, a, b] {
    if (!Open(a, b)) {
      if (path(a, b).reset) reply(Outcome::kRefused);
      return;
    }
    if (!host->powered) return;
    reply(host->process != nullptr ? Outcome::kConnected : Outcome::kRefused);
  });
}

void Network::ProbeHello(Process& from, const core::HelloProbe& probe) {
  auto done = std::make_shared<bool>(false);
  auto answer = [&from, done, token = probe.token](crdt::LifeId life) {
    if (std::exchange(*done, true)) return;
    from.Post([token, life](core::Replica& replica, core::Now now) {
      replica.OnHelloProbe(token, life, now);
    });
  };
  world_.After(kHelloProbeLimit, [answer] { answer(crdt::LifeId{}); });
  Host* host = world_.HostAt(probe.address);
  if (host == nullptr) return;
  const int a = from.host.index;
  const int b = host->index;
  // Connect, and the hello on the way.
  const SimTime there = RoundTrip(a, b) + Transit(path(a, b));
  world_.After(there, [this, answer, host, a, b] {
    if (!Open(a, b) || !Open(b, a) || !host->powered) return;
    if (host->process == nullptr) {
      answer(crdt::LifeId{});
      return;
    }
    Process& to = *host->process;
    to.Post([this, answer, &to, a, b](core::Replica&, core::Now) {
      if (!Open(b, a)) return;
      world_.After(Transit(path(b, a)),
                   [answer, life = to.life] { answer(life); });
    });
  });
}

// ------------------------------------------------------------------- figures

uint64_t Network::BytesBetween(int from, int to) const {
  auto it = bytes_between_.find({from, to});
  return it == bytes_between_.end() ? 0 : it->second;
}

SimTime Network::LastHeard(const Process& from) const {
  auto it = last_heard_.find(from.number);
  return it == last_heard_.end() ? 0 : it->second;
}

size_t Network::Sent(int from, int to, size_t kind) const {
  auto it = sent_.find({from, to, kind});
  return it == sent_.end() ? 0 : it->second;
}

size_t Network::LinksBetween(int a, int b) const {
  size_t count = 0;
  for (const auto& [number, conn] : conns_) {
    const std::pair hosts(HostOf(*conn, 0), HostOf(*conn, 1));
    if (hosts != std::pair(a, b) && hosts != std::pair(b, a)) continue;
    count += conn->ends[0].link != 0 && conn->ends[0].open &&
             conn->ends[1].link != 0 && conn->ends[1].open;
  }
  return count;
}

}  // namespace muster::sim
