// One connection to a peer on the loop: its handshake, then its frames.
//
//   handshaking --proofs good--> up --closed by either side--> over
//        |                                                      ^
//        +-- refused, out of time, a probe answered ------------+
//
// The owner deletes a link that is over; its pipe goes on alone until its queue
// is sent, at most kLinger.
//
// Threads: the loop's.
#ifndef MUSTER_TRANSPORT_PEER_LINK_H_
#define MUSTER_TRANSPORT_PEER_LINK_H_

#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "node/codec/peer_codec.h"
#include "node/codec/peer_proof.h"
#include "node/core/frames.h"
#include "node/runtime/loop.h"
#include "transport/peer/counters.h"
#include "transport/peer/handshake.h"
#include "transport/peer/pipe.h"

namespace muster::peer {

class Link final : public Pipe::Receiver {
 public:
  // Limits of a handshake, from the dialler's start and from the acceptor's.
  // Enough for a link with 1.5 s one way: eight crossings, two of which the
  // acceptor sees.
  static constexpr std::chrono::seconds kDiallerLimit{16};
  static constexpr std::chrono::seconds kAcceptorLimit{8};
  static constexpr std::chrono::milliseconds kLinger{500};

  // How a link came to its end.
  struct End {
    std::string why;
    // Refused for good: by this side or the other.
    bool permanent = false;
    // This side or the other refused: worth a warning. `why` is then the
    // sentence of refusal.h, or the other side's reason.
    bool refused_here = false;
    bool refused_there = false;
    RefusalReason reason = RefusalReason::kByPeer;
    // Of a probe: the life at the address; zero if no hello came.
    crdt::LifeId probed;
  };
  class Owner {
   public:
    virtual ~Owner() = default;
    // Outbound: the peer's hello has come.
    virtual void OnLinkAnswered(Link& link) = 0;
    virtual void OnLinkEstablished(Link& link) = 0;
    virtual void OnLinkFrame(Link& link, core::Frame frame) = 0;
    // The link is over; the owner deletes it.
    virtual void OnLinkOver(Link& link, const End& end) = 0;
  };
  struct Config {
    core::LinkId id = 0;
    codec::LinkRole role = codec::LinkRole::kDialler;
    bool probe = false;
    // A dialler proves the policy's secret_also.
    bool prove_also = false;
    std::string nonce;
    crdt::Origin self;
    // Outbound: the address of the dial set. Inbound: empty.
    std::string dialed;
    // HOST:PORT of the other end.
    std::string remote;
  };

  Link(Loop& loop, const LinkPolicy& policy, Counters& counters, Owner& owner,
       Config config, std::shared_ptr<Pipe> pipe);
  ~Link() override;

  // Takes over the pipe's messages; a dialler says hello.
  void Start();
  // False: the queue is full, the link must be closed.
  bool Send(const core::Frame& frame);
  // Tells the peer and leaves the pipe to itself. The owner deletes the link.
  void Hang(std::optional<codec::Refusal> refusal);
  // Lets go of everything at once.
  void Abort();

  core::LinkId id() const { return config_.id; }
  bool inbound() const { return config_.role == codec::LinkRole::kAcceptor; }
  bool probe() const { return config_.probe; }
  bool up() const { return up_; }
  const std::string& remote() const { return config_.remote; }
  const std::string& dialed() const { return config_.dialed; }
  const core::PeerHello& hello() const { return hello_; }
  // Zero until the peer has said hello.
  crdt::LifeId peer_life() const { return handshake_.peer_life(); }
  const Handshake& handshake() const { return handshake_; }
  const std::shared_ptr<Pipe>& pipe() const { return pipe_; }

  // Pipe::Receiver
  void OnPipeMessage(absl::StatusOr<codec::PeerMessage> message,
                     size_t bytes) override;
  void OnPipeClosed(const std::string& why) override;

 private:
  void OnHandshakeMessage(const codec::PeerMessage& message);
  void OnUpMessage(codec::PeerMessage message);
  void Do(const Handshake::Continue& step);
  void Do(const Handshake::Established& step);
  void Do(const Handshake::Refuse& step);
  void Do(const Handshake::Refused& step);
  void Do(const Handshake::Probed& step);
  void OnHandshakeTimeout();

  Loop& loop_;
  const LinkPolicy& policy_;
  Counters& counters_;
  Owner& owner_;
  const Config config_;
  const std::shared_ptr<Pipe> pipe_;
  Handshake handshake_;
  asio::steady_timer timer_;
  // When the last handshake message that gets an answer was sent.
  std::chrono::steady_clock::time_point asked_;
  bool up_ = false;
  core::PeerHello hello_;
  // Expires with the link: a handler of the timer may already be queued.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace muster::peer

#endif  // MUSTER_TRANSPORT_PEER_LINK_H_
