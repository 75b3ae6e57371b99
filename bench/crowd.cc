#include "bench/crowd.h"

#include <malloc.h>

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "node/codec/peer_codec.h"
#include "node/codec/peer_proof.h"

namespace muster::bench {
namespace {

constexpr char kSecret[] = "the secret of the cluster";
constexpr absl::Duration kTick = absl::Milliseconds(10);
constexpr absl::Duration kRoundTrip = absl::Milliseconds(1);
constexpr int64_t kBeatUs = 250'000;
constexpr int64_t kStartUs = 1'700'000'000'000'000;
// The common part of all peers' frames is made anew this often.
constexpr absl::Duration kFresh = absl::Milliseconds(250);
// Members, and streams, in one frame, as a replica sends them.
constexpr size_t kPart = 128;
constexpr crdt::LifeId kSelf{1ull << 63, 1};

size_t HeapInUse() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// Of reading it twice.
Nanos ClockCost() {
  Samples samples;
  for (int i = 0; i < 10'000; ++i) {
    const Nanos begun = ThreadClock();
    samples.Add(ThreadClock() - begun);
  }
  return samples.Percentile(50);
}

std::string Bytes(const core::Frame& frame) {
  const codec::EncodedFrame encoded = codec::EncodeFrame(frame);
  std::string bytes = encoded.head;
  if (encoded.payload != nullptr) bytes += *encoded.payload;
  return bytes;
}

uint64_t Cluster() {
  static const uint64_t cluster = codec::ClusterHash("muster");
  return cluster;
}

}  // namespace

Crowd::Crowd(size_t peers)
    : clock_cost_(ClockCost()),
      now_{{1'000'000'000}, kStartUs},
      next_tick_(now_.mono),
      next_beats_(now_.mono) {
  for (size_t i = 0; i < peers; ++i) {
    Peer& peer = peers_.emplace_back();
    // Half of them have lower names than the replica, and dial it.
    peer.origin = {absl::StrFormat("%s%04d", i % 2 == 0 ? "a" : "z", i),
                   crdt::Incarnation(kStartUs),
                   {(i + 1) * 0x9e3779b97f4a7c15u, i + 1}};
    peer.address = absl::StrFormat("10.0.%d.%d:7400", i / 250, i % 250 + 1);
    peer.phase_us = static_cast<int64_t>(i * 7'919 % 250) * 1'000;
    beats_[peer.phase_us].push_back(i + 1);
  }
  memory_before_ = HeapInUse();
  core::Options options;
  options.node = "m";
  options.address = "10.1.0.1:7400";
  for (size_t i = 0; i < std::min<size_t>(peers, 3); ++i) {
    options.join.push_back(peers_[i].address);
  }
  replica_ = std::make_unique<core::Replica>(options, kSelf, 1, now_);
}

size_t Crowd::MemoryOfReplica() const { return HeapInUse() - memory_before_; }

uint64_t Crowd::BeatOf(const Peer& peer) const {
  return static_cast<uint64_t>((now_.mono.us - peer.phase_us) / kBeatUs);
}

// ------------------------------------------------------------------- peers

const std::vector<std::string>& Crowd::Members() {
  if (now_.mono - members_at_ < kFresh) return members_;
  members_at_ = now_.mono;
  members_.clear();
  core::MembersFrame frame;
  for (const Peer& peer : peers_) {
    frame.members.push_back({peer.origin, peer.address,
                             core::MemberState::kAlive, BeatOf(peer),
                             absl::Milliseconds(250)});
    const bool last = &peer == &peers_.back();
    if (!last && frame.members.size() < kPart) continue;
    members_.push_back(Bytes({1, std::exchange(frame, {})}));
  }
  return members_;
}

const std::vector<std::string>& Crowd::Positions() {
  if (now_.mono - positions_at_ < kFresh) return positions_;
  positions_at_ = now_.mono;
  positions_.clear();
  core::PositionsFrame frame;
  for (const Peer& peer : peers_) {
    for (const auto kind :
         {crdt::StreamKind::kPresence, crdt::StreamKind::kInterest}) {
      frame.streams.push_back({.origin = peer.origin,
                               .kind = kind,
                               .age = absl::Milliseconds(250),
                               .beat = BeatOf(peer)});
    }
    frame.full = true;
    frame.more = &peer != &peers_.back();
    if (frame.more && frame.streams.size() < kPart) continue;
    positions_.push_back(Bytes({1, std::exchange(frame, {})}));
  }
  return positions_;
}

void Crowd::Reply(core::LinkId link, core::Frame frame) {
  inbox_.push_back({now_.mono + kRoundTrip, link, std::move(frame)});
}

void Crowd::Deliver(core::LinkId link, const core::Frame& frame) {
  DeliverBytes(link, Bytes(frame));
}

void Crowd::DeliverBytes(core::LinkId link, const std::string& bytes) {
  absl::StatusOr<codec::PeerMessage> message;
  Timed(spent_.decode, [&] { message = codec::DecodeMessage(bytes); });
  if (!message.ok()) Die(message.status().ToString());
  core::Frame frame = std::get<core::Frame>(*std::move(message));
  frame.beat = BeatOf(PeerOf(link));
  Step([&](core::Replica& replica) {
    replica.OnFrame(link, std::move(frame), now_);
  });
}

void Crowd::DeliverAll(core::LinkId link,
                       const std::vector<std::string>& frames) {
  for (const std::string& bytes : frames) DeliverBytes(link, bytes);
}

void Crowd::Up(core::LinkId link) {
  Peer& peer = PeerOf(link);
  core::PeerHello hello;
  hello.origin = peer.origin;
  hello.address = peer.address;
  hello.feature_level = core::kFeatureLevel;
  // The replica has the higher name of the two, or dials.
  hello.outbound = peer.origin.node > "m";
  if (hello.outbound || link <= 3) hello.dialed = peer.address;
  hello.outbound |= link <= 3;
  hello.rtt = kRoundTrip;
  peer.up = true;
  Step([&](core::Replica& replica) { replica.OnLinkUp(link, hello, now_); });
  DeliverAll(link, Members());
  DeliverAll(link, Positions());
}

void Crowd::Beat(core::LinkId link) {
  const Peer& peer = PeerOf(link);
  if (!peer.up) return;
  Deliver(link, {BeatOf(peer), core::BeatReport{.life = peer.origin.life,
                                                .number = BeatOf(peer),
                                                .rtt = kRoundTrip}});
  core::BeatDatagram beat{peer.origin, BeatOf(peer), {}, {}};
  for (size_t i = 0; i < std::min(sample_, peers_.size()); ++i) {
    const Peer& other = peers_[next_report_++ % peers_.size()];
    const int64_t since = (now_.mono.us - other.phase_us) % kBeatUs;
    if (other.up) {
      beat.others.push_back(
          {other.origin.life, BeatOf(other), absl::Microseconds(since)});
    }
  }
  const std::string bytes = codec::EncodeDatagram(beat, Cluster(), kSecret);
  const Nanos before = spent_.total();
  absl::StatusOr<core::BeatDatagram> decoded;
  Timed(spent_.decode,
        [&] { decoded = codec::DecodeDatagram(bytes, Cluster(), kSecret); });
  if (!decoded.ok()) Die(decoded.status().ToString());
  const Nanos checked = spent_.total() - before;
  Step([&](core::Replica& replica) { replica.OnDatagram(*decoded, now_); });
  steps_.back() += checked;
}

// ----------------------------------------------------------------- replica

void Crowd::CarryOut() {
  sent_ = std::exchange(replica_->output(), {});
  Timed(spent_.encode, [&] {
    for (const core::SendFrame& send : sent_.frames) {
      bytes_sent_ += codec::EncodeFrame(send.frame).size();
    }
    // As the transport does: what was sent last is encoded and signed already.
    std::shared_ptr<const core::BeatDatagram> last;
    size_t size = 0;
    for (const core::SendBeat& send : sent_.beats) {
      if (send.beat != last) {
        size = codec::EncodeDatagram(*send.beat, Cluster(), kSecret).size();
      }
      last = send.beat;
      bytes_sent_ += size;
    }
  });
  if (!sent_.closes.empty()) Die("closed: " + sent_.closes[0].reason);
  if (sent_.exit.has_value()) Die(sent_.exit->ToString());
}

void Crowd::Answer() {
  const core::Output sent = std::exchange(sent_, {});
  for (const core::SendFrame& send : sent.frames) AnswerFrame(send);
  if (!sent.beats.empty()) sample_ = sent.beats[0].beat->others.size();
  if (sent.more_work) {
    Step([&](core::Replica& replica) { replica.RunJobs(now_); });
  }
}

void Crowd::Pull(core::LinkId link) {
  for (const auto kind :
       {crdt::StreamKind::kPresence, crdt::StreamKind::kInterest}) {
    Reply(link, {0, core::PullFrame{.stream = {kSelf, kind}, .rebase_id = 1}});
  }
}

void Crowd::AnswerFrame(const core::SendFrame& send) {
  Peer& peer = PeerOf(send.link);
  const core::Frame& frame = send.frame;
  if (const auto* delta = std::get_if<core::DeltaFrame>(&frame.body)) {
    peer.received += delta->mutations->size();
    Reply(send.link, {0, core::AckFrame{peer.received}});
  } else if (const auto* ask = std::get_if<core::AskFrame>(&frame.body)) {
    if (ask->life != peer.origin.life) return;
    Reply(send.link,
          {0, core::BeatReport{.life = ask->life, .number = BeatOf(peer)}});
  } else if (const auto* told =
                 std::get_if<core::PositionsFrame>(&frame.body)) {
    if (!std::exchange(peer.pulled, true)) {
      Pull(send.link);
    } else if (told->full && !told->more) {
      DeliverAll(send.link, Positions());
    }
  } else if (const auto* pull = std::get_if<core::PullFrame>(&frame.body)) {
    if (pull->force_rebase) Die("a rebase of an empty stream");
  } else if (std::holds_alternative<core::RebaseFrame>(frame.body)) {
    Die("a rebase, where the log reaches");
  }
}

// -------------------------------------------------------------------- time

void Crowd::Advance(absl::Duration duration) {
  now_.mono = now_.mono + duration;
  now_.wall_us += absl::ToInt64Microseconds(duration);
  while (next_beats_ <= now_.mono) {
    const auto at = beats_.find(next_beats_.us % kBeatUs);
    next_beats_ = next_beats_ + absl::Milliseconds(1);
    if (at == beats_.end()) continue;
    for (const core::LinkId link : at->second) Beat(link);
  }
  while (!inbox_.empty() && inbox_.front().at <= now_.mono) {
    const Input input = std::move(inbox_.front());
    inbox_.pop_front();
    Deliver(input.link, input.frame);
  }
  if (now_.mono < next_tick_) return;
  next_tick_ = now_.mono + kTick;
  Step([&](core::Replica& replica) { replica.Tick(now_); });
}

void Crowd::RunFor(absl::Duration duration, absl::FunctionRef<void()> each) {
  const core::Instant until = now_.mono + duration;
  while (now_.mono < until) {
    Advance(absl::Milliseconds(1));
    each();
  }
}

void Crowd::Join() {
  for (size_t i = 0; i < peers_.size(); ++i) {
    if (i % 10 == 0) RunFor(kTick, [] {});
    Up(i + 1);
  }
  const core::Instant limit = now_.mono + absl::Minutes(1);
  while (!replica_->ready()) {
    if (now_.mono > limit) Die("a minute passed, and it does not serve");
    RunFor(kTick, [] {});
  }
  RunFor(absl::Seconds(2), [] {});
}

}  // namespace muster::bench
