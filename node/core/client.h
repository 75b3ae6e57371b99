// What clients ask of the core and what it answers, as core values. The gRPC
// services translate; they check form and limits (see Limits), the core checks
// truth (sessions, epochs, refs, duplicates).
//
// Views in requests point into memory that the caller keeps alive for the
// call. Views in answers point into the answer's own arena.
#ifndef MUSTER_NODE_CORE_CLIENT_H_
#define MUSTER_NODE_CORE_CLIENT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "crdt/byte_arena.h"
#include "crdt/types.h"
#include "node/core/frames.h"

namespace muster::core {

using RequestId = uint64_t;
using WatchId = uint64_t;

// An entry as shown to clients.
struct EntryView {
  absl::string_view topic;
  absl::string_view key;
  absl::string_view meta;
  crdt::Ref ref;
  crdt::Ref ref_prev;  // None, unless it is an update.
};

// ---------------------------------------------------------------- sessions

struct OpenSessionRequest {
  crdt::SessionId session;  // From a fresh token.
  bool stream = false;      // Lives as long as its stream; no TTL.
  absl::Duration ttl;
  absl::Duration grace;
  uint64_t epoch = 0;
};
struct SessionInfo {
  crdt::SessionId session;
  uint64_t epoch = 0;
  uint64_t resume_number = 0;
  absl::Duration ttl;
  absl::Duration grace;
};
struct ResumeRequest {
  OpenSessionRequest open;
  uint64_t resume_number = 0;
  std::vector<EntryView> entries;  // topic, key, ref.
  crdt::ByteArena arena;           // What they view.
};
struct ResumeReply {
  SessionInfo info;
  std::vector<crdt::Ref> missing;
  ResumeRequest request;  // To be freed by another thread than the loop's.
};

struct TrackOp {
  absl::string_view topic;
  absl::string_view key;
  absl::string_view meta;
  bool allow_duplicate = false;
};
struct UpdateOp {
  crdt::Ref ref;
  absl::string_view meta;
};
// One batch for one session; applied untrack, update, track, some operations
// a step.
struct ApplyRequest {
  crdt::SessionId session;
  std::vector<crdt::Ref> untrack;
  std::vector<UpdateOp> update;
  std::vector<TrackOp> track;
};
struct IndexedError {
  uint32_t index = 0;
  absl::Status status;
};
struct ApplyReply {
  size_t untracked = 0;            // Untracks worked through.
  std::vector<crdt::Ref> tracked;  // None where it failed.
  std::vector<crdt::Ref> updated;
  std::vector<IndexedError> untrack_errors;
  std::vector<IndexedError> update_errors;
  std::vector<IndexedError> track_errors;
};

// ---------------------------------------------------------------- watching

// What a watch tells of: entries, keys with their numbers of entries, or both.
enum class WatchDetail : uint8_t { kEntries, kKeys, kEntriesAndKeys };

struct WatchRequest {
  std::vector<std::string> topics;
  std::string prefix;
  std::vector<std::string> keys;
  WatchDetail detail = WatchDetail::kEntries;  // Not of counts.
  bool counts_only = false;
  absl::Duration interval;
  // 0 and a zero life: no version given.
  crdt::LifeId version_life;
  uint64_t version_counter = 0;
};
// A key of a topic, and its shown entries there.
struct KeyChange {
  absl::string_view key;
  uint64_t entries = 0;
  // By this diff the key came into the topic, or went. Of a state, and until
  // it is complete, neither.
  bool first_in = false;
  bool last_out = false;
};
struct TopicState {
  absl::string_view topic;
  std::vector<EntryView> entries;
  std::vector<KeyChange> keys;
};
struct TopicDiff {
  absl::string_view topic;
  std::vector<EntryView> joins;
  std::vector<EntryView> updates;
  std::vector<EntryView> leaves;
  std::vector<KeyChange> keys;
};
struct TopicCount {
  absl::string_view topic;
  uint64_t entries = 0;
  uint64_t keys = 0;
};
// One message to a watcher; several watchers may share it.
struct WatchBatch {
  crdt::LifeId version_life;
  uint64_t version_counter = 0;  // 0: no version (state not complete).
  bool reset = false;
  bool state_complete = false;
  std::vector<TopicState> state;
  std::vector<TopicDiff> diffs;
  std::vector<TopicCount> counts;
  crdt::ByteArena arena;
};

// ----------------------------------------------------------------- reading

// One page of entries. `next` is opaque; 0 on the last page.
struct ListReply {
  std::vector<EntryView> entries;
  uint64_t next = 0;  // Where the next page begins; of Get: there are more.
  crdt::ByteArena arena;
};
struct CountReply {
  uint64_t entries = 0;
  uint64_t keys = 0;
};
struct TopicsReply {
  std::vector<TopicCount> topics;
  absl::string_view next;  // Continue after it; empty on the last page.
  crdt::ByteArena arena;
};
struct TopicsOfReply {
  std::vector<absl::string_view> topics;  // In byte order.
  absl::string_view next;                 // As above.
  crdt::ByteArena arena;
};
struct ExplainLine {
  EntryView entry;
  crdt::Origin origin;
  SessionInfo session;
  bool connected = false;
  bool shown = false;
  std::string hidden_because;
  int64_t since_unix_us = 0;
  absl::Duration heartbeat_age;
};
struct ExplainReply {
  std::vector<ExplainLine> lines;
  bool more = false;
  crdt::ByteArena arena;
};

// --------------------------------------------------------------- evicting

struct EvictRequest {
  std::string topic;
  std::string key;
  std::string reason;
};
// What has become of an evict or a forget, here and on the peers it concerns.
struct OrderReply {
  uint64_t entries = 0;                // Evicted.
  std::vector<std::string> unreached;  // "b (HOST:PORT): why", in byte order.
};

// ----------------------------------------------------------------- cluster

struct MemberView {
  crdt::Origin origin;
  std::string address;
  MemberState state = MemberState::kAlive;
  bool self = false;
  bool linked = false;
  absl::Duration heartbeat_age;
  crdt::Seq presence_seq;
  uint64_t entries = 0;
};
inline absl::string_view NameOf(crdt::StreamKind kind) {
  switch (kind) {
    case crdt::StreamKind::kPresence:
      return "presence";
    case crdt::StreamKind::kKeyValue:
      return "key-value";
    case crdt::StreamKind::kInterest:
      return "interest";
  }
  return "?";
}

struct StreamView {
  crdt::Origin origin;
  crdt::StreamKind kind = crdt::StreamKind::kPresence;
  crdt::Seq seq;
  crdt::Seq log_start;
  uint64_t digest = 0;
  uint64_t entries = 0;
  uint64_t sessions = 0;
  bool hidden = false;
  std::string source;
  bool rebasing = false;
  absl::Duration age;
};
struct StatusView {
  crdt::Origin origin;
  bool ready = false;
  bool draining = false;
  std::vector<std::string> notes;
  uint64_t entries = 0;
  uint64_t keys = 0;
  uint64_t topics = 0;
  uint64_t sessions = 0;
  uint64_t watchers = 0;
  uint64_t links = 0;
  std::vector<StreamView> streams;
  std::vector<std::pair<std::string, uint64_t>> counters;
  std::vector<std::pair<std::string, uint64_t>> members_by_state;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_CLIENT_H_
