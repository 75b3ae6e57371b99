// The events of the peer transport for the node. Every call comes on the loop
// thread, one at a time, and never from inside a call into the transport.
#ifndef MUSTER_TRANSPORT_PEER_EVENTS_H_
#define MUSTER_TRANSPORT_PEER_EVENTS_H_

#include <cstdint>
#include <string>

#include "crdt/types.h"
#include "node/core/frames.h"

namespace muster::peer {

enum class ConnectOutcome { kConnected, kRefused, kNoAnswer };

class PeerEvents {
 public:
  virtual ~PeerEvents() = default;

  // The identity of this node, for every hello.
  virtual crdt::Origin Self() = 0;

  // A link is established: both sides have proved themselves. Every OnLinkUp
  // is followed by exactly one OnLinkDown. Frames of the link come only between
  // the two, in the order sent within each class. `why` is for people.
  virtual void OnLinkUp(core::LinkId link, const core::PeerHello& hello) = 0;
  virtual void OnLinkDown(core::LinkId link, const std::string& why) = 0;
  virtual void OnFrame(core::LinkId link, core::Frame frame) = 0;

  // The other end of a connection, HOST:PORT, has proved to be a peer; `up`
  // false: its link is over. Called around OnLinkUp and OnLinkDown of a link
  // that the peer dialled.
  virtual void OnInbound(const std::string& remote, bool up) = 0;

  // A dial to `address`, one of those that the core wants dialled, was refused
  // for good, by the peer or by this node. `why` is for people.
  virtual void OnRefused(const std::string& address,
                         const std::string& why) = 0;

  // A beat of this cluster, its MAC checked.
  virtual void OnDatagram(const core::BeatDatagram& beat) = 0;
  virtual void OnUdpUnavailable(const std::string& why) = 0;

  // Answers, one for each ConnectProbe and HelloProbe. `life` is zero if
  // nobody of this cluster answered.
  virtual void OnProbe(uint64_t token, ConnectOutcome outcome) = 0;
  virtual void OnHelloProbe(uint64_t token, crdt::LifeId life) = 0;
};

}  // namespace muster::peer

#endif  // MUSTER_TRANSPORT_PEER_EVENTS_H_
