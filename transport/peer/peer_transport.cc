#include "transport/peer/peer_transport.h"

#include <spdlog/spdlog.h>
#include <sys/random.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "node/codec/peer_proof.h"
#include "transport/peer/address.h"
#include "transport/peer/connect_probe.h"

namespace muster::peer {
namespace {

using codec::LinkRole;
using std::chrono::milliseconds;

constexpr milliseconds kHelloProbeLimit{1200};
constexpr milliseconds kShutdownPoll{10};
// After this many polls the remaining pipes are cancelled; after twice as many
// they are left alone.
constexpr int kShutdownRounds = 40;
constexpr size_t kMaxHosts = 4 * core::kMaxMembers;
// Addresses whose secret is remembered.
constexpr size_t kMaxProved = 4 * core::kMaxMembers;

// The core explains the end of an established link.
bool IsRefusal(const Link& link, const Link::End& end) {
  return !link.up() && (end.refused_here || end.refused_there);
}

Counter CounterOf(RefusalReason reason) {
  static_assert(static_cast<size_t>(Counter::kLinksRefusedSecret) -
                    static_cast<size_t>(Counter::kLinksRefused) ==
                static_cast<size_t>(RefusalReason::kCount));
  return static_cast<Counter>(static_cast<size_t>(Counter::kLinksRefused) + 1 +
                              static_cast<size_t>(reason));
}

std::string HostOf(const std::string& address) {
  return address.substr(0, address.rfind(':'));
}

}  // namespace

PeerTransport::PeerTransport(std::shared_ptr<Loop> loop,
                             TransportOptions options,
                             std::unique_ptr<Connector> connector,
                             PeerEvents& events)
    : loop_(std::move(loop)),
      options_(std::move(options)),
      connector_(std::move(connector)),
      events_(events),
      beats_(
          loop_, options_.policy, counters_,
          [this](const core::BeatDatagram& beat, const Dialer::Endpoint& from) {
            dialer_.OnBeatFrom(from);
            events_.OnDatagram(beat);
          }),
      dialer_(loop_, *this, options_.seed) {}

PeerTransport::~PeerTransport() = default;

// ----------------------------------------------------------------- inbound

void PeerTransport::Accept(std::shared_ptr<FrameStream> stream,
                           const std::string& remote) {
  auto pipe = std::make_shared<Pipe>(loop_, std::move(stream));
  loop_->Post([this, pipe, remote] { Adopt(pipe, remote); });
  pipe->Start();
}

void PeerTransport::Adopt(std::shared_ptr<Pipe> pipe,
                          const std::string& remote) {
  Link::Config config;
  config.role = LinkRole::kAcceptor;
  config.remote = remote;
  Link& link = AddLink(std::move(config), std::move(pipe));
  codec::Refusal refusal;
  RefusalReason reason = RefusalReason::kInsecure;
  if (auto insecure = InsecurePeer(options_.policy, IsLoopbackText(remote))) {
    refusal = {*insecure, true};
  } else if (shut_down_) {
    reason = RefusalReason::kClosing;
    refusal = {"the node is going away", false};
  } else if (inbound_ > options_.max_inbound) {
    reason = RefusalReason::kLimit;
    refusal = {absl::StrCat("too many peer links: ", options_.policy.address,
                            " takes ", options_.max_inbound, " at most"),
               false};
  } else {
    link.Start();
    return;
  }
  link.Hang(refusal);
  OnLinkOver(link, {.why = refusal.reason,
                    .permanent = refusal.permanent,
                    .refused_here = true,
                    .reason = reason});
}

// ---------------------------------------------------------------- outbound

uint64_t PeerTransport::StartAttempt(const std::string& address,
                                     const Dialer::Endpoint& endpoint) {
  counters_.Add(Counter::kDials);
  Remember(endpoint.address());
  return Connect(address, endpoint, /*probe=*/false);
}

core::LinkId PeerTransport::Connect(const std::string& address,
                                    const Dialer::Endpoint& endpoint,
                                    bool probe) {
  auto pipe = std::make_shared<Pipe>(loop_, connector_->Connect(endpoint));
  Link::Config config;
  config.role = LinkRole::kDialler;
  config.probe = probe;
  config.dialed = address;
  config.remote = ToText(endpoint);
  config.prove_also = !probe && prove_also_.erase(config.remote) > 0;
  Link& link = AddLink(std::move(config), pipe);
  pipe->Start();
  link.Start();
  return link.id();
}

void PeerTransport::AbortAttempt(uint64_t attempt) {
  auto it = links_.find(attempt);
  if (it == links_.end()) return;
  it->second->Abort();
  leaving_.push_back(it->second->pipe());
  links_.erase(it);
}

bool PeerTransport::IsLinked(crdt::LifeId life) const {
  return std::any_of(links_.begin(), links_.end(), [&](const auto& item) {
    return item.second->up() && item.second->peer_life() == life;
  });
}

std::string PeerTransport::Forbidden(const Dialer::Endpoint& endpoint) const {
  return InsecurePeer(options_.policy, IsLoopback(endpoint.address()))
      .value_or("");
}

void PeerTransport::OnForbidden(const std::string& address,
                                const std::string& why) {
  counters_.Add(Counter::kLinksRefused);
  counters_.Add(Counter::kLinksRefusedInsecure);
  // Never from inside a call of the core.
  loop_->Post([this, address, why] { events_.OnRefused(address, why); });
}

// ------------------------------------------------------------------- links

Link& PeerTransport::AddLink(Link::Config config, std::shared_ptr<Pipe> pipe) {
  config.id = next_link_++;
  config.nonce = Nonce();
  config.self = events_.Self();
  if (config.role == LinkRole::kAcceptor) ++inbound_;
  core::LinkId id = config.id;
  Link::Owner& owner = *this;
  auto link = std::make_unique<Link>(*loop_, options_.policy, counters_, owner,
                                     std::move(config), std::move(pipe));
  return *links_.emplace(id, std::move(link)).first->second;
}

void PeerTransport::OnLinkAnswered(Link& link) {
  dialer_.OnAnswered(link.id());
}

void PeerTransport::OnLinkEstablished(Link& link) {
  counters_.Add(Counter::kLinksUp);
  refusals_.Clear(link.hello().address);
  refusals_.Clear(link.remote());
  LearnSecret(link);
  if (!link.inbound()) dialer_.OnEstablished(link.id(), link.peer_life());
  spdlog::debug("link {} to {} ({}) is up", link.id(), link.hello().origin.node,
                link.remote());
  if (link.inbound()) {
    const auto from = NumericEndpoint(link.remote());
    if (!from.empty()) Remember(from[0].address());
    events_.OnInbound(link.remote(), true);
  }
  events_.OnLinkUp(link.id(), link.hello());
}

void PeerTransport::Remember(const asio::ip::address& host) {
  if (hosts_.size() >= kMaxHosts) hosts_.clear();
  hosts_.insert(host);
}

void PeerTransport::OnLinkFrame(Link& link, core::Frame frame) {
  events_.OnFrame(link.id(), std::move(frame));
}

void PeerTransport::OnLinkOver(Link& link, const Link::End& end) {
  Forget(link, end);
}

void PeerTransport::Forget(Link& link, const Link::End& end) {
  auto it = links_.find(link.id());
  std::unique_ptr<Link> owned = std::move(it->second);
  links_.erase(it);
  if (link.inbound()) --inbound_;
  std::erase_if(leaving_, [](const auto& pipe) { return pipe->closed(); });
  if (!link.pipe()->closed()) leaving_.push_back(link.pipe());
  const bool refused = IsRefusal(link, end);
  const bool other_secret = refused && TryOtherSecret(link, end);
  if (refused && !other_secret) NoteRefusal(link, end);
  if (link.probe()) return OnProbeAttemptOver(link.id(), end.probed);
  // Before OnOver: OnLinkLost is about the other addresses of that life.
  if (link.up()) dialer_.OnLinkLost(link.peer_life());
  if (!link.inbound()) {
    dialer_.OnOver(link.id(), {.why = end.why,
                               .permanent = end.permanent && !other_secret,
                               .life = link.peer_life(),
                               .logged = refused});
  }
  if (!link.up()) return;
  counters_.Add(Counter::kLinksDown);
  spdlog::debug("link {} to {} ({}) is down: {}", link.id(),
                link.hello().origin.node, link.remote(), end.why);
  events_.OnLinkDown(link.id(), end.why);
  if (link.inbound()) events_.OnInbound(link.remote(), false);
}

bool PeerTransport::TryOtherSecret(const Link& link, const Link::End& end) {
  const Handshake& handshake = link.handshake();
  const bool refused =
      end.refused_there && end.permanent && handshake.proof_pending();
  if (!refused || handshake.also() || options_.policy.secret_also.empty()) {
    return false;
  }
  if (prove_also_.size() >= kMaxProved) prove_also_.clear();
  prove_also_.insert(link.remote());
  return true;
}

void PeerTransport::LearnSecret(const Link& link) {
  if (options_.policy.secret_also.empty()) return;
  if (proved_also_.size() >= kMaxProved) proved_also_.clear();
  proved_also_[link.hello().address] = link.handshake().also();
}

void PeerTransport::NoteRefusal(const Link& link, const Link::End& end) {
  counters_.Add(Counter::kLinksRefused);
  counters_.Add(CounterOf(end.reason));
  LogRefusal(link, end);
  if (!link.inbound() && !link.probe() && end.permanent) {
    events_.OnRefused(link.dialed(), end.why);
  }
}

void PeerTransport::LogRefusal(const Link& link, const Link::End& end) {
  if (end.reason == RefusalReason::kClosing) return;
  const Handshake& hello = link.handshake();
  const std::string remote =
      link.inbound() ? HostOf(link.remote()) : link.remote();
  const std::string& address =
      hello.peer_address().empty() ? remote : hello.peer_address();
  if (!refusals_.IsNews(address, end.why)) return;
  const std::string who =
      hello.peer_name().empty()
          ? absl::StrCat("the peer at ", address)
          : absl::StrCat(hello.peer_name(), " (", address, ")");
  if (end.refused_here) {
    spdlog::warn("refused {}: {}", who, end.why);
  } else {
    spdlog::warn("{} refused this node and says: {}", who, end.why);
  }
}

void PeerTransport::Send(core::LinkId id, const core::Frame& frame) {
  auto it = links_.find(id);
  if (it == links_.end() || it->second->Send(frame)) return;
  counters_.Add(Counter::kQueueOverflows);
  std::string why =
      absl::StrCat("more than ", SendQueue::kMaxBytes, " bytes wait for it");
  spdlog::warn("link to {} is closed: {}", it->second->remote(), why);
  CloseLater(id, why, false);
}

void PeerTransport::CloseLink(core::LinkId id, const std::string& reason,
                              bool permanent) {
  CloseLater(id, reason, permanent);
}

void PeerTransport::CloseLater(core::LinkId id, const std::string& reason,
                               bool permanent) {
  auto it = links_.find(id);
  if (it == links_.end()) return;
  it->second->Hang(codec::Refusal{reason, permanent});
  // Never from inside a call of the core.
  loop_->Post([this, id, reason, permanent] {
    auto found = links_.find(id);
    if (found == links_.end()) return;
    Forget(*found->second, {.why = reason, .permanent = permanent});
  });
}

std::string PeerTransport::Nonce() {
  std::string nonce(codec::kNonceBytes, '\0');
  size_t filled = 0;
  while (filled < nonce.size()) {
    ssize_t n = getrandom(&nonce[filled], nonce.size() - filled, 0);
    if (n > 0) filled += static_cast<size_t>(n);
  }
  return nonce;
}

// -------------------------------------------------------- beats and probes

void PeerTransport::UseUdp(asio::ip::udp::socket socket) {
  beats_.Open(std::move(socket));
}

void PeerTransport::SendBeat(const std::string& address,
                             std::shared_ptr<const core::BeatDatagram> beat) {
  const LinkPolicy& policy = options_.policy;
  if (policy.secret_also.empty()) {
    return beats_.Send(address, std::move(beat), Beats::Secret::kFirst);
  }
  const auto also = proved_also_.find(address);
  if (also == proved_also_.end()) return;
  beats_.Send(address, std::move(beat),
              also->second ? Beats::Secret::kAlso : Beats::Secret::kFirst);
}

void PeerTransport::PollBeats() { beats_.Poll(); }

void PeerTransport::Dial(const std::vector<std::string>& addresses) {
  if (!shut_down_) dialer_.SetAddresses(addresses);
}

void PeerTransport::StartProbe(uint64_t token, const std::string& address) {
  counters_.Add(Counter::kProbes);
  StartConnectProbe(loop_, address, [this, token](ConnectOutcome outcome) {
    events_.OnProbe(token, outcome);
  });
}

void PeerTransport::StartHelloProbe(uint64_t token,
                                    const std::string& address) {
  counters_.Add(Counter::kHelloProbes);
  HelloProbe& probe = hello_probes_[token];
  probe.timer =
      std::make_unique<asio::steady_timer>(loop_->io(), kHelloProbeLimit);
  probe.timer->async_wait([this, token](const std::error_code& error) {
    if (error) return;
    loop_->Step([&] { EndHelloProbe(token, {}); });
  });
  Resolve(loop_, address, [this, token, address](Resolved resolved) {
    OnProbeResolved(token, address, resolved);
  });
}

void PeerTransport::OnProbeResolved(uint64_t token, const std::string& address,
                                    const Resolved& resolved) {
  auto it = hello_probes_.find(token);
  if (it == hello_probes_.end()) return;
  if (resolved.ok()) {
    for (const Dialer::Endpoint& endpoint : *resolved) {
      if (!Forbidden(endpoint).empty()) continue;
      it->second.attempts.insert(Connect(address, endpoint, /*probe=*/true));
    }
  }
  if (it->second.attempts.empty()) EndHelloProbe(token, {});
}

void PeerTransport::OnProbeAttemptOver(core::LinkId attempt,
                                       crdt::LifeId life) {
  for (auto& [token, probe] : hello_probes_) {
    if (probe.attempts.erase(attempt) == 0) continue;
    if (!life.IsZero() || probe.attempts.empty()) EndHelloProbe(token, life);
    return;
  }
}

void PeerTransport::EndHelloProbe(uint64_t token, crdt::LifeId life) {
  auto it = hello_probes_.find(token);
  if (it == hello_probes_.end()) return;
  HelloProbe probe = std::move(it->second);
  hello_probes_.erase(it);
  for (core::LinkId attempt : probe.attempts) AbortAttempt(attempt);
  events_.OnHelloProbe(token, life);
}

// ---------------------------------------------------------------- shutdown

void PeerTransport::Shutdown(absl::AnyInvocable<void()> done) {
  shut_down_ = true;
  dialer_.Stop();
  beats_.Close();
  hello_probes_.clear();
  for (auto& [id, link] : links_) {
    link->Hang(std::nullopt);
    leaving_.push_back(link->pipe());
  }
  links_.clear();
  AwaitPipes(std::make_shared<absl::AnyInvocable<void()>>(std::move(done)));
}

void PeerTransport::AwaitPipes(
    std::shared_ptr<absl::AnyInvocable<void()>> done) {
  std::erase_if(leaving_, [](const auto& pipe) { return pipe->closed(); });
  ++shutdown_rounds_;
  if (leaving_.empty() || shutdown_rounds_ > 2 * kShutdownRounds) {
    leaving_.clear();
    return (*done)();
  }
  if (shutdown_rounds_ == kShutdownRounds) {
    for (const std::shared_ptr<Pipe>& pipe : leaving_) pipe->Cancel();
  }
  shutdown_timer_ =
      std::make_unique<asio::steady_timer>(loop_->io(), kShutdownPoll);
  shutdown_timer_->async_wait([this, done](const std::error_code& error) {
    if (!error) AwaitPipes(done);
  });
}

}  // namespace muster::peer
