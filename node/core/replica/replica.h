// One node's replica of the cluster: membership, replication, sessions and
// views, sans I/O.
//
// The runtime calls one method at a time, on one thread, with the time; what
// the replica wants done is appended to `output()`, which the runtime takes
// after each call. No call does I/O, reads a clock, or takes longer than
// about 1 ms: what is O(n) is a job, run in slices by RunJobs.
//
//   gRPC call --> OpenSession/Apply/List/... --+--> answer (return value)
//   peer frame -> OnFrame ---------------------+--> Output: frames, beats,
//   datagram ---> OnDatagram ------------------+    probes, watch events, ...
//   10 ms ------> Tick, RunJobs ---------------+
#ifndef MUSTER_NODE_CORE_REPLICA_REPLICA_H_
#define MUSTER_NODE_CORE_REPLICA_REPLICA_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "crdt/keyspace/keyspace.h"
#include "node/core/client.h"
#include "node/core/frames.h"
#include "node/core/measures.h"
#include "node/core/message.h"
#include "node/core/options.h"
#include "node/core/output.h"
#include "node/core/pubsub/interest_state.h"
#include "node/core/time.h"

namespace muster::core {

class Replica {
 public:
  // `life` is random; `seed` feeds every random choice of the core.
  Replica(Options options, crdt::LifeId life, uint64_t seed, Now now);
  ~Replica();
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  // Taken (moved out and cleared) by the runtime after each call.
  Output& output();

  // ---- the world ----
  // Every 10 ms, and as soon as possible after RunJobs said there is more.
  void Tick(Now now);
  // Runs jobs for at most `budget` by work counted, not by clock. Sets
  // output().more_work while any is left.
  void RunJobs(Now now);

  void OnLinkUp(LinkId link, const PeerHello& hello, Now now);
  // `why` is for people.
  void OnLinkDown(LinkId link, const std::string& why, Now now);
  void OnFrame(LinkId link, Frame frame, Now now);
  void OnDatagram(const BeatDatagram& beat, Now now);
  enum class ProbeOutcome { kConnected, kRefused, kNoAnswer };
  void OnProbe(uint64_t token, ProbeOutcome outcome, Now now);
  // `life` is zero if nobody answered.
  void OnHelloProbe(uint64_t token, crdt::LifeId life, Now now);
  // A dial to an address of Output::dial was refused for good; `why` is for
  // people.
  void OnRefused(const std::string& address, const std::string& why, Now now);
  // UDP cannot be sent or received here: shown in `status`.
  void OnUdpUnavailable(const std::string& why);

  // Tells peers and clients that the node goes; output().exit follows when
  // it may.
  void Drain(Now now);

  // ---- state ----
  bool ready() const;
  bool draining() const;
  // OK, or UNAVAILABLE with the reason: for clients, before any call below.
  absl::Status Serving() const;
  const crdt::Origin& origin() const;

  // ---- sessions ----
  absl::StatusOr<SessionInfo> OpenSession(const OpenSessionRequest& request,
                                          Now now);
  // The answer is an AsyncReply in the output, at once or some slices later.
  void Resume(RequestId id, ResumeRequest request, Now now);
  absl::Status CloseSession(crdt::SessionId session, Now now);
  // The stream of a session ended.
  void Disconnect(crdt::SessionId session, Now now);
  absl::Status Heartbeat(crdt::SessionId session, uint64_t epoch, Now now);
  // An error of the whole: no such session, or it lives elsewhere.
  // Goes on with `request` after what `reply` tells of, for at most `budget`
  // operations, which it counts down; true once all are done. An error: the
  // session is not here, any more; what was done goes with it.
  absl::StatusOr<bool> ApplySome(const ApplyRequest& request, Now now,
                                 ApplyReply& reply, size_t& budget);
  // Back-pressure, to be asked before ApplySome: false while the log would else
  // pass a peer's rebase of this node's sessions again and again. Then one call
  // a tick may go on; output().may_write says when to ask again. Who does not
  // ask is not held back.
  bool MayWrite(Now now);
  // All of it, in one step: for a few hundred operations.
  absl::StatusOr<ApplyReply> Apply(const ApplyRequest& request, Now now);

  // ---- watching ----
  // The first events are in the output at once or some slices later.
  absl::StatusOr<WatchId> Watch(WatchRequest request, Now now);
  // The watcher's queue has written `batches` more batches.
  void WatchWritten(WatchId watch, size_t batches, Now now);
  void EndWatch(WatchId watch);

  // ---- pub/sub; see node/core/pubsub/pubsub.h ----
  absl::StatusOr<SubscriberId> OpenSubscriber(bool gaps, Now now);
  // Answered in Output::subscribed, once it holds. REQUIRES: it is open.
  std::vector<SubscribeError> Subscribe(SubscriberId subscriber,
                                        uint64_t request,
                                        const SubscribeRequest& names, Now now);
  void CloseSubscriber(SubscriberId subscriber, Now now);
  absl::StatusOr<std::vector<uint64_t>> Publish(
      std::shared_ptr<const MessageBatch> batch, Now now);
  InterestState::Page Channels(absl::string_view glob, absl::string_view after,
                               size_t limit) const;
  uint64_t Subscribers(absl::string_view channel) const;
  uint64_t PatternCount() const;

  // ---- keys; see node/core/keyspace/replicated_keyspace.h ----
  // Answered in Output::kv_answers, of this step or a later one.
  KvCallId Execute(KvCall call, Now now);
  // The client of a call has gone: its answer is not wanted. A pop that waits
  // takes nothing any more.
  void Withdraw(KvCallId call, Now now);
  // What has to be given as KvCall::watched.
  std::vector<commands::Watched> Watch(
      const std::vector<kv::OwnedKey>& keys) const;
  KvStatusView KvStatus() const;
  KvExplainReply KvExplain(const kv::KeyName& key, size_t limit) const;
  // The state of this node, for checks.
  const kv::Keyspace& kv_state() const;

  // ---- reading ----
  // `after`: ListReply::next of the page before, or 0.
  ListReply List(absl::string_view topic, size_t limit, uint64_t after);
  ListReply Get(absl::string_view topic, absl::string_view key);
  CountReply Count();
  CountReply CountTopic(absl::string_view topic);
  CountReply CountKey(absl::string_view key);
  TopicsReply Topics(absl::string_view prefix, absl::string_view after,
                     size_t limit);
  TopicsOfReply TopicsOf(absl::string_view key, absl::string_view after,
                         size_t limit);
  ExplainReply Explain(absl::string_view topic, absl::string_view key, Now now);

  // ---- for administrators ----
  // The answers are in output().orders, at once or some slices later.
  void Evict(RequestId id, EvictRequest request, Now now);
  // Forgets a member that is down or has left, here and on every node with a
  // link to this one. FAILED_PRECONDITION while it is alive, NOT_FOUND.
  void Forget(RequestId id, const std::string& name, Now now);

  // ---- cluster ----
  std::vector<MemberView> Members(Now now) const;
  StatusView Status(Now now) const;
  // For metrics, as of the last step. O(members + streams).
  Measures Measure() const;

  // What is wrong with the store, or "". O(n): for tests.
  std::string Audit() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_REPLICA_REPLICA_H_
