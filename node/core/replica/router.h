// The router: brings what is no stream (messages, acknowledgements, questions)
// from one life of a node to another, by whatever links there are.
//
//   a --- b --- c     a has no link to c, and b has heard of c last: so what a
//                     sends to c goes to b, and b passes it on.
//
// The way is the link to that life while frames come on it, else the peer that
// had heard of the life last when it told of its streams; never back to where
// the frame came from. We used to follow the source of the life's stream, which
// two peers that have all of it may take each other for: their frames went to
// and fro (scenarios_pubsub_test.cc).
//
// Best effort: what finds no way, or has come over kMaxHops links, is dropped.
// Nothing is kept, nothing is sent again; order holds while the way stays the
// same. A peer whose feature level is below kRoutedLevel is never given a
// routed frame.
//
// Cost: O(log links) a frame, O(links log streams) without a link that is
// heard. Threads: the core's.
#ifndef MUSTER_NODE_CORE_REPLICA_ROUTER_H_
#define MUSTER_NODE_CORE_REPLICA_ROUTER_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "crdt/types.h"
#include "node/core/frames.h"
#include "node/core/membership/membership.h"
#include "node/core/output.h"
#include "node/core/stream/replication.h"
#include "node/core/stream/stream_table.h"

namespace muster::core {

class Router {
 public:
  Router(const StreamTable& streams, const Membership& membership,
         const Replication& replication)
      : streams_(streams), membership_(membership), replication_(replication) {}

  // What the peer at the other end of a link can read.
  void OnLinkUp(LinkId link, uint32_t feature_level) {
    levels_[link] = feature_level;
  }
  void OnLinkDown(LinkId link) { levels_.erase(link); }
  uint32_t LevelOf(LinkId link) const;

  // Whether a frame for that life finds a way on which frames come.
  bool Reaches(crdt::LifeId life) const;
  void Send(crdt::LifeId to, RoutedFrame::Body body, Output& out);
  // A routed frame that came by a link. True: it is for this node.
  bool Receive(LinkId link, RoutedFrame& frame, Output& out);

  std::vector<std::pair<std::string, uint64_t>> Counters() const;

 private:
  // The link that leads there, or 0, for what came by `from`.
  LinkId WayTo(crdt::LifeId life, LinkId from) const;
  bool Forward(RoutedFrame frame, LinkId from, Output& out);

  const StreamTable& streams_;
  const Membership& membership_;
  const Replication& replication_;
  std::map<LinkId, uint32_t> levels_;
  struct {
    uint64_t sent = 0, relayed = 0, received = 0, lost = 0;
  } counters_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_REPLICA_ROUTER_H_
