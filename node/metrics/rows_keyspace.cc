// Keys: who leads, how far, what waits, what they take.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "node/metrics/metric_rows.h"

namespace muster::metrics {
namespace {

using Loop = Runtime::LoopMeasures;
using Role = core::KvStatusView::Role;
using State = core::KvFollowerView::State;

void ReadRole(const Loop& loop, Samples& out) {
  const Role role = loop.keyspace.role;
  out.Add({"waiting"}, role == Role::kWaiting ? 1 : 0);
  out.Add({"gathering"}, role == Role::kGathering ? 1 : 0);
  out.Add({"leading"}, role == Role::kLeading ? 1 : 0);
  out.Add({"following"}, role == Role::kFollowing ? 1 : 0);
}

void ReadFollowers(const Loop& loop, Samples& out) {
  const auto count = [&loop](State state) {
    const auto& followers = loop.keyspace.followers;
    return static_cast<double>(
        std::count_if(followers.begin(), followers.end(),
                      [state](const auto& f) { return f.state == state; }));
  };
  out.Add({"out"}, count(State::kOut));
  out.Add({"asked"}, count(State::kAsked));
  out.Add({"exchanging"}, count(State::kExchanging));
  out.Add({"following"}, count(State::kFollowing));
}

void ReadKeys(const Loop& loop, Samples& out) {
  const std::vector<uint64_t>& keys = loop.keyspace.keys;
  for (size_t db = 0; db < keys.size(); ++db) {
    if (keys[db] != 0 || db == 0) {
      out.Add({absl::StrCat(db)}, Number(keys[db]));
    }
  }
}

}  // namespace

std::vector<Metric> KeyspaceRows() {
  return {
      Gauge("muster_keyspace_role",
            "1 for the part that the node has in the keyspace: `leading`, "
            "`following`, `gathering` (about to lead) or `waiting` for a "
            "leader.",
            "No node `leading` for longer than 5 s: nobody can write.")
          .Labels({"role"})
          .ByLoop(ReadRole),
      Gauge("muster_keyspace_term",
            "The reign that the node leads or follows in.",
            "It grows again and again: links between nodes break.")
          .ByLoop([](const Loop& l, Samples& out) {
            out.Add(Number(l.keyspace.position.term.number));
          }),
      Gauge("muster_keyspace_position",
            "The last write of its leader that the node has applied.",
            "Below the leader's by more and more: the node is behind.")
          .ByLoop([](const Loop& l, Samples& out) {
            out.Add(Number(l.keyspace.position.seq.value));
          }),
      Gauge("muster_keyspace_exchanging",
            "1 while the node fetches state that it lacks.",
            "1 for minutes: a link is too slow for what is written.")
          .ByLoop([](const Loop& l, Samples& out) {
            out.Add(l.keyspace.exchanging ? 1 : 0);
          }),
      Gauge("muster_keyspace_alone",
            "1 while the node leads and no other node has its writes.",
            "1 while there are other nodes: what is written now is lost with "
            "this node.")
          .ByLoop([](const Loop& l, Samples& out) {
            out.Add(l.keyspace.alone ? 1 : 0);
          }),
      Gauge("muster_keyspace_followers",
            "Of a leader, the other nodes: `following`; `exchanging`, fetching "
            "state; `asked` to follow; `out`, which did not answer.",
            "`out` or `exchanging` above 0 for minutes.")
          .Labels({"state"})
          .ByLoop(ReadFollowers),
  };
}

std::vector<Metric> KeyLoadRows() {
  return {
      Gauge("muster_keyspace_keys",
            "Keys in each database that has any, and in 0.", kContext)
          .Labels({"db"})
          .ByLoop(ReadKeys),
      Gauge("muster_keyspace_bytes", "Memory of the keys.",
            "Near `--kv-max-memory`: writes are about to be refused.")
          .ByLoop([](const Loop& l, Samples& out) {
            out.Add(Number(l.keyspace.bytes));
          }),
      Gauge("muster_keyspace_calls_waiting",
            "Calls of this node's clients that wait for their answer: "
            "`blocked`, for an element; `other`.",
            "`other` in the thousands for a minute: there is no leader, or "
            "followers do not acknowledge.")
          .Labels({"kind"})
          .ByLoop([](const Loop& l, Samples& out) {
            out.Add({"blocked"}, Number(l.keyspace.blocked));
            out.Add({"other"}, Number(l.keyspace.calls_waiting -
                                      std::min(l.keyspace.blocked,
                                               l.keyspace.calls_waiting)));
          }),
      Gauge("muster_keyspace_unsettled",
            "Keys written on both sides of a cut that the leader has yet to "
            "settle.",
            "Above 0 for minutes on a leader: please report it.")
          .ByLoop([](const Loop& l, Samples& out) {
            out.Add(Number(l.keyspace.unsettled));
          }),
      Counter("muster_keyspace_settled_keys_total",
              "Such keys that this node has settled.", kContext)
          .ByLoop([](const Loop& l, Samples& out) {
            out.Add(Number(l.keyspace.settled_keys));
          }),
      Counter("muster_keyspace_joins_total",
              "Joins of this node's state with another one.",
              "A steady rate: nodes lose each other again and again.")
          .From("kv_joins"),
      Counter("muster_keyspace_joined_buckets_total",
              "Buckets of keys taken in by these joins.", kContext)
          .From("kv_joined_buckets"),
      Counter("muster_keyspace_terms_led_total", "Terms that this node led.",
              kContext)
          .From("kv_terms_led"),
      Counter("muster_keyspace_terms_followed_total",
              "Terms that this node followed.", kContext)
          .From("kv_terms_followed"),
  };
}

std::vector<Metric> KeyCallRows() {
  return {
      Counter("muster_keyspace_calls_total",
              "Calls on keys by clients of this node.", kContext)
          .From("kv_calls"),
      Counter("muster_keyspace_commands_total", "Commands in these calls.",
              kContext)
          .From("kv_commands"),
      Counter("muster_keyspace_calls_answered_total",
              "Calls that the core has answered, or refused.", kContext)
          .From("kv_calls_answered"),
      Counter("muster_keyspace_calls_ended_total",
              "Calls that were not executed as asked: `refused`, there was no "
              "leader in time, or the node did not serve; `unknown`, the "
              "leader was lost before its answer; `withdrawn`, the client had "
              "gone.",
              "`refused` or `unknown` grows for longer than a node takes to "
              "replace a leader.")
          .Labels({"why"})
          .From("kv_calls_refused", "refused")
          .From("kv_calls_unknown", "unknown")
          .From("kv_calls_withdrawn", "withdrawn"),
  };
}

}  // namespace muster::metrics
