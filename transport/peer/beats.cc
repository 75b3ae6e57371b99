#include "transport/peer/beats.h"

#include <spdlog/spdlog.h>

#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "node/codec/peer_codec.h"
#include "node/codec/peer_proof.h"
#include "transport/peer/address.h"

namespace muster::peer {
namespace {

using asio::ip::tcp;
using asio::ip::udp;

constexpr int kSocketBufferBytes = 1 << 20;
constexpr std::chrono::seconds kNameLife{30};
constexpr std::chrono::seconds kNameRetry{1};

asio::ip::address Unmapped(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return address;
}

}  // namespace

Beats::Beats(std::shared_ptr<Loop> loop, const LinkPolicy& policy,
             Counters& counters, OnBeat on_beat)
    : loop_(std::move(loop)),
      policy_(policy),
      counters_(counters),
      on_beat_(std::move(on_beat)),
      cluster_(codec::ClusterHash(policy.cluster)) {}

void Beats::Open(udp::socket socket) {
  socket_.emplace(std::move(socket));
  std::error_code error;
  // Beats queued during a stall prove that the stall was this node's own: the
  // socket must not drop them.
  socket_->set_option(
      asio::socket_base::receive_buffer_size(kSocketBufferBytes), error);
  socket_->non_blocking(true, error);
  dual_stack_ = socket_->local_endpoint(error).address().is_v6();
  Wait();
}

void Beats::Close() {
  std::error_code ignored;
  if (socket_) socket_->close(ignored);
  socket_.reset();
}

void Beats::Wait() {
  socket_->async_wait(udp::socket::wait_read,
                      [this](const std::error_code& error) {
                        if (error || !socket_) return;
                        loop_->Step([this] { Poll(); });
                        if (socket_) Wait();
                      });
}

void Beats::Poll() {
  for (size_t i = 0; i < kReceiveBatch && socket_; ++i) {
    if (!ReceiveOne()) return;
  }
}

bool Beats::ReceiveOne() {
  udp::endpoint from;
  std::error_code error;
  size_t size = socket_->receive_from(asio::buffer(buffer_), from, 0, error);
  if (error == asio::error::would_block) return false;
  // Other errors are an earlier send's, reported late.
  if (!error) Handle({buffer_.data(), size}, from);
  return true;
}

absl::StatusOr<core::BeatDatagram> Beats::Decode(
    absl::string_view bytes) const {
  absl::StatusOr<core::BeatDatagram> beat =
      codec::DecodeDatagram(bytes, cluster_, policy_.secret);
  if (policy_.secret_also.empty() || !absl::IsUnauthenticated(beat.status())) {
    return beat;
  }
  return codec::DecodeDatagram(bytes, cluster_, policy_.secret_also);
}

void Beats::Handle(absl::string_view bytes, const udp::endpoint& from) {
  absl::StatusOr<core::BeatDatagram> beat = Decode(bytes);
  std::string sender =
      ToText(tcp::endpoint(Unmapped(from.address()), from.port()));
  if (beat.ok()) {
    if (InsecurePeer(policy_, IsLoopback(from.address()))) {
      counters_.Add(Counter::kUnprovedDatagrams);
      return SayOnce("beats of a peer without --cluster-secret", sender);
    }
    counters_.Add(Counter::kBeatsReceived);
    on_beat_(*beat, {Unmapped(from.address()), from.port()});
    return;
  }
  if (absl::IsFailedPrecondition(beat.status())) {
    counters_.Add(Counter::kForeignDatagrams);
    return SayOnce("beats of another cluster", sender);
  }
  if (absl::IsUnauthenticated(beat.status())) {
    counters_.Add(Counter::kUnprovedDatagrams);
    return SayOnce("beats with another --cluster-secret, or none", sender);
  }
  counters_.Add(Counter::kBadDatagrams);
  SayOnce("datagrams that make no sense",
          sender + ": " + std::string(beat.status().message()));
}

void Beats::SayOnce(const std::string& what, const std::string& detail) {
  if (!said_.insert(what).second) return;
  spdlog::warn("{} (first from {}); they are dropped and counted", what,
               detail);
}

const std::string& Beats::Signed(std::shared_ptr<const core::BeatDatagram> beat,
                                 Secret secret) {
  auto& last = signed_[static_cast<size_t>(secret)];
  if (last.beat != beat) {
    last.bytes = codec::EncodeDatagram(
        *beat, cluster_,
        secret == Secret::kAlso ? policy_.secret_also : policy_.secret);
    last.beat = std::move(beat);
  }
  return last.bytes;
}

void Beats::Send(const std::string& address,
                 std::shared_ptr<const core::BeatDatagram> beat,
                 Secret secret) {
  if (!socket_) return;
  std::optional<udp::endpoint> to = Find(address);
  if (!to) return;
  const std::string& bytes = Signed(std::move(beat), secret);
  std::error_code error;
  socket_->send_to(asio::buffer(bytes), *to, 0, error);
  counters_.Add(error ? Counter::kBeatSendErrors : Counter::kBeatsSent);
}

std::optional<udp::endpoint> Beats::Reachable(
    const std::vector<tcp::endpoint>& peers) const {
  for (const tcp::endpoint& peer : peers) {
    if (dual_stack_ || peer.address().is_v4()) return Mapped(peer);
  }
  return std::nullopt;
}

udp::endpoint Beats::Mapped(const tcp::endpoint& peer) const {
  if (dual_stack_ && peer.address().is_v4()) {
    return {
        asio::ip::make_address_v6(asio::ip::v4_mapped, peer.address().to_v4()),
        peer.port()};
  }
  return {peer.address(), peer.port()};
}

std::optional<udp::endpoint> Beats::Find(const std::string& address) {
  if (names_.size() >= kMaxNames) names_.clear();
  Name& name = names_[address];
  Clock::time_point now = Clock::now();
  if (name.resolving || now < name.until) return name.endpoint;
  std::vector<tcp::endpoint> numeric = NumericEndpoint(address);
  if (!numeric.empty()) {
    name.endpoint = Reachable(numeric);
    name.until = Clock::time_point::max();
    return name.endpoint;
  }
  name.resolving = true;
  Resolve(loop_, address, [this, address](Resolved resolved) {
    Name& found = names_[address];
    found.resolving = false;
    found.until = Clock::now() + (resolved.ok() ? kNameLife : kNameRetry);
    if (resolved.ok()) found.endpoint = Reachable(*resolved);
  });
  return name.endpoint;
}

}  // namespace muster::peer
