// The node as a whole, what it holds, its loop, its memory.
#include <algorithm>
#include <array>
#include <string>

#include "node/metrics/metric_rows.h"

namespace muster::metrics {
namespace {

using Loop = Runtime::LoopMeasures;

constexpr std::array<const char*, 4> kStates = {"alive", "suspect", "down",
                                                "left"};

const char* StateName(core::MemberState state) {
  switch (state) {
    case core::MemberState::kAlive:
      return kStates[0];
    case core::MemberState::kSuspect:
      return kStates[1];
    case core::MemberState::kDown:
      return kStates[2];
    case core::MemberState::kLeft:
      break;
  }
  return kStates[3];
}

void ReadMembers(const Loop& loop, Samples& out) {
  for (const char* state : kStates) {
    const auto count =
        std::count_if(loop.core.members.begin(), loop.core.members.end(),
                      [state](const core::MemberView& member) {
                        return StateName(member.state) == std::string(state);
                      });
    out.Add({state}, static_cast<double>(count));
  }
}

void ReadOwn(const Loop& loop, Samples& out) {
  for (const core::MemberView& member : loop.core.members) {
    if (member.self) out.Add(Number(member.entries));
  }
}

void ReadMemory(const Loop& loop, Samples& out) {
  const crdt::PresenceStore::Memory& store = loop.core.store;
  out.Add({"entries"}, Number(store.rows));
  out.Add({"sessions"}, Number(store.sessions));
  out.Add({"topics"}, Number(store.topics));
  out.Add({"keys_and_metas"}, Number(store.blobs));
  out.Add({"indexes"}, Number(store.indexes));
}

void ReadQueues(const Snapshot& snapshot, Samples& out) {
  out.Add({"peer_frames"}, Number(snapshot.runtime.queued_frames));
  out.Add({"reads"}, Number(snapshot.runtime.queued_reads));
  out.Add({"requests"}, Number(snapshot.runtime.queued_tasks));
  out.Add({"answers"}, Number(snapshot.services.answers));
  out.Add({"watch_batches"}, Number(snapshot.services.watch_batches));
  if (snapshot.loop == nullptr) return;
  const core::Measures& core = snapshot.loop->core;
  out.Add({"watch_changes"}, Number(core.watch_changes));
  out.Add({"visibility_jobs"}, Number(core.visibility_jobs));
  out.Add({"session_ends"}, Number(core.session_ends));
  out.Add({"resumes"}, Number(core.resumes));
}

}  // namespace

std::vector<Metric> NodeRows() {
  return {
      Gauge("muster_build_info",
            "Always 1; the labels say which version runs, under which name.",
            "Several versions for longer than an update takes.")
          .Labels({"version", "node", "cluster"})
          .By([](const Snapshot& s, Samples& out) {
            out.Add({s.version, s.node, s.cluster}, 1);
          }),
      Gauge("muster_uptime_seconds", "Time since the node started.",
            "Falls without a deployment: the node was restarted; see its log.")
          .By([](const Snapshot& s, Samples& out) {
            out.Add(s.runtime.uptime);
          }),
      Gauge("muster_ready",
            "1 while the node serves clients; 0 while it catches up or drains.",
            "0 for minutes: it cannot catch up, or has found no peer; see the "
            "notes of `muster status`.")
          .ByLoop([](const Loop& l, Samples& out) {
            out.Add(l.core.status.ready ? 1 : 0);
          }),
      Gauge("muster_draining", "1 once the node drains.",
            "1 without anybody having asked for it.")
          .ByLoop([](const Loop& l, Samples& out) {
            out.Add(l.core.status.draining ? 1 : 0);
          }),
      Gauge("muster_notes",
            "Notes of `muster status`: what an operator should know, such as "
            "serving alone, or no beats by UDP.",
            "Above 0 for minutes: read them with `muster status`.")
          .ByLoop([](const Loop& l, Samples& out) {
            out.Add(Number(l.core.status.notes.size()));
          }),
      Gauge("muster_scrape_fresh",
            "1 if the event loop answered this scrape within a second. If 0, "
            "what the loop measures is of an earlier scrape.",
            "0 twice in a row: the loop hangs, so the node serves nobody. "
            "Take its stacks, then restart it.")
          .By([](const Snapshot& s, Samples& out) {
            out.Add(s.fresh ? 1 : 0);
          }),
      Gauge("muster_scrape_age_seconds",
            "How old what the loop measures is: 0 if it is of this scrape.",
            "As muster_scrape_fresh.")
          .By([](const Snapshot& s, Samples& out) {
            if (s.loop != nullptr) out.Add(s.age);
          }),
  };
}

std::vector<Metric> LoadRows() {
  return {
      Gauge("muster_entries",
            "Entries that this node shows, of the whole cluster.",
            "Differs between nodes for longer than a minute: one of them is "
            "behind or cut off.")
          .ByLoop([](const Loop& l, Samples& out) {
            out.Add(Number(l.core.status.entries));
          }),
      Gauge("muster_own_entries", "Entries of the sessions at this node.",
            "Falls at once to nothing: its clients have lost it.")
          .ByLoop(ReadOwn),
      Gauge("muster_keys", "Keys shown, counted once a topic.", kContext)
          .ByLoop([](const Loop& l, Samples& out) {
            out.Add(Number(l.core.status.keys));
          }),
      Gauge("muster_topics", "Topics known: with an entry, or watched by name.",
            kContext)
          .ByLoop([](const Loop& l, Samples& out) {
            out.Add(Number(l.core.status.topics));
          }),
      Gauge("muster_sessions", "Sessions at this node, connected or in grace.",
            "Near `--max-sessions`: add a node, or raise the limit.")
          .ByLoop([](const Loop& l, Samples& out) {
            out.Add(Number(l.core.status.sessions));
          }),
      Gauge("muster_watchers", "Watches that this node serves.",
            "Near `--max-watchers`: add a node, or raise the limit.")
          .ByLoop([](const Loop& l, Samples& out) {
            out.Add(Number(l.core.status.watchers));
          }),
      Counter("muster_changes_total",
              "Changes of what this node shows: joins, updates, leaves.",
              "Many times its usual rate: a client flaps.")
          .From("changes"),
      Gauge("muster_members",
            "Nodes of the cluster by state as this node sees them, itself "
            "among them.",
            "`suspect` or `down` above 0 for longer than a restart takes.")
          .Labels({"state"})
          .ByLoop(ReadMembers),
  };
}

std::vector<Metric> LoopRows() {
  return {
      Distribution("muster_loop_step_seconds",
                   "How long single steps held the event loop. A step should "
                   "take less than 1 ms.",
                   "Steps above 10 ms: the node has too few cores, or a step "
                   "does too much; please report the latter.")
          .ByLoop([](const Loop& l, Samples& out) { out.Add(l.steps); }),
      Distribution("muster_loop_lag_seconds",
                   "How late the loop came to its timer, which is due every "
                   "10 ms: what any input waits at least.",
                   "1 % above 50 ms for minutes: the node has too much to do, "
                   "or its machine is overloaded.")
          .ByLoop([](const Loop& l, Samples& out) { out.Add(l.lag); }),
      Gauge("muster_loop_step_max_seconds",
            "The longest step of the last ten seconds.",
            "As muster_loop_step_seconds.")
          .By([](const Snapshot& s, Samples& out) {
            out.Add(s.runtime.loop_lag);
          }),
      Gauge("muster_queue_depth",
            "What waits, by queue. For the loop: `peer_frames`, `reads`, "
            "`requests`. To be encoded: `answers`, `watch_batches`. In "
            "slices: `watch_changes` to be told, `visibility_jobs` that show "
            "or hide a session or a stream, `session_ends`, `resumes`.",
            "`requests` or `watch_changes` above 10,000 for a minute: clients "
            "ask for more than the node can do.")
          .Labels({"queue"})
          .By(ReadQueues),
  };
}

std::vector<Metric> MemoryRows() {
  return {
      Gauge("muster_store_bytes",
            "Memory of the presence store, all of its parts together.",
            "Grows while muster_entries does not.")
          .From("store_bytes"),
      Gauge("muster_store_part_bytes",
            "Memory of the presence store by part; `indexes` is estimated "
            "in part.",
            kContext)
          .Labels({"part"})
          .ByLoop(ReadMemory),
      Gauge("muster_log_bytes",
            "Recent changes kept for peers that fall behind.", kContext)
          .From("log_bytes"),
      Gauge("muster_log_budget_bytes",
            "The most that these recent changes may take: `--log-bytes`.",
            "Full transfers are frequent while the log is at its budget: "
            "raise `--log-bytes`.")
          .ByLoop([](const Loop& l, Samples& out) {
            out.Add(Number(l.core.log_budget_bytes));
          }),
      Gauge("muster_watch_bytes",
            "Memory of watches and of the changes kept for those that resume.",
            kContext)
          .From("watch_bytes"),
      Gauge("process_resident_memory_bytes", "Memory that the process uses.",
            "Above 80 % of what the machine or container has.")
          .By([](const Snapshot& s, Samples& out) {
            out.Add(Number(s.process.resident_bytes));
          }),
      Gauge("process_virtual_memory_bytes",
            "Memory that the process has mapped.", kContext)
          .By([](const Snapshot& s, Samples& out) {
            out.Add(Number(s.process.virtual_bytes));
          }),
      Counter("process_cpu_seconds_total",
              "Processor time that the process has used.",
              "Its rate is near the number of cores: add a node.")
          .By([](const Snapshot& s, Samples& out) {
            out.Add(s.process.cpu_seconds);
          }),
      Gauge("process_open_fds", "Open files: a connection is one.",
            "Above 80 % of process_max_fds.")
          .By([](const Snapshot& s, Samples& out) {
            out.Add(Number(s.process.open_files));
          }),
      Gauge("process_max_fds",
            "The most files that the process may open: `ulimit -n`.",
            "Below `--max-connections`: the node warns at its start.")
          .By([](const Snapshot& s, Samples& out) {
            out.Add(Number(s.process.max_files));
          }),
      Gauge("process_threads", "Threads of the process.", kContext)
          .By([](const Snapshot& s, Samples& out) {
            out.Add(Number(s.process.threads));
          }),
  };
}

std::vector<Metric> ConnectionRows() {
  return {
      Counter("muster_connections_accepted_total",
              "TCP connections that were given a place of clients; a peer's "
              "moves to a place of its own once it has proved itself.",
              "A high rate: clients connect anew for every call.")
          .From("connections_accepted"),
      Gauge("muster_connections_open",
            "Open TCP connections: `client`; `guest`, past "
            "`--max-connections`, for two seconds; `peer`.",
            "`client` near `--max-connections`: add a node or raise the limit.")
          .Labels({"kind"})
          .From("connections_open_clients", "client")
          .From("connections_open_guests", "guest")
          .From("connections_open_peers", "peer"),
      Counter("muster_connection_guests_total",
              "Connections past `--max-connections` that were let in for two "
              "seconds, to be told so.",
              "It grows: more clients than `--max-connections`.")
          .From("connections_guests"),
      Counter("muster_connection_guests_closed_total",
              "Guests that were closed when their two seconds were over.",
              kContext)
          .From("connections_guests_closed"),
      Counter("muster_connection_peers_total",
              "Connections that proved to be of peers, and have a place of "
              "their own.",
              kContext)
          .From("connections_peers"),
      Counter("muster_connections_turned_away_total",
              "Connections closed at once, by reason: `full` no place for "
              "guests; `told` a guest from that host was told before.",
              "It grows: clients do not move to another node.")
          .Labels({"reason"})
          .From("connections_refused_full", "full")
          .From("connections_refused_told", "told"),
  };
}

std::vector<Metric> RefusalRows() {
  return {
      Counter(
          "muster_refusals_total",
          "What was refused, by reason: `connection_limit` a connection that "
          "was closed at once, as no place was free; `peer_link` a peer of "
          "another cluster, with a wrong secret or an incompatible version; "
          "`member_limit` a node past `--max-members`; `guest_call` a call of "
          "a guest, past `--max-connections`; `admin_call` an administrative "
          "call without the right token; "
          "`unproved_datagram` a beat without proof of the secret; "
          "`foreign_datagram` a beat of another cluster.",
          "`connection_limit`, `guest_call`: add a node or raise the limit. "
          "Others: see the log for who is refused and why.")
          .Labels({"reason"})
          .From("connections_refused", "connection_limit")
          .From("peer_links_refused", "peer_link")
          .From("members_refused", "member_limit")
          .From("connections_guests_refused_calls", "guest_call")
          .From("admin_calls_refused", "admin_call")
          .From("peer_unproved_datagrams", "unproved_datagram")
          .From("peer_foreign_datagrams", "foreign_datagram"),
      Counter("muster_links_refused_total",
              "Peer links refused, by reason: `cluster` another cluster's; "
              "`secret` no proof of the secret, or a wrong one; `protocol` an "
              "incompatible version; `insecure` a peer that is not on loopback "
              "while nothing is proved; `limit`, `malformed`, `closing`; "
              "`by_peer` refused by the other side.",
              "See the log for who is refused and what to set.")
          .Labels({"reason"})
          .From("peer_links_refused_by_peer", "by_peer")
          .From("peer_links_refused_closing", "closing")
          .From("peer_links_refused_cluster", "cluster")
          .From("peer_links_refused_insecure", "insecure")
          .From("peer_links_refused_limit", "limit")
          .From("peer_links_refused_malformed", "malformed")
          .From("peer_links_refused_protocol", "protocol")
          .From("peer_links_refused_secret", "secret"),
      Counter("muster_calls_failed_total",
              "Calls of clients that ended with an error, by its code.",
              "`resource_exhausted` or `unavailable` for minutes: a limit is "
              "reached, or clients do not move away from a node that is not "
              "ready.")
          .Labels({"code"})
          .From("calls_failed_aborted", "aborted")
          .From("calls_failed_already_exists", "already_exists")
          .From("calls_failed_failed_precondition", "failed_precondition")
          .From("calls_failed_invalid_argument", "invalid_argument")
          .From("calls_failed_not_found", "not_found")
          .From("calls_failed_permission_denied", "permission_denied")
          .From("calls_failed_resource_exhausted", "resource_exhausted")
          .From("calls_failed_unauthenticated", "unauthenticated")
          .From("calls_failed_unavailable", "unavailable")
          .From("calls_failed_other", "other"),
  };
}

}  // namespace muster::metrics
