// Links of the simulated network: lanes, hello, breaking.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/sim/keyspace_text.h"
#include "tests/sim/network.h"

namespace muster::sim {
namespace {

constexpr SimTime kFirstRetransmit = 200 * kMillisecond;
constexpr SimTime kLastRetransmit = 120 * kSecond;
constexpr SimTime kHeldBack = 500 * kMillisecond;
constexpr SimTime kLastEcho = 12 * kSecond;
constexpr size_t kSegmentBytes = 1400;
// What is delivered while no acknowledgement can come back.
constexpr size_t kUnackedBytes = 128 << 10;

struct BodyBytes {
  size_t operator()(const core::PositionsFrame& f) const {
    return 8 + 48 * f.streams.size();
  }
  size_t operator()(const core::DeltaFrame& f) const {
    return 32 + f.mutations->size();
  }
  size_t operator()(const core::RebaseFrame& f) const {
    return 48 + (f.payload == nullptr ? 0 : f.payload->size());
  }
  size_t operator()(const core::MembersFrame& f) const {
    return 16 + 64 * f.members.size();
  }
  size_t operator()(const core::RoutedFrame& f) const {
    const auto* kv = std::get_if<core::KvBody>(&f.body);
    if (kv != nullptr) return 64 + KeyspaceBytes(*kv);
    const auto* mail = std::get_if<core::MailFrame>(&f.body);
    return 64 + (mail == nullptr ? 0 : mail->messages->size());
  }
  template <typename T>
  size_t operator()(const T&) const {
    return 24;
  }
};

bool IsMail(const core::Frame& frame) {
  const auto* routed = std::get_if<core::RoutedFrame>(&frame.body);
  return routed != nullptr &&
         std::holds_alternative<core::MailFrame>(routed->body);
}

// Null: it is of something else.
const core::KvBody* KeyspaceOf(const core::Frame& frame) {
  const auto* routed = std::get_if<core::RoutedFrame>(&frame.body);
  return routed == nullptr ? nullptr : std::get_if<core::KvBody>(&routed->body);
}

// The state that is exchanged, which waits for all else.
bool IsExchanged(const core::Frame& frame) {
  const core::KvBody* kv = KeyspaceOf(frame);
  return kv != nullptr && std::holds_alternative<core::KvExchangePart>(*kv);
}

// The base of a term and its mutations stay in their order.
bool IsMutations(const core::Frame& frame) {
  const core::KvBody* kv = KeyspaceOf(frame);
  return kv != nullptr && (std::holds_alternative<core::KvMutations>(*kv) ||
                           std::holds_alternative<core::KvTermBase>(*kv));
}

bool IsOld(const crdt::StreamId& id) {
  return id.kind == crdt::StreamKind::kPresence;
}

// What a node of the level before routed frames can read.
struct ReadByOld {
  bool operator()(const core::PositionsFrame& f) const {
    return std::all_of(f.streams.begin(), f.streams.end(), [](const auto& s) {
      return s.kind == crdt::StreamKind::kPresence;
    });
  }
  bool operator()(const core::PullFrame& f) const { return IsOld(f.stream); }
  bool operator()(const core::DeltaFrame& f) const { return IsOld(f.stream); }
  bool operator()(const core::RebaseFrame& f) const { return IsOld(f.stream); }
  bool operator()(const core::CheckpointFrame& f) const {
    return IsOld(f.stream);
  }
  bool operator()(const core::RoutedFrame&) const { return false; }
  template <typename T>
  bool operator()(const T&) const {
    return true;
  }
};

// As a process of its version reads it.
core::Frame AsRead(const Process& process, core::Frame frame) {
  const bool order = std::holds_alternative<core::EvictFrame>(frame.body) ||
                     std::holds_alternative<core::ForgetFrame>(frame.body);
  if (order && !process.reads_orders) frame.body = core::AckFrame{};
  return frame;
}

}  // namespace

size_t WireBytes(const core::Frame& frame) {
  return 16 + std::visit(BodyBytes{}, frame.body);
}

size_t Network::Class(const core::Frame& frame) {
  if (std::holds_alternative<core::RebaseFrame>(frame.body)) return 3;
  if (IsExchanged(frame)) return 3;
  if (IsMutations(frame)) return 1;
  if (std::holds_alternative<core::DeltaFrame>(frame.body)) return 1;
  if (std::holds_alternative<core::CheckpointFrame>(frame.body)) return 1;
  return IsMail(frame) ? 2 : 0;
}

// ------------------------------------------------------------------- sending

void Network::Send(Process& from, core::LinkId link, core::Frame frame) {
  auto it = links_.find({from.number, link});
  if (it == links_.end()) return;
  auto [conn, side] = it->second;
  Lane& lane = conn->lanes[side];
  const core::KvBody* kv = KeyspaceOf(frame);
  if (Class(frame) == 0 && kv == nullptr) CountControl(from);
  const bool may_drop =
      std::holds_alternative<core::DeltaFrame>(frame.body) || IsMail(frame);
  if (may_drop && lane.waiting_bytes > options.bulk_queue_bytes) {
    ++dropped_bulk;
    return;
  }
  const auto* rebase = std::get_if<core::RebaseFrame>(&frame.body);
  if (rebase != nullptr && rebase->number == 1) ++rebases_begun;
  if (rebase != nullptr && on_rebase != nullptr) {
    on_rebase(from, *conn->ends[1 - side].process, *rebase);
  }
  if (IsExchanged(frame) && on_exchange != nullptr) {
    on_exchange(from, *conn->ends[1 - side].process,
                std::get<core::KvExchangePart>(*kv));
  }
  Item item;
  item.bytes = WireBytes(frame);
  item.frame = std::move(frame);
  Enqueue(conn, side, std::move(item));
}

void Network::Enqueue(const ConnRef& conn, int side, Item item) {
  if (!conn->ends[side].open) return;
  Lane& lane = conn->lanes[side];
  item.sent = world_.now();
  lane.waiting_bytes += item.bytes;
  const size_t cls = item.kind == Item::Kind::kFrame ? Class(item.frame) : 0;
  lane.waiting[cls].push_back(std::move(item));
  Pump(conn, side);
}

void Network::Pump(const ConnRef& conn, int side) {
  Lane& lane = conn->lanes[side];
  while (lane.wire_bytes < options.socket_bytes) {
    auto waiting =
        std::find_if(lane.waiting.begin(), lane.waiting.end(),
                     [](const auto& queue) { return !queue.empty(); });
    if (waiting == lane.waiting.end()) return;
    Item item = std::move(waiting->front());
    waiting->pop_front();
    lane.waiting_bytes -= item.bytes;
    Put(conn, side, std::move(item));
  }
}

void Network::Put(const ConnRef& conn, int side, Item item) {
  Lane& lane = conn->lanes[side];
  const Path& way = PathFrom(*conn, side);
  if (item.kind == Item::Kind::kFrame) {
    ++frames_sent;
    bytes_sent += item.bytes;
    if (Class(item.frame) != 0) bulk_bytes_sent += item.bytes;
    const std::pair hosts(HostOf(*conn, side), HostOf(*conn, 1 - side));
    bytes_between_[hosts] += item.bytes;
    ++sent_[{hosts.first, hosts.second, item.frame.body.index()}];
  }
  lane.busy_until =
      std::max(lane.busy_until, world_.now()) + TransmitTime(way, item.bytes);
  SimTime delay = Transit(way);
  const uint64_t segments = 1 + item.bytes / kSegmentBytes;
  const uint64_t loss = segments * way.segment_loss_ppm;
  if (world_.rng().Chance(
          static_cast<uint32_t>(std::min<uint64_t>(loss, 1'000'000)))) {
    delay += world_.rng().OneIn(2) ? kFirstRetransmit : way.latency * 3;
  }
  lane.last_ready = std::max(lane.last_ready, lane.busy_until + delay);
  item.ready = lane.last_ready;
  lane.wire_bytes += item.bytes;
  lane.wire.push_back(std::move(item));
  Post(conn, side);
}

void Network::Post(const ConnRef& conn, int side) {
  Lane& lane = conn->lanes[side];
  if (lane.due != kNone || lane.retransmit != 0 || lane.wire.empty()) return;
  lane.due = std::max(world_.now(), lane.wire.front().ready);
  world_.At(lane.due, [this, conn, side, due = lane.due] {
    if (conn->lanes[side].due == due) Arrive(conn, side);
  });
}

void Network::Arrive(const ConnRef& conn, int side) {
  Lane& lane = conn->lanes[side];
  lane.due = kNone;
  if (lane.wire.empty() || lane.retransmit != 0) return;
  if (lane.wire.front().ready > world_.now()) return Post(conn, side);
  const Path& way = PathFrom(*conn, side);
  if (way.cut && way.reset) return Shut(conn, side, "reset by the network");
  const Host& to = conn->ends[1 - side].process->host;
  if (way.cut || !to.powered) return Stall(conn, side);
  if (PathFrom(*conn, 1 - side).cut) {
    if (lane.unacked > kUnackedBytes) return Stall(conn, side);
    lane.unacked += lane.wire.front().bytes;
  } else {
    lane.unacked = 0;
  }
  Item item = std::move(lane.wire.front());
  lane.wire.pop_front();
  lane.wire_bytes -= item.bytes;
  Deliver(conn, 1 - side, std::move(item));
  Pump(conn, side);
  Post(conn, side);
}

void Network::Stall(const ConnRef& conn, int side) {
  Lane& lane = conn->lanes[side];
  lane.retransmit = lane.retransmit == 0
                        ? kFirstRetransmit
                        : std::min(lane.retransmit * 2, kLastRetransmit);
  world_.After(lane.retransmit, [this, conn, side] { Move(conn, side); });
}

void Network::Move(const ConnRef& conn, int side) {
  Lane& lane = conn->lanes[side];
  const Path& way = PathFrom(*conn, side);
  if (lane.wire.empty()) {
    lane.retransmit = 0;
    return;
  }
  const bool powered = conn->ends[1 - side].process->host.powered;
  const bool reset = way.cut && way.reset;
  if ((way.cut && !reset) || !powered) {
    if (!conn->ends[0].open && !conn->ends[1].open) return;
    return Stall(conn, side);
  }
  lane.retransmit = 0;
  lane.unacked = 0;
  SimTime time = world_.now();
  for (Item& item : lane.wire) {
    time += kMillisecond / 100;
    item.ready = time + way.latency;
  }
  lane.last_ready = time + way.latency;
  Post(conn, side);
}

// ----------------------------------------------------------------- receiving

void Network::Deliver(const ConnRef& conn, int to_side, Item item) {
  End& end = conn->ends[to_side];
  if (!end.open) {
    if (!Open(HostOf(*conn, to_side), HostOf(*conn, 1 - to_side))) return;
    world_.After(Transit(PathFrom(*conn, to_side)), [this, conn, to_side] {
      Shut(conn, 1 - to_side, "connection reset by peer");
    });
    return;
  }
  if (item.kind == Item::Kind::kFrame) {
    DeliverFrame(conn, to_side, item);
  } else {
    DeliverToProcess(conn, to_side, item);
  }
}

// Where hostility happens.
void Network::DeliverFrame(const ConnRef& conn, int to_side, const Item& item) {
  if (drop != nullptr &&
      drop(HostOf(*conn, 1 - to_side), HostOf(*conn, to_side), item.frame)) {
    return;
  }
  if (const auto* routed = std::get_if<core::RoutedFrame>(&item.frame.body)) {
    Echo(*conn->ends[to_side].process, *routed);
  }
  if (twice) DeliverToProcess(conn, to_side, item);
  if (options.hostile_ppm == 0) return DeliverToProcess(conn, to_side, item);
  Rng& rng = world_.rng();
  if (rng.Chance(options.hostile_ppm)) return;
  if (rng.Chance(options.hostile_ppm)) DeliverToProcess(conn, to_side, item);
  Lane& lane = conn->lanes[1 - to_side];
  if (rng.Chance(options.hostile_ppm) && !lane.wire.empty() &&
      lane.wire.front().kind == Item::Kind::kFrame) {
    Item next = std::move(lane.wire.front());
    lane.wire.pop_front();
    lane.wire_bytes -= next.bytes;
    DeliverToProcess(conn, to_side, next);
  }
  DeliverToProcess(conn, to_side, item);
}

void Network::Echo(Process& to, const core::RoutedFrame& frame) {
  if (options.echo_ppm == 0 || !world_.rng().Chance(options.echo_ppm)) return;
  world_.After(world_.rng().Range(0, kLastEcho), [this, &to, frame] {
    to.Post([this, &to, frame](core::Replica& replica, core::Now now) {
      const auto link = links_.lower_bound({to.number, 0});
      if (link == links_.end() || link->first.first != to.number) return;
      replica.OnFrame(link->first.second, {0, frame}, now);
    });
  });
}

void Network::DeliverToProcess(const ConnRef& conn, int to_side,
                               const Item& item) {
  Process& process = *conn->ends[to_side].process;
  // P9
  const bool read = process.feature_level < core::kRoutedLevel
                        ? std::visit(ReadByOld{}, item.frame.body)
                        : process.feature_level >= core::kKeyspaceLevel ||
                              KeyspaceOf(item.frame) == nullptr;
  if (!read) {
    world_.Fail(absl::StrCat("P9: ", process.name(), "#", process.number,
                             " is sent what its version cannot read"));
  }
  NoteHeard(*conn->ends[1 - to_side].process, item);
  process.Post(
      [this, conn, to_side, item](core::Replica& replica, core::Now now) {
        End& end = conn->ends[to_side];
        if (!end.open) return;
        if (Class(item.frame) != 0) ++TrafficOf(*end.process).bulk;
        switch (item.kind) {
          case Item::Kind::kFrame:
            if (end.link != 0) {
              replica.OnFrame(end.link, AsRead(*end.process, item.frame), now);
            }
            return;
          case Item::Kind::kFin:
            conn->refused = conn->refused || item.permanent;
            Shut(conn, to_side, item.reason);
            return;
          default:
            HandleHello(conn, to_side, item);
        }
      });
}

// Word of a third that a cut has held back sounds younger than it is.
void Network::NoteHeard(const Process& from, const Item& item) {
  last_heard_[from.number] = world_.now();
  if (world_.now() - item.sent < kHeldBack) return;
  if (const auto* report = std::get_if<core::BeatReport>(&item.frame.body)) {
    NoteWord(report->life);
  }
  if (const auto* frame = std::get_if<core::MembersFrame>(&item.frame.body)) {
    for (const core::MemberInfo& info : frame->members) {
      NoteWord(info.origin.life);
    }
  }
}

void Network::NoteWord(crdt::LifeId life) {
  for (const auto& process : world_.processes()) {
    if (process->life == life) last_heard_[process->number] = world_.now();
  }
}

void Network::HandleHello(const ConnRef& conn, int side, const Item& item) {
  using Kind = Item::Kind;
  End& end = conn->ends[side];
  Item answer;
  answer.bytes = 160;
  switch (item.kind) {
    case Kind::kHello:
      end.peer = item.hello;
      answer.kind = Kind::kHelloBack;
      answer.hello = HelloOf(*end.process);
      end.asked = world_.now();
      return Enqueue(conn, side, std::move(answer));
    case Kind::kHelloBack:
      end.peer = item.hello;
      end.peer.outbound = true;
      end.peer.dialed = conn->dialed;
      if (Dialer* dialer =
              FindAttempt(*end.process, conn->dialed, conn->attempt)) {
        dialer->answered = world_.now();
        LimitAttempt(*end.process, conn->dialed, conn->attempt);
      }
      answer.kind = Kind::kProof;
      end.asked = world_.now();
      return Enqueue(conn, side, std::move(answer));
    case Kind::kProof:
      answer.kind = Kind::kProofBack;
      Enqueue(conn, side, std::move(answer));
      return Up(conn, side);
    default:
      return Up(conn, side);
  }
}

void Network::Up(const ConnRef& conn, int side) {
  End& end = conn->ends[side];
  if (side == 0 && !Established(conn)) return;
  end.peer.rtt = absl::Microseconds(world_.now() - end.asked);
  // One of a version before says nothing new to those after it.
  end.peer.feature_level =
      std::min(end.peer.feature_level, end.process->feature_level);
  end.link = end.process->next_link++;
  links_[{end.process->number, end.link}] = {conn, side};
  end.process->replica().OnLinkUp(end.link, end.peer, end.process->Now());
}

// ------------------------------------------------------------------- closing

void Network::Close(Process& from, const core::CloseLink& close) {
  auto it = links_.find({from.number, close.link});
  if (it == links_.end()) return;
  auto [conn, side] = it->second;
  SendFin(conn, side, close.reason, close.permanent);
  Shut(conn, side, close.reason);
}

void Network::SendFin(const ConnRef& conn, int side, const std::string& why,
                      bool permanent) {
  Lane& lane = conn->lanes[side];
  for (auto& queue : lane.waiting) queue.clear();
  lane.waiting_bytes = 0;
  Item item;
  item.kind = Item::Kind::kFin;
  item.reason = why;
  item.permanent = permanent;
  item.bytes = 40;
  Put(conn, side, std::move(item));
}

void Network::Shut(const ConnRef& conn, int side, const std::string& why) {
  End& end = conn->ends[side];
  if (!end.open) return;
  end.open = false;
  Process& process = *end.process;
  if (end.link != 0) {
    links_.erase({process.number, end.link});
    process.Post([link = end.link, why](core::Replica& replica, core::Now now) {
      replica.OnLinkDown(link, why, now);
    });
    OnLinkLost(process, end.peer.origin.life);
  } else {
    SendFin(conn, side, why, false);
  }
  if (side == 0) AttemptOver(process, *conn);
  if (!conn->ends[0].open && !conn->ends[1].open) conns_.erase(conn->number);
}

void Network::BreakLinks(int a, int b) {
  std::vector<ConnRef> broken;
  for (auto& [number, conn] : conns_) {
    const std::pair hosts(HostOf(*conn, 0), HostOf(*conn, 1));
    if (hosts == std::pair(a, b) || hosts == std::pair(b, a)) {
      broken.push_back(conn);
    }
  }
  for (const ConnRef& conn : broken) {
    for (int side : {0, 1}) {
      LoseSuffix(conn->lanes[side]);
      world_.After(world_.rng().Range(0, 20 * kMillisecond),
                   [this, conn, side] { Shut(conn, side, "broken"); });
    }
  }
}

void Network::LoseSuffix(Lane& lane) {
  for (auto& queue : lane.waiting) queue.clear();
  lane.waiting_bytes = 0;
  const size_t kept = world_.rng().Below(lane.wire.size() + 1);
  while (lane.wire.size() > kept) {
    lane.wire_bytes -= lane.wire.back().bytes;
    lane.wire.pop_back();
  }
}

void Network::ProcessDied(Process& process, bool power_lost) {
  std::vector<std::pair<ConnRef, int>> mine;
  for (auto& [number, conn] : conns_) {
    for (int side : {0, 1}) {
      if (conn->ends[side].process == &process && conn->ends[side].open) {
        mine.emplace_back(conn, side);
      }
    }
  }
  for (auto& [conn, side] : mine) {
    conn->ends[side].open = false;
    links_.erase({process.number, conn->ends[side].link});
    LoseSuffix(conn->lanes[side]);
    if (!power_lost) SendFin(conn, side, "connection reset by peer", false);
    if (!conn->ends[1 - side].open) conns_.erase(conn->number);
  }
  for (DialerMap* dialers : {&dialers_, &aside_}) {
    std::erase_if(*dialers, [&process](const auto& dialer) {
      return dialer.first.first == process.number;
    });
  }
}

}  // namespace muster::sim
