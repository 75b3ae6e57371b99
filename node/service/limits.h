// Limits of clients' requests. Each value is a flag and a key of the config
// file; an error that comes of a limit names it. Limits of the core itself
// (sessions, entries a session, watches, subscribers) are in
// node/core/options.h, those of connections in node/runtime/runtime.h.
#ifndef MUSTER_NODE_SERVICE_LIMITS_H_
#define MUSTER_NODE_SERVICE_LIMITS_H_

#include <cstddef>

#include "absl/time/time.h"

namespace muster::service {

struct Limits {
  // --max-message-bytes. Bytes of one request, or of one message of a stream.
  size_t max_message_bytes = 4 << 20;
  // --max-name-bytes. Bytes of a topic, a key or a prefix; at least 1.
  size_t max_name_bytes = 256;
  // --max-meta-bytes. Bytes of one entry's meta.
  size_t max_meta_bytes = 64 << 10;
  // --max-batch-ops. Operations (track, update, untrack) in one request, all
  // parts of it together; as many parts at most.
  size_t max_batch_ops = 1000;
  // --max-resume-entries. Entries named by one resume.
  size_t max_resume_entries = 100'000;
  // --max-heartbeat-sessions. Sessions in one heartbeat.
  size_t max_heartbeat_sessions = 10'000;
  // --max-watch-names. Topics, or keys, of one watch.
  size_t max_watch_names = 10'000;
  // --max-page-size. Entries, or names, in one page; also the default.
  size_t max_page_size = 1000;
  // --max-channel-bytes. Bytes of a channel or a pattern.
  size_t max_channel_bytes = 256;
  // --max-payload-bytes. Bytes of one message's payload.
  size_t max_payload_bytes = 64 << 10;
  // --max-publish-messages. Messages of one Publish.
  size_t max_publish_messages = 10'000;
  // --max-subscriber-bytes. Bytes that one subscriber has yet to read; past it
  // the subscriber is cut off.
  size_t max_subscriber_bytes = 8 << 20;
  // --kv-max-commands. Commands of one call, and keys that it watches.
  size_t kv_max_commands = 10'000;
  // --kv-max-args. Arguments of one command, its name included.
  size_t kv_max_args = 100'000;
  // --kv-max-call-bytes. Commands of one call, as a node forwards them: below
  // every member's --max-frame-bytes.
  size_t kv_max_call_bytes = 960 << 10;
  // --kv-max-answer-bytes. The answers of one call.
  size_t kv_max_answer_bytes = 64 << 20;
  // --max-slot. Highest slot of a Sessions stream.
  size_t max_slot = (1 << 20) - 1;

  // --default-ttl-ms, --min-ttl-ms, --max-ttl-ms. Time to live of a session
  // without a stream.
  absl::Duration default_ttl = absl::Seconds(30);
  absl::Duration min_ttl = absl::Seconds(1);
  absl::Duration max_ttl = absl::Seconds(600);
  // --max-grace-ms. Must stay below ReplicationOptions::stale.
  absl::Duration max_grace = absl::Seconds(600);
  // --default-interval-ms, --min-interval-ms, --max-interval-ms. Between two
  // messages of a watch that asks for counts.
  absl::Duration default_interval = absl::Seconds(1);
  absl::Duration min_interval = absl::Milliseconds(100);
  absl::Duration max_interval = absl::Seconds(60);

  // --max-stream-requests, --max-stream-bytes. Requests of one Session or
  // Sessions stream that are read and not yet answered. Past either the node
  // stops reading the stream (back-pressure); no error comes of it.
  size_t max_stream_requests = 64;
  size_t max_stream_bytes = 4 << 20;
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_LIMITS_H_
