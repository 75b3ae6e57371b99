// Dialling in the simulated network, as transport/peer/dialer.h does it.
#include <algorithm>

#include "tests/sim/network.h"

namespace muster::sim {
namespace {

constexpr SimTime kFirstBackoff = 50 * kMillisecond;
constexpr SimTime kLastBackoff = 2 * kSecond;
constexpr SimTime kRefusedWait = 30 * kSecond;
constexpr SimTime kGoodLink = 5 * kSecond;
// A beat does not hurry what was begun this recently.
constexpr SimTime kBeatPatience = 200 * kMillisecond;
constexpr SimTime kUnanswered = 4 * kSecond;
constexpr SimTime kAnswered = 2 * kSecond;
constexpr SimTime kMinPatience = 700 * kMillisecond;
constexpr SimTime kMaxPatience = 12 * kSecond;
constexpr SimTime kBeatSilence = 2 * kSecond;

}  // namespace

SimTime Network::BackOff(int failures) {
  const SimTime full =
      std::min(kFirstBackoff << std::min(failures, 6), kLastBackoff);
  return full - world_.rng().Range(0, full / 4);
}

bool Network::IsLinked(const Process& process, crdt::LifeId life) const {
  for (auto it = links_.lower_bound({process.number, 0});
       it != links_.end() && it->first.first == process.number; ++it) {
    const auto& [conn, side] = it->second;
    if (conn->ends[side].peer.origin.life == life) return true;
  }
  return false;
}

Network::Dialer* Network::FindAttempt(const Process& from,
                                      const std::string& address,
                                      uint64_t attempt) {
  auto it = dialers_.find({from.number, address});
  if (it == dialers_.end() || it->second.attempt != attempt) return nullptr;
  return it->second.state == Dialer::State::kWaiting ? nullptr : &it->second;
}

void Network::SetDial(Process& from,
                      const std::vector<std::string>& addresses) {
  auto wanted = [&addresses](const std::string& address) {
    return std::find(addresses.begin(), addresses.end(), address) !=
           addresses.end();
  };
  for (auto it = dialers_.begin(); it != dialers_.end();) {
    Dialer& dialer = it->second;
    const bool mine = it->first.first == from.number;
    if (mine) dialer.wanted = wanted(it->first.second);
    const bool stays =
        !mine || dialer.wanted || dialer.state == Dialer::State::kLinked ||
        (dialer.state == Dialer::State::kDialling && dialer.answered != 0);
    if (stays) {
      ++it;
      continue;
    }
    const uint64_t attempt = dialer.attempt;
    it = dialers_.erase(it);
    Abort(attempt);
  }
  for (const std::string& address : addresses) {
    auto [it, fresh] = dialers_.try_emplace({from.number, address});
    if (!fresh) continue;
    it->second.due = world_.now();
    // Of a link that did not hold.
    auto before = aside_.extract(it->first);
    if (!before.empty() && world_.now() <= before.mapped().due + kGoodLink) {
      it->second = before.mapped();
    }
    Schedule(from, address);
  }
}

void Network::Abort(uint64_t attempt) {
  for (const auto& [number, conn] : conns_) {
    if (conn->attempt != attempt) continue;
    const ConnRef found = conn;
    return Shut(found, 0, "given up");
  }
}

void Network::Schedule(Process& from, const std::string& address) {
  const Dialer& dialer = dialers_.at({from.number, address});
  world_.At(dialer.due, [this, &from, address] {
    from.Post([this, &from, address](core::Replica&, core::Now) {
      Dial(from, address);
    });
  });
}

void Network::Dial(Process& from, const std::string& address) {
  auto it = dialers_.find({from.number, address});
  if (it == dialers_.end()) return;
  Dialer& dialer = it->second;
  if (dialer.state != Dialer::State::kWaiting) return;
  if (dialer.due > world_.now()) return;
  if (dialer.refused && IsLinked(from, dialer.life)) {
    dialer.due = world_.now() + kRefusedWait;
    return Schedule(from, address);
  }
  dialer.state = Dialer::State::kDialling;
  dialer.since = world_.now();
  dialer.answered = 0;
  dialer.attempt = next_attempt_++;
  LimitAttempt(from, address, dialer.attempt);
  Connect(from, address, dialer.attempt, 0);
}

void Network::LimitAttempt(Process& from, const std::string& address,
                           uint64_t attempt) {
  Dialer* dialer = FindAttempt(from, address, attempt);
  if (dialer == nullptr || !from.alive()) return;
  if (dialer->state != Dialer::State::kDialling) return;
  SimTime limit =
      std::max(dialer->since + kUnanswered, dialer->beat + kBeatSilence);
  if (dialer->answered != 0) {
    limit = dialer->answered +
            std::max(dialer->answered - dialer->since, kAnswered);
  }
  if (limit <= world_.now() && !from.frozen()) {
    Failed(from, address, attempt, false, {});
    return Abort(attempt);
  }
  const SimTime again = std::max(limit, world_.now() + kSecond / 10);
  world_.At(again, [this, &from, address, attempt] {
    LimitAttempt(from, address, attempt);
  });
}

void Network::Connect(Process& from, const std::string& address,
                      uint64_t attempt, int tries) {
  if (FindAttempt(from, address, attempt) == nullptr) return;
  auto fail = [this, &from, address, attempt] {
    Failed(from, address, attempt, false, {});
  };
  auto silence = [this, &from, address, attempt, tries] {
    world_.After(kSecond << tries, [this, &from, address, attempt, tries] {
      Connect(from, address, attempt, tries + 1);
    });
  };
  Host* host = world_.HostAt(address);
  if (host == nullptr) return silence();
  const int a = from.host.index;
  const int b = host->index;
  if (!Open(a, b)) {
    if (!path(a, b).reset) return silence();
    return world_.After(Transit(path(a, b)), fail);
  }
  world_.After(Transit(path(a, b)),
               [this, &from, address, attempt, host, silence, fail] {
                 const Path& back = path(host->index, from.host.index);
                 if (!host->powered || back.cut) return silence();
                 world_.After(Transit(back), [this, &from, address, attempt,
                                              to = host->process, fail] {
                   if (to == nullptr) return fail();
                   Connected(from, address, attempt, *to);
                 });
               });
}

void Network::Connected(Process& from, const std::string& address,
                        uint64_t attempt, Process& to) {
  if (FindAttempt(from, address, attempt) == nullptr) return;
  if (!to.alive()) return Failed(from, address, attempt, false, {});
  auto conn = std::make_shared<Conn>();
  conn->number = next_conn_++;
  conn->ends[0].process = &from;
  conn->ends[1].process = &to;
  conn->dialed = address;
  conn->attempt = attempt;
  conns_[conn->number] = conn;
  const SimTime begun = dialers_.at({from.number, address}).since;
  auto limit = [this, conn](int side) {
    if (conn->ends[side].link == 0) Shut(conn, side, "no hello in time");
  };
  world_.At(std::max(world_.now(), begun + options.dialler_limit),
            [limit] { limit(0); });
  world_.After(options.acceptor_limit, [limit] { limit(1); });
  from.Post([this, conn, &from](core::Replica&, core::Now) {
    Item item;
    item.kind = Item::Kind::kHello;
    item.hello = HelloOf(from);
    item.bytes = 120;
    Enqueue(conn, 0, std::move(item));
  });
}

core::PeerHello Network::HelloOf(Process& process) const {
  core::PeerHello hello;
  hello.origin = process.replica().origin();
  hello.address = process.host.address;
  hello.feature_level = process.feature_level;
  return hello;
}

bool Network::Established(const ConnRef& conn) {
  Process& from = *conn->ends[0].process;
  Dialer* dialer = FindAttempt(from, conn->dialed, conn->attempt);
  if (dialer == nullptr) {
    Shut(conn, 0, "given up");
    return false;
  }
  dialer->state = Dialer::State::kLinked;
  dialer->patience = std::clamp(2 * (world_.now() - dialer->since),
                                kMinPatience, kMaxPatience);
  dialer->since = world_.now();
  dialer->life = conn->ends[0].peer.origin.life;
  return true;
}

void Network::AttemptOver(Process& process, const Conn& conn) {
  Failed(process, conn.dialed, conn.attempt, conn.refused,
         conn.ends[0].peer.origin.life);
}

void Network::Failed(Process& from, const std::string& address,
                     uint64_t attempt, bool refused, crdt::LifeId life) {
  Dialer* dialer = FindAttempt(from, address, attempt);
  if (dialer == nullptr || !from.alive()) return;
  const bool linked = dialer->state == Dialer::State::kLinked;
  const bool held = linked && world_.now() - dialer->since >= kGoodLink;
  if (!dialer->wanted && (!linked || held || refused)) {
    dialers_.erase({from.number, address});
    return;
  }
  if (held) dialer->failures = 0;
  dialer->state = Dialer::State::kWaiting;
  dialer->refused = refused;
  if (!life.IsZero()) dialer->life = life;
  dialer->due =
      world_.now() + (refused ? kRefusedWait : BackOff(dialer->failures));
  ++dialer->failures;
  if (dialer->wanted) return Schedule(from, address);
  dialer->wanted = true;
  aside_[{from.number, address}] = *dialer;
  dialers_.erase({from.number, address});
}

void Network::OnLinkLost(Process& process, crdt::LifeId life) {
  for (auto& [key, dialer] : dialers_) {
    if (key.first != process.number || !dialer.refused) continue;
    if (dialer.state != Dialer::State::kWaiting) continue;
    if (dialer.life != life) continue;
    dialer.refused = false;
    dialer.due = world_.now() + BackOff(0);
    Schedule(process, key.second);
  }
}

void Network::OnBeatFrom(Process& process, int host) {
  const std::string& address =
      world_.hosts()[static_cast<size_t>(host)]->address;
  auto it = dialers_.find({process.number, address});
  if (it == dialers_.end()) return;
  Dialer& dialer = it->second;
  if (dialer.state == Dialer::State::kLinked) return;
  const SimTime age = world_.now() - dialer.since;
  dialer.beat = world_.now();
  if (dialer.state == Dialer::State::kDialling) {
    if (age <= dialer.patience || dialer.answered != 0) return;
    dialer.patience = std::min(4 * dialer.patience, kMaxPatience);
    dialer.state = Dialer::State::kWaiting;
    Abort(dialer.attempt);
  } else if (dialer.refused || age <= kBeatPatience) {
    return;
  }
  dialer.due = std::min(dialer.due, world_.now());
  Dial(process, address);
}

}  // namespace muster::sim
