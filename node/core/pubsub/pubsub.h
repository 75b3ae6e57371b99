// Pub/sub on one node: its clients' subscriptions, and messages on their way
// from its clients and to them.
//
//   Subscribe --> Subscriptions --changes--> own interest stream --> all nodes
//                                              '--> Confirmations --> held
//   Publish ----> MatchOf(channel) --+--> FanOut --> deliveries (own clients)
//                                    '--> Outbox of each node that matches
//   mail of b --> Inbox of b --waits for b's interest--> FanOut
//
// A message reaches a node once or not at all, in the order of its publisher's
// node. A message carries how far its publisher's node had written its own
// interest, and waits for that (kOrderPatience at most): so whoever asks and
// subscribes to the answers' channel before is found by the answer. It carries
// as well how far that node had applied the keyspace, and waits for that, too:
// a message never overtakes a write that its publisher saw acknowledged.
//
// Invariants
//   1. After a subscribe is answered, a message published at any node that was
//      up then and still is finds the subscription.
//   2. After an unsubscribe is answered nothing comes of that name.
//   3. What is lost between nodes is counted by its receiver, and told to those
//      subscribers that asked for it.
// Limits: PubSubOptions. Errors: of Publish, RESOURCE_EXHAUSTED; of Subscribe,
// one a name. Threads: the core's.
#ifndef MUSTER_NODE_CORE_PUBSUB_PUBSUB_H_
#define MUSTER_NODE_CORE_PUBSUB_PUBSUB_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "node/core/mail.h"
#include "node/core/message.h"
#include "node/core/options.h"
#include "node/core/pubsub/confirmations.h"
#include "node/core/pubsub/fan_out.h"
#include "node/core/pubsub/interest_state.h"
#include "node/core/pubsub/mailbox.h"
#include "node/core/pubsub/subscriptions.h"
#include "node/core/time.h"

namespace muster::core {

class PubSub {
 public:
  // For how long a message waits for its publisher's interest stream.
  static constexpr absl::Duration kOrderPatience = absl::Seconds(2);
  // How often those who have not confirmed a subscription are asked.
  static constexpr absl::Duration kAskAgain = absl::Milliseconds(300);

  // The keyspace of this node: how far it has come, and whether it has come as
  // far as a publisher's node (or can not tell, so that nobody is to wait).
  struct Keyspace {
    std::function<KvPosition()> position;
    std::function<bool(const KvPosition&)> has;
  };

  PubSub(const PubSubOptions& options, InterestState& interest,
         Keyspace keyspace);

  // This node's name is admitted: its interest stream.
  void Begin(Stream& own) { own_ = &own; }

  // ---- clients ----
  absl::StatusOr<SubscriberId> Open(bool gaps);
  // Answered by OnHeld in the output of this or a later step. The errors are
  // of single names; the others are taken.
  std::vector<SubscribeError> Subscribe(SubscriberId subscriber,
                                        uint64_t request,
                                        const SubscribeRequest& names);
  void Close(SubscriberId subscriber);
  // For each message how many subscriptions it meets, in the whole cluster.
  absl::StatusOr<std::vector<uint64_t>> Publish(
      std::shared_ptr<const MessageBatch> batch);

  // ---- other nodes ----
  // Other nodes that are up and know interest streams.
  void SetUp(std::vector<Confirmations::Up> up);
  void OnMail(crdt::LifeId from, const MailFrame& frame);
  void OnMailAck(crdt::LifeId from, const MailAck& ack);
  void OnApplied(crdt::LifeId from, const InterestApplied& applied);
  void OnAsk(crdt::LifeId from);
  // The link to a node has come or gone: what was on it is lost.
  void OnWayChanged(crdt::LifeId life);
  void OnForgotten(crdt::LifeId life);

  // ---- time ----
  // Before any other call of a step.
  void SetTime(Instant now) { now_ = now; }
  void Tick();
  // After each input: what has to be said by now.
  void Flush(std::vector<PubSubMail>& mail, std::vector<SubscribeHeld>& held);
  // A slice of deliveries and of what closed subscribers leave behind.
  bool RunJob(std::vector<MessageDelivery>& out);
  bool has_work() const;

  // A subscribe waits for other nodes.
  bool confirming() const { return confirmations_.waiting(); }
  size_t subscribers() const { return subscriptions_.subscribers(); }
  std::vector<std::pair<std::string, uint64_t>> Counters() const;

 private:
  // Mail of one node that waits for its interest stream, or for room.
  struct Waiting {
    std::shared_ptr<const MessageBatch> batch;
    uint64_t last = 0;  // The number of its last message.
    crdt::Seq interest;
    KvPosition kv;
    Instant since{0};
  };
  struct Peer {
    explicit Peer(Outbox box) : out(std::move(box)) {}
    Outbox out;
    Inbox in;
    std::deque<Waiting> waiting;
    // Mail up to this number has been handed on: what is acknowledged.
    uint64_t admitted = 0;
    bool ack = false;   // An acknowledgement is due.
    bool tell = false;  // So is how far its interest stream is applied here.
    bool ask = false;   // So is the question how far it applied this node's.
  };
  using Peers = std::map<crdt::LifeId, Peer>;

  // The peer, new or known; it is looked at by the next Flush.
  Peer& Wake(crdt::LifeId life);
  // Adds or removes the names of one list of a request.
  void Change(SubscriberId subscriber, SubscribeError::List list,
              const std::vector<std::string>& names,
              std::vector<SubscribeError>& errors);
  void WriteChanges();
  // Hands mail whose turn it is to the fan-out.
  void Admit(crdt::LifeId life, Peer& peer);
  // What its publisher's node had subscribed to before is known here.
  bool IsInOrder(crdt::LifeId life, const Waiting& waiting) const;
  // What is due to one peer; false if nothing will be before it is woken.
  bool FlushPeer(crdt::LifeId life, Peer& peer, std::vector<PubSubMail>& mail);
  bool HasRoom(size_t bytes) const;

  const PubSubOptions options_;
  InterestState& interest_;
  const Keyspace keyspace_;
  Stream* own_ = nullptr;
  Subscriptions subscriptions_;
  FanOut fan_out_;
  Confirmations confirmations_;
  Peers peers_;
  std::set<crdt::LifeId> awake_;  // Of the peers: those to look at.
  // How far the mail of forgotten members had come; at most kMaxMembers.
  std::map<crdt::LifeId, Inbox> forgotten_;
  std::vector<Confirmations::Up> up_;
  std::deque<SubscriberId> closing_;
  Instant now_{0};
  Instant next_ask_{0};
  std::string encoded_;  // Of one message; kept for its memory.
  struct {
    uint64_t published = 0, received = 0, delivered = 0;
    uint64_t missed = 0, duplicates = 0, dropped = 0, refused = 0;
    uint64_t out_of_order = 0, bytes_out = 0, bytes_in = 0;
  } counters_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_PUBSUB_PUBSUB_H_
