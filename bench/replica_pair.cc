#include "bench/replica_pair.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "bench/base.h"
#include "node/codec/peer_codec.h"

namespace muster::bench {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(10);
constexpr int64_t kStartUs = 1'700'000'000'000'000;

}  // namespace

core::Options ReplicaPair::OptionsOf(const std::string& node,
                                     const PairOptions& options) {
  core::Options result;
  result.node = node;
  result.address = absl::StrCat(node, ":1");
  result.replication.log_bytes = options.log_bytes;
  return result;
}

ReplicaPair::ReplicaPair(const PairOptions& options)
    : now_{{1'000'000}, kStartUs},
      sides_{Side(OptionsOf("a", options), 1, now_),
             Side(OptionsOf("b", options), 2, now_)} {}

void ReplicaPair::Link() {
  link_ = next_link_++;
  for (int side : {0, 1}) {
    const core::Replica& other = sides_[1 - side].replica;
    core::PeerHello hello;
    hello.origin = other.origin();
    hello.address = absl::StrCat(other.origin().node, ":1");
    hello.outbound = side == 0;
    if (hello.outbound) hello.dialed = hello.address;
    Step(side, [&](core::Replica& r) { r.OnLinkUp(link_, hello, now_); });
  }
  Settle();
}

void ReplicaPair::Cut() {
  const core::LinkId link = std::exchange(link_, 0);
  for (int side : {0, 1}) {
    sides_[side].inbox.clear();
    Step(side, [&](core::Replica& r) { r.OnLinkDown(link, "cut", now_); });
  }
  Settle();
}

void ReplicaPair::CarryFrames(int side, core::Output& output) {
  for (core::SendFrame& send : output.frames) {
    if (send.link != link_) continue;
    const codec::EncodedFrame encoded = codec::EncodeFrame(send.frame);
    std::string bytes = encoded.head;
    if (encoded.payload != nullptr) bytes += *encoded.payload;
    bytes_sent_ += bytes.size();
    sides_[1 - side].inbox.push_back(std::move(bytes));
  }
  for (const core::SendBeat& beat : output.beats) {
    if (link_ == 0) continue;
    Step(1 - side, [&](core::Replica& r) { r.OnDatagram(*beat.beat, now_); });
  }
  for (const core::CloseLink& close : output.closes) {
    if (close.link == link_) Die(absl::StrCat("link closed: ", close.reason));
  }
}

bool ReplicaPair::Carry(int side) {
  core::Output output =
      std::exchange(sides_[side].replica.output(), core::Output());
  if (output.exit.has_value()) {
    Die(absl::StrCat("a replica gave up: ", output.exit->ToString()));
  }
  CarryFrames(side, output);
  for (const core::ConnectProbe& probe : output.probes) {
    Step(side, [&](core::Replica& r) {
      r.OnProbe(probe.token, core::Replica::ProbeOutcome::kConnected, now_);
    });
  }
  for (const core::HelloProbe& probe : output.hello_probes) {
    Step(side, [&](core::Replica& r) {
      r.OnHelloProbe(probe.token, crdt::LifeId(), now_);
    });
  }
  for (const core::WatchEvent& event : output.watch) {
    if (on_watch_) on_watch_(*event.batch);
    Step(side, [&](core::Replica& r) { r.WatchWritten(event.watch, 1, now_); });
  }
  if (output.more_work) {
    Step(side, [&](core::Replica& r) { r.RunJobs(now_); });
  }
  return output.more_work || !output.watch.empty() || !output.probes.empty();
}

bool ReplicaPair::Deliver(int side) {
  std::deque<std::string>& inbox = sides_[side].inbox;
  if (inbox.empty()) return false;
  auto message = codec::DecodeMessage(inbox.front());
  inbox.pop_front();
  if (!message.ok() || !std::holds_alternative<core::Frame>(*message)) {
    Die(absl::StrCat("a frame does not survive the wire: ",
                     message.status().ToString()));
  }
  Step(side, [&](core::Replica& r) {
    r.OnFrame(link_, std::get<core::Frame>(*std::move(message)), now_);
  });
  return true;
}

void ReplicaPair::Settle() {
  bool more = true;
  while (more) {
    more = false;
    for (int side : {0, 1}) {
      more |= Carry(side);
      more |= Deliver(side);
    }
  }
}

void ReplicaPair::RunUntil(const std::string& what,
                           const std::function<bool()>& done) {
  const core::Instant limit = now_.mono + absl::Minutes(1);
  while (!done()) {
    if (now_.mono > limit) Die(absl::StrCat("a minute passed without ", what));
    now_.mono = now_.mono + kTick;
    now_.wall_us += absl::ToInt64Microseconds(kTick);
    for (int side : {0, 1}) {
      Step(side, [&](core::Replica& r) { r.Tick(now_); });
      Step(side, [&](core::Replica& r) { r.RunJobs(now_); });
    }
    Settle();
  }
}

bool Equal(ReplicaPair& pair) {
  const auto holding = [&pair](core::Replica& replica) {
    std::vector<std::tuple<crdt::LifeId, crdt::Seq, uint64_t>> streams;
    for (const core::StreamView& stream : replica.Status(pair.now()).streams) {
      if (stream.seq.value == 0) continue;
      streams.emplace_back(stream.origin.life, stream.seq, stream.digest);
    }
    return streams;
  };
  const auto mine = holding(pair.a());
  return !mine.empty() && mine == holding(pair.b());
}

}  // namespace muster::bench
