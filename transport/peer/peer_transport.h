// Links, beats and probes of one node: everything it exchanges with its peers.
//
//   core Output --Send, SendBeat, Dial, CloseLink, ...--> PeerTransport
//   PeerTransport --PeerEvents--> core
//
// The transport moves frames and decides nothing about truth: the core decides
// which addresses to dial, which of two links to keep and which node is alive.
//
// Frames of one link go out control first, then deltas, then messages, then
// rebase frames, in order within each class. A link whose queue passes
// SendQueue::kMaxBytes is closed. Keepalive is off: the core judges links by
// beats and acknowledgements.
//
// With two secrets (LinkPolicy::secret_also) every dial proves the first
// secret. If the peer refuses it, the next dial proves the other; the first
// refusal is not reported. Beats to an address are signed with the secret of
// the last link there, since a node that knows only one secret drops beats of
// the other. Before that link, no beats are sent.
//
// Life: construct, (UseUdp), use, Shutdown, stop the loop, destroy. The server
// with the service of `Accept` must be shut down before the destructor.
//
// Threads: the loop's, except the constructor, Accept and counters().
#ifndef MUSTER_TRANSPORT_PEER_PEER_TRANSPORT_H_
#define MUSTER_TRANSPORT_PEER_PEER_TRANSPORT_H_

#include <asio/ip/udp.hpp>
#include <asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "node/core/frames.h"
#include "node/runtime/loop.h"
#include "transport/peer/beats.h"
#include "transport/peer/counters.h"
#include "transport/peer/dialer.h"
#include "transport/peer/events.h"
#include "transport/peer/frame_stream.h"
#include "transport/peer/handshake.h"
#include "transport/peer/link.h"

namespace muster::peer {

struct TransportOptions {
  LinkPolicy policy;
  // Inbound links, those in their handshake included.
  size_t max_inbound = core::kMaxMembers + 64;
  uint64_t seed = 0;  // Of the jitter of redials.
};

class PeerTransport final : private Link::Owner, private Dialer::Actions {
 public:
  PeerTransport(std::shared_ptr<Loop> loop, TransportOptions options,
                std::unique_ptr<Connector> connector, PeerEvents& events);
  ~PeerTransport() override;
  PeerTransport(const PeerTransport&) = delete;
  PeerTransport& operator=(const PeerTransport&) = delete;

  // Whether the host was dialled, or a peer there has proved itself.
  bool HasPeers(const asio::ip::address& host) const {
    return hosts_.contains(host);
  }

  // An inbound stream. From any thread.
  void Accept(std::shared_ptr<FrameStream> stream, const std::string& remote);
  // Beats travel on this bound socket from now on.
  void UseUdp(asio::ip::udp::socket socket);

  void Send(core::LinkId link, const core::Frame& frame);
  void SendBeat(const std::string& address,
                std::shared_ptr<const core::BeatDatagram> beat);
  // The peer is told `reason`; OnLinkDown follows later.
  void CloseLink(core::LinkId link, const std::string& reason, bool permanent);
  // The whole set of addresses to keep dialling.
  void Dial(const std::vector<std::string>& addresses);
  void StartProbe(uint64_t token, const std::string& address);
  // Time limit kHelloProbeLimit.
  void StartHelloProbe(uint64_t token, const std::string& address);
  // Handles the beats that have arrived, without waiting for more.
  void PollBeats();

  // Stops dialling and ends all links: what is queued is sent, then the end.
  // `done` is called on the loop when all are closed, within a second.
  void Shutdown(absl::AnyInvocable<void()> done);

  const Counters& counters() const { return counters_; }

 private:
  struct HelloProbe {
    std::set<core::LinkId> attempts;
    std::unique_ptr<asio::steady_timer> timer;
  };

  // Link::Owner
  void OnLinkAnswered(Link& link) override;
  void OnLinkEstablished(Link& link) override;
  void OnLinkFrame(Link& link, core::Frame frame) override;
  void OnLinkOver(Link& link, const Link::End& end) override;
  // Dialer::Actions
  uint64_t StartAttempt(const std::string& address,
                        const Dialer::Endpoint& endpoint) override;
  void AbortAttempt(uint64_t attempt) override;
  bool IsLinked(crdt::LifeId life) const override;
  std::string Forbidden(const Dialer::Endpoint& endpoint) const override;
  void OnForbidden(const std::string& address, const std::string& why) override;

  void Adopt(std::shared_ptr<Pipe> pipe, const std::string& remote);
  core::LinkId Connect(const std::string& address,
                       const Dialer::Endpoint& endpoint, bool probe);
  Link& AddLink(Link::Config config, std::shared_ptr<Pipe> pipe);
  // Takes the link out of the maps and tells everybody.
  void Forget(Link& link, const Link::End& end);
  void Remember(const asio::ip::address& host);
  // Counts a refusal, reports it to the core, and logs it if it is news.
  void NoteRefusal(const Link& link, const Link::End& end);
  void LogRefusal(const Link& link, const Link::End& end);
  // Whether the peer refused an attempt that proved the first of two secrets:
  // the next attempt proves the other.
  bool TryOtherSecret(const Link& link, const Link::End& end);
  void LearnSecret(const Link& link);
  void CloseLater(core::LinkId link, const std::string& reason, bool permanent);
  std::string Nonce();
  void OnProbeResolved(uint64_t token, const std::string& address,
                       const Resolved& resolved);
  void OnProbeAttemptOver(core::LinkId attempt, crdt::LifeId life);
  void EndHelloProbe(uint64_t token, crdt::LifeId life);
  void AwaitPipes(std::shared_ptr<absl::AnyInvocable<void()>> done);

  const std::shared_ptr<Loop> loop_;
  const TransportOptions options_;
  const std::unique_ptr<Connector> connector_;
  PeerEvents& events_;
  Counters counters_;
  Beats beats_;
  Dialer dialer_;
  bool shut_down_ = false;
  core::LinkId next_link_ = 1;
  size_t inbound_ = 0;
  std::map<core::LinkId, std::unique_ptr<Link>> links_;
  std::map<uint64_t, HelloProbe> hello_probes_;
  std::set<asio::ip::address> hosts_;  // At most kMaxHosts.
  // Pipes that are not closed yet, of links that are over.
  std::vector<std::shared_ptr<Pipe>> leaving_;
  RefusalLog refusals_;
  // Endpoints at which the next attempt proves secret_also.
  std::set<std::string> prove_also_;
  // By advertised address, whether the last link was proved by secret_also.
  std::map<std::string, bool> proved_also_;
  std::unique_ptr<asio::steady_timer> shutdown_timer_;
  int shutdown_rounds_ = 0;
};

}  // namespace muster::peer

#endif  // MUSTER_TRANSPORT_PEER_PEER_TRANSPORT_H_
