// The options of keys.
#include "crdt/keyspace/types.h"
#include "node/config/option_makers.h"

namespace muster {
namespace {

constexpr Word<core::KvAckPolicy> kAckPolicies[] = {
    {"local", core::KvAckPolicy::kLocal},
    {"peer", core::KvAckPolicy::kPeer},
    {"majority", core::KvAckPolicy::kMajority}};
constexpr Word<bool> kReadPlaces[] = {{"local", false}, {"leader", true}};

}  // namespace

Options KeyspaceConfigOptions() {
  return {
      Choice("kv-ack", kAckPolicies,
             "When a write is answered: once the leader has it; once another "
             "node has it, too, if any can follow; once most members have it.",
             MUSTER_FIELD(runtime.core.keyspace.ack)),
      Choice("kv-reads", kReadPlaces,
             "Where reads run: on the node that is asked, or all at the "
             "leader.",
             MUSTER_FIELD(runtime.core.keyspace.leader_reads)),
      Millis("kv-wait-ms", 0, 600'000,
             "How long a call waits for a leader, or for the position that it "
             "names, before it is refused.",
             MUSTER_FIELD(runtime.core.keyspace.wait)),
      Size("kv-log-bytes", "bytes", 1'048'576, 4'294'967'296,
           "Recent writes kept for followers that fall behind; past it they "
           "catch up from the state.",
           MUSTER_FIELD(runtime.core.keyspace.log_bytes)),
      Size("kv-window-bytes", "bytes", 65'536, 67'108'864,
           "Writes sent to a follower that it has not applied.",
           MUSTER_FIELD(runtime.core.keyspace.window_bytes)),
      Size("kv-max-memory", "bytes", 0, 17'592'186'044'416,
           "Memory of the keys; past it a write that needs more is refused; 0: "
           "no limit.",
           MUSTER_FIELD(runtime.core.keyspace.max_memory_bytes)),
      Size("kv-max-key-bytes", "bytes", 1, kv::kMaxKeyBytes, "A key.",
           MUSTER_FIELD(runtime.core.keyspace.limits.max_key_bytes)),
      Size("kv-max-value-bytes", "bytes", 1, kv::kMaxMutationBytes,
           "A string, or one field, member or element.",
           MUSTER_FIELD(runtime.core.keyspace.limits.max_value_bytes)),
      Size("kv-max-mutation-bytes", "bytes", 65'536, kv::kMaxMutationBytes,
           "What one command, or one transaction, changes.",
           MUSTER_FIELD(runtime.core.keyspace.limits.max_mutation_bytes)),
      Size("kv-max-blocked", "calls", 0, 10'000'000,
           "Calls of this node's clients that wait for an element.",
           MUSTER_FIELD(runtime.core.keyspace.max_blocked)),
      Size("kv-max-waiting", "calls", 1, 10'000'000,
           "Other calls of theirs that are not answered yet.",
           MUSTER_FIELD(runtime.core.keyspace.max_waiting)),
      Size("kv-max-commands", "commands", 1, 1'000'000,
           "Commands of one call; keys that it watches.",
           MUSTER_FIELD(limits.kv_max_commands)),
      Size("kv-max-args", "arguments", 1, 10'000'000,
           "Arguments of one command, its name included.",
           MUSTER_FIELD(limits.kv_max_args)),
      Size("kv-max-call-bytes", "bytes", 65'536, kv::kMaxMutationBytes,
           "Commands of one call, all together. A node forwards them in one "
           "message: they must fit into `--max-frame-bytes` of every member.",
           MUSTER_FIELD(limits.kv_max_call_bytes)),
      Size("kv-max-answer-bytes", "bytes", 65'536, 1'073'741'824,
           "Answers of one call, all together.",
           MUSTER_FIELD(limits.kv_max_answer_bytes)),
  };
}

}  // namespace muster
