// What a replica is told at its start. Every field has a default that suits a
// local network; node/config/config sets them from flags and the config file.
#ifndef MUSTER_NODE_CORE_OPTIONS_H_
#define MUSTER_NODE_CORE_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "node/commands/call.h"
#include "node/core/frames.h"
#include "node/core/keyspace_calls.h"

namespace muster::core {

// Failure detection; see node/core/membership/failure_detector.h.
struct DetectorOptions {
  absl::Duration beat_interval = absl::Milliseconds(250);
  double phi_threshold = 8;
  absl::Duration min_sigma = absl::Milliseconds(100);
  // The silence after which a peer is suspected is clamped to these.
  absl::Duration min_silence = absl::Seconds(1);
  absl::Duration max_silence = absl::Seconds(2);
  // The ceiling where beats travel on the stream alone (UDP is blocked).
  absl::Duration max_silence_stream_only = absl::Seconds(4);
  // Asking others, between suspicion and down.
  absl::Duration confirm = absl::Milliseconds(500);
  // A refused TCP connect, and nobody with a later beat within `refused_wait`
  // and a round trip, is proof of death, if every other member that is alive
  // was heard over its link meanwhile: one that was not may be the only way.
  bool refused_is_proof = true;
  absl::Duration refused_wait = absl::Milliseconds(350);
  // A link that has acknowledged nothing for this long while beats arrive is
  // redialled on a fresh socket. At least; see
  // node/core/membership/peer_links.h.
  absl::Duration link_stall = absl::Seconds(1);
  // A silent member and its stream are forgotten after this.
  absl::Duration forget = absl::Minutes(20);
  // The higher name dials if the lower one has not within this.
  absl::Duration dial_wait = absl::Milliseconds(500);
  // A name is in use if another life of it shows itself within this.
  absl::Duration name_check = absl::Milliseconds(1500);
  // Serve alone if no join address has answered within this.
  absl::Duration join_wait = absl::Seconds(2);
};

struct ReplicationOptions {
  size_t log_bytes = 12 << 20;      // The ring of encoded mutations.
  size_t window_bytes = 256 << 10;  // Bulk sent and not acknowledged, a link.
  size_t frame_bytes = kBulkFrameBytes;  // One frame of bulk, about, at most.
  absl::Duration source_timeout = absl::Milliseconds(500);
  absl::Duration checkpoint_interval = absl::Seconds(30);
  // A stream this old is sent to nobody.
  absl::Duration stale = absl::Minutes(11);
};

struct SessionOptions {
  // How long past its grace a session's entries stay at most, while other nodes
  // may have accepted a resume of it; see node/core/replica/leave_gate.h.
  // Copies of nodes that are gone stay for so long.
  absl::Duration leave_delay = absl::Seconds(3);
  // How long a moved or ended session's record is kept.
  absl::Duration record_keep = absl::Minutes(11);
  size_t max_sessions = 1'000'000;  // Owned by this node.
  // Records of its sessions that ended or moved; past it the oldest goes.
  size_t max_ended = 1'000'000;
  size_t max_entries_per_session = 100'000;
};

struct WatchOptions {
  size_t max_watchers = 20'000;
  // Changes kept for watches that resume; 512 bytes of memory for each at most,
  // so large ones are fewer.
  size_t history = 16'384;
  // Batches on their way to one watcher before it is moved to a fresh state.
  size_t max_queued = 64;
};

// Messages to one other node; see node/core/pubsub/mailbox.h.
struct MailOptions {
  size_t window_bytes = 1 << 20;  // Sent and not acknowledged.
  size_t max_bytes = 16 << 20;    // Queued; past it a message is dropped.
  size_t frame_bytes = kBulkFrameBytes;
};

struct PubSubOptions {
  size_t max_subscribers = 20'000;  // Subscribe streams of this node.
  // Channels and patterns of one of them.
  size_t max_names_per_subscriber = 100'000;
  // Messages that wait for their subscribers here.
  size_t max_undelivered_bytes = 64 << 20;
  size_t log_bytes = 4 << 20;  // The ring of encoded changes of interest.
  MailOptions mail;
};

struct KeyspaceOptions {
  KvAckPolicy ack = KvAckPolicy::kPeer;
  bool leader_reads =
      false;  // Of all calls, also those that do not ask for it.
  // How long a call waits for a leader, or a position, before it is refused.
  absl::Duration wait = absl::Seconds(5);
  size_t log_bytes = 32 << 20;    // The ring of a leader's mutations.
  size_t window_bytes = 1 << 20;  // Sent and not applied, a follower.
  size_t frame_bytes = kBulkFrameBytes;
  commands::Limits limits;
  // Memory of the keyspace, past which writes that need more are refused; 0:
  // no limit.
  size_t max_memory_bytes = 0;
  size_t max_blocked = 100'000;  // Pops of this node's clients that wait.
  size_t max_waiting = 100'000;  // Other calls that wait for an answer.
};

struct Options {
  std::string node;
  std::string cluster = "muster";
  std::string address;            // HOST:PORT that peers dial.
  std::vector<std::string> join;  // HOST:PORT, or DNS names with a port.
  // Serve alone where every join address that answers refuses this node, which
  // else exits.
  bool join_optional = false;
  size_t max_members = 1024;
  DetectorOptions detector;
  ReplicationOptions replication;
  SessionOptions sessions;
  WatchOptions watch;
  PubSubOptions pubsub;
  KeyspaceOptions keyspace;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_OPTIONS_H_
