// Calls on keys: muster.v1 Kv messages to and from the core values of
// node/core/keyspace_calls.h.
//
// Execute requests and answers are read and written by hand, since they come
// by the hundred thousand a second; all others go through the generated
// classes. The caller checks limits.
//
//   KvExecuteRequest{commands: [{args: [SET, k, v]}, {args: [GET, k]}]}
//     --> take({SET, k, v}), take({GET, k})
//   replies: OK, "v"
//     --> KvExecuteResponse{values: [{simple: OK}, {bulk: v}], position: …}
//
// Cost: O(bytes). All functions are total and thread-safe.
#ifndef MUSTER_NODE_CODEC_KV_CODEC_H_
#define MUSTER_NODE_CODEC_KV_CODEC_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "muster/v1/cluster.pb.h"
#include "muster/v1/kv.pb.h"
#include "node/codec/wire.h"
#include "node/commands/command.h"
#include "node/commands/reply.h"
#include "node/core/client.h"
#include "node/core/keyspace_calls.h"

namespace muster::codec {

inline constexpr size_t kLifeIdBytes = 16;

// Positions as clients hand them back.
std::string LifeIdBytes(const crdt::LifeId& life);
// False: they are not kLifeIdBytes.
bool ParseLifeId(absl::string_view bytes, crdt::LifeId& life);

// ---------------------------------------------------------------- decoding

// What a call says beside its commands, as it was sent.
struct KvOptionsText {
  uint64_t db = 0;
  bool at_leader = false;
  uint64_t min_term = 0;
  absl::string_view min_leader;
  uint64_t min_seq = 0;
};
struct KvWatchedText {
  uint64_t db = 0;
  absl::string_view key;
  uint64_t version = 0;
};
// A KvExecuteRequest but its commands: views into its bytes.
struct KvExecuteText {
  bool atomic = false;
  std::vector<KvWatchedText> watched;
  KvOptionsText options;
};
// Hands the arguments of each command to `take`, as views into `bytes` that are
// good during the call. False if the bytes are malformed.
bool ReadExecute(absl::string_view bytes, KvExecuteText& text,
                 const std::function<void(commands::Argv)>& take);

// A KvRequest of a stream: views into its bytes.
struct KvRequestText {
  uint64_t number = 0;
  absl::string_view execute;
};
bool ReadRequest(absl::string_view bytes, KvRequestText& text);

// The same of a message that was parsed.
KvOptionsText ToText(const v1::KvOptions& options);

// ---------------------------------------------------------------- encoding

// REQUIRES: `answer` is OK, and its replies are those of a call that was, or
// was not, `atomic`; of an atomic one an array or nil.
std::string EncodeExecuteResponse(const core::KvAnswer& answer, bool atomic);

// A field `answers` of a KvResponse. REQUIRES: as EncodeExecuteResponse, if
// `answer` is OK.
void WriteAnswer(uint64_t number, const core::KvAnswer& answer, bool atomic,
                 WireWriter& out);

void ToProto(const core::KvPosition& position, v1::KvPosition* to);

// `members` give the nodes' names.
std::string EncodeExplain(const core::KvExplainReply& reply,
                          const std::vector<core::MemberView>& members);
void ToProto(const core::KvStatusView& keyspace,
             const std::vector<core::MemberView>& members,
             v1::KeyspaceStatus* to);

// The member's part in the keyspace, as this node knows it: its own, its
// leader's and, if it leads, its followers'.
void ToProto(const core::KvStatusView& keyspace, const core::MemberView& member,
             v1::Member* to);

// ------------------------------------------------------------- for clients

// Appends the value as the command replied it: for commands::ToText.
void AppendReply(const v1::KvValue& value, commands::Reply& reply);

}  // namespace muster::codec

#endif  // MUSTER_NODE_CODEC_KV_CODEC_H_
