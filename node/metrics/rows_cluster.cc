// Membership, links, replication, watches.
#include <algorithm>
#include <map>
#include <string>

#include "node/metrics/metric_rows.h"

namespace muster::metrics {
namespace {

using Loop = Runtime::LoopMeasures;

// Node and kind.
using StreamName = std::pair<std::string, std::string>;

// The streams of the last life of each node, by name: labels name a node and a
// kind, and no two lines may have the same labels.
std::map<StreamName, const core::StreamView*> LastLives(const Loop& loop) {
  std::map<StreamName, const core::StreamView*> last;
  for (const core::StreamView& stream : loop.core.status.streams) {
    const core::StreamView*& known =
        last[{stream.origin.node, std::string(core::NameOf(stream.kind))}];
    if (known == nullptr ||
        known->origin.incarnation < stream.origin.incarnation) {
      known = &stream;
    }
  }
  return last;
}

// Likewise: two lives of a name may have links for a moment. The larger value.
void AddByPeer(const std::map<std::string, double>& values, Samples& out) {
  for (const auto& [peer, value] : values) out.Add({peer}, value);
}

void ReadRoundTrips(const Loop& loop, Samples& out) {
  std::map<std::string, double> longest;
  for (const core::LinkMeasure& link : loop.core.links) {
    if (link.round_trip == absl::ZeroDuration()) continue;
    double& known = longest[link.peer];
    known = std::max(known, absl::ToDoubleSeconds(link.round_trip));
  }
  AddByPeer(longest, out);
}

void ReadUnacked(const Loop& loop, Samples& out) {
  std::map<std::string, double> most;
  for (const core::LinkMeasure& link : loop.core.links) {
    double& known = most[link.peer];
    known = std::max(known, Number(link.unacked_bytes));
  }
  AddByPeer(most, out);
}

void ReadPositions(const Loop& loop, Samples& out) {
  for (const auto& [name, stream] : LastLives(loop)) {
    out.Add({name.first, name.second}, Number(stream->seq.value));
  }
}

void ReadStreamEntries(const Loop& loop, Samples& out) {
  for (const auto& [name, stream] : LastLives(loop)) {
    out.Add({name.first, name.second}, Number(stream->entries));
  }
}

void ReadAges(const Loop& loop, Samples& out) {
  for (const auto& [name, stream] : LastLives(loop)) {
    out.Add({name.first, name.second}, absl::ToDoubleSeconds(stream->age));
  }
}

void ReadStreams(const Loop& loop, Samples& out) {
  uint64_t hidden = 0;
  uint64_t rebasing = 0;
  uint64_t shown = 0;
  for (const core::StreamView& stream : loop.core.status.streams) {
    if (stream.rebasing) {
      ++rebasing;
    } else if (stream.hidden) {
      ++hidden;
    } else {
      ++shown;
    }
  }
  out.Add({"shown"}, Number(shown));
  out.Add({"hidden"}, Number(hidden));
  out.Add({"rebasing"}, Number(rebasing));
}

}  // namespace

std::vector<Metric> MembershipRows() {
  return {
      Distribution("muster_death_notice_seconds",
                   "From the last beat of a node to its being taken for down "
                   "here, less the time that this node itself stood still.",
                   "Above 2.5 s: beats do not travel by UDP, or this node is "
                   "overloaded.")
          .ByLoop(
              [](const Loop& l, Samples& out) { out.Add(l.core.death_times); }),
      Counter("muster_downs_total", "Times that a node was taken for down.",
              "Without a node having stopped: the network, or a machine that "
              "stalls.")
          .From("downs"),
      Counter("muster_downs_by_refusal_total",
              "Downs whose proof was that the node's address refuses.",
              kContext)
          .From("downs_by_refusal"),
      Counter("muster_returns_total",
              "Times that a node which was down was heard again.",
              "Often: nodes flap; the network, or machines that stall.")
          .From("returns"),
      Counter("muster_suspicions_total",
              "Times that a node was silent for so long that the others were "
              "asked about it.",
              "A steady rate: beats are lost.")
          .From("suspicions"),
      Counter("muster_suspicions_averted_total",
              "Suspicions that a later beat ended.", kContext)
          .From("suspicions_averted"),
      Counter("muster_stalls_total",
              "Times that this node did not run for over 200 ms.",
              "Any, often: the machine is overloaded or was suspended.")
          .From("stalls"),
  };
}

std::vector<Metric> BeatRows() {
  return {
      Counter("muster_beats_sent_total", "Beats handed to the network layer.",
              kContext)
          .From("datagrams_sent"),
      Counter("muster_beats_heard_total", "Beats that came as datagrams.",
              "None while peers are alive: UDP is blocked.")
          .From("datagrams_received"),
      Counter("muster_beats_of_unknown_total",
              "Beats of nodes that are no members here.",
              "A steady rate: a node beats here that was refused.")
          .From("datagrams_unknown"),
      Counter("muster_asks_sent_total",
              "Questions to peers about a node that is silent.", kContext)
          .From("asks_sent"),
      Counter("muster_asks_answered_total",
              "Answers to such questions of peers.", kContext)
          .From("asks_answered"),
      Counter(
          "muster_pings_sent_total",
          "Pings to members when the grace of a session is over, to know of "
          "every resume that they have accepted.",
          kContext)
          .From("pings_sent"),
      Counter("muster_probes_wanted_total",
              "Probes that the core asked for: `connect`, does an address "
              "refuse; `hello`, which life of a node is there.",
              kContext)
          .Labels({"kind"})
          .From("connect_probes", "connect")
          .From("hello_probes", "hello"),
      Counter("muster_probes_made_total", "Probes that were begun.", kContext)
          .Labels({"kind"})
          .From("peer_probes", "connect")
          .From("peer_hello_probes", "hello"),
      Counter("muster_members_ended_total",
              "Lives of nodes that a later life of the same name replaced.",
              kContext)
          .From("members_ended"),
      Counter("muster_members_forgotten_total",
              "Nodes forgotten, after `--forget-ms` of silence or by `muster "
              "forget`.",
              kContext)
          .From("members_forgotten"),
      Counter("muster_member_contradictions_total",
              "Peers that told of a life under two names or incarnations.",
              "Any: a fault of a node, please report it.")
          .From("member_contradictions"),
  };
}

std::vector<Metric> LinkRows() {
  return {
      Gauge("muster_links", "Peers that this node has a link to.",
            "Below muster_members{state=\"alive\"} less one for minutes: a "
            "connection between two nodes is blocked.")
          .ByLoop([](const Loop& l, Samples& out) {
            out.Add(Number(l.core.status.links));
          }),
      Gauge("muster_link_round_trip_seconds",
            "How long a peer took to acknowledge what it was sent, the longest "
            "of late; absent until then.",
            "Above 1 s for minutes: the link is too slow, or the peer is "
            "overloaded.")
          .Labels({"peer"})
          .ByLoop(ReadRoundTrips),
      Gauge("muster_link_unacked_bytes",
            "Changes sent to a peer that it has not acknowledged.",
            "At `--window-bytes` for a minute: the peer, or the link to it, "
            "is too slow.")
          .Labels({"peer"})
          .ByLoop(ReadUnacked),
      Counter("muster_links_up_total", "Peer links that came up.",
              "A steady rate: links break again and again; see the log.")
          .From("peer_links_up"),
      Counter("muster_links_down_total", "Peer links that ended.", "The same.")
          .From("peer_links_down"),
      Counter("muster_links_stalled_total",
              "Links closed since beats arrived and nothing else did.",
              "Often: a connection dies without a word, as behind some "
              "firewalls.")
          .From("links_stalled"),
      Counter("muster_links_replaced_total",
              "Links closed in favour of another one to the same peer.",
              kContext)
          .From("links_replaced"),
      Counter("muster_links_to_self_total",
              "Connections of the node to itself, through its own address in "
              "`--join`.",
              kContext)
          .From("links_to_self"),
  };
}

std::vector<Metric> TrafficRows() {
  return {
      Counter("muster_peer_dials_total", "Connections tried to peers.",
              "A steady rate: a peer cannot be reached.")
          .From("peer_dials"),
      Counter("muster_peer_sent_bytes_total", "Bytes sent to peers.", kContext)
          .From("peer_bytes_sent"),
      Counter("muster_peer_received_bytes_total", "Bytes received from peers.",
              kContext)
          .From("peer_bytes_received"),
      Counter("muster_peer_frames_sent_total", "Frames sent to peers.",
              kContext)
          .From("peer_frames_sent"),
      Counter("muster_peer_frames_received_total",
              "Frames received from peers.", kContext)
          .From("peer_frames_received"),
      Counter("muster_peer_datagrams_sent_total",
              "Datagrams written to the socket.", kContext)
          .From("peer_beats_sent"),
      Counter("muster_peer_datagrams_received_total",
              "Datagrams read from it that are beats of the cluster.", kContext)
          .From("peer_beats_received"),
      Counter("muster_peer_datagram_errors_total",
              "Datagrams that the system would not send.",
              "A steady rate: no route to a peer, or a firewall on this "
              "machine.")
          .From("peer_beat_send_errors"),
      Counter("muster_peer_malformed_total",
              "What a peer sent that could not be read, by kind.",
              "Any: another program sends to this port, or a fault of a node.")
          .Labels({"kind"})
          .From("peer_bad_frames", "frame")
          .From("bad_peer_frames", "content")
          .From("peer_bad_datagrams", "datagram"),
      Counter("muster_peer_queue_overflows_total",
              "Links closed since 8 MiB waited to be written to them.",
              "Any, often: a peer does not read.")
          .From("peer_queue_overflows"),
  };
}

std::vector<Metric> ReplicationRows() {
  return {
      Gauge("muster_stream_position",
            "The last change of a node's stream that this node has applied; "
            "`origin` names the node.",
            "Below that of other nodes by more and more: this node is behind.")
          .Labels({"origin", "kind"})
          .ByLoop(ReadPositions),
      Gauge("muster_stream_entries",
            "Live entries of a node's stream here, shown or not.", kContext)
          .Labels({"origin", "kind"})
          .ByLoop(ReadStreamEntries),
      Gauge("muster_stream_age_seconds",
            "Time since the node of a stream was last heard, by whatever way.",
            "Above 1 s while the node is alive.")
          .Labels({"origin", "kind"})
          .ByLoop(ReadAges),
      Gauge("muster_streams",
            "Streams by state: `shown`; `hidden`, as their node is down or "
            "has left; `rebasing`, in a full transfer.",
            "`rebasing` for minutes: a link is too slow for what changes.")
          .Labels({"state"})
          .ByLoop(ReadStreams),
      Counter("muster_deltas_sent_total", "Runs of changes sent to peers.",
              kContext)
          .From("deltas_out"),
      Counter("muster_deltas_received_total",
              "Runs of changes that came from peers.", kContext)
          .From("deltas_in"),
      Counter("muster_mutations_received_total",
              "Single changes that came from peers.", kContext)
          .From("mutations_in"),
      Counter("muster_duplicate_deltas_total",
              "Runs of which every change was here already.",
              "A high share of muster_deltas_received_total: sources flap.")
          .From("duplicate_deltas"),
      Counter("muster_delta_gaps_total",
              "Runs that did not follow what was here; they are asked for "
              "again.",
              "A steady rate: please report it.")
          .From("delta_gaps"),
      Counter("muster_bulk_sent_bytes_total",
              "Bytes of deltas and full transfers sent.", kContext)
          .From("bulk_bytes_out"),
      Counter("muster_bulk_received_bytes_total",
              "Bytes of deltas and full transfers received.", kContext)
          .From("bulk_bytes_in"),
  };
}

std::vector<Metric> TransferRows() {
  return {
      Counter("muster_pulls_total", "Streams asked for at peers.", kContext)
          .From("pulls"),
      Counter("muster_source_changes_total",
              "Times that another peer was asked, as the one before brought "
              "nothing forth.",
              "A steady rate: slow links, or overloaded peers.")
          .From("source_changes"),
      Counter("muster_rebases_received_total",
              "Full transfers of a stream received.",
              "Without restarts: peers fall behind the log; raise "
              "`--log-bytes`.")
          .From("rebases_in"),
      Counter("muster_rebases_sent_total", "Full transfers of a stream sent.",
              "The same.")
          .From("rebases_out"),
      Counter("muster_rebase_restarts_total",
              "Full transfers that began again.",
              "A steady rate: links break before they are done.")
          .From("rebase_restarts"),
      Counter("muster_checkpoints_total",
              "Digests of streams compared with a peer's.", kContext)
          .From("checkpoints"),
      Counter("muster_digest_mismatches_total",
              "Digests that differed from a peer's. The stream is repaired "
              "by itself.",
              "Any: a bug, please report it with the logs of both nodes.")
          .From("digest_mismatches"),
  };
}

std::vector<Metric> EndingRows() {
  return {
      Counter("muster_entries_evicted_total",
              "Entries of this node that an administrator had removed.",
              kContext)
          .From("entries_evicted"),
      Counter("muster_ended_records_dropped_total",
              "Records of ended sessions that went before their time.",
              "It grows: raise `--max-ended-sessions`.")
          .From("ended_records_dropped"),
  };
}

std::vector<Metric> WatchRows() {
  return {
      Counter("muster_watch_states_total",
              "Watches that were begun with a state, fresh starts included.",
              "A high rate: clients connect anew without a version.")
          .From("watch_states"),
      Counter("muster_watch_resumes_total",
              "Watches that were told only what they had missed.", kContext)
          .From("watch_resumes"),
      Counter("muster_watch_lagged_total",
              "Times that a watcher could not keep up and was given a fresh "
              "state.",
              "A steady rate: a client reads too slowly, or `--watch-queue` is "
              "too small.")
          .From("watch_lagged"),
      Counter("muster_watch_messages_total",
              "Messages to watchers: a batch to each of them.", kContext)
          .From("watch_messages"),
  };
}

std::vector<Metric> PubSubRows() {
  return {
      Counter("muster_messages_published_total",
              "Messages that clients of this node published.", kContext)
          .From("messages_published"),
      Counter("muster_messages_received_total",
              "Messages that came from other nodes.", kContext)
          .From("messages_received"),
      Counter("muster_messages_delivered_total",
              "Messages given to subscribers of this node.", kContext)
          .From("messages_delivered"),
      Counter("muster_messages_missed_total",
              "Messages of other nodes that were lost on their way here.",
              "It grows while nobody is cut off: a link, or this node, is too "
              "slow.")
          .From("messages_missed"),
      Counter("muster_messages_duplicate_total",
              "Messages that came late or twice, and were dropped.", kContext)
          .From("messages_duplicate"),
      Counter("muster_messages_dropped_total",
              "Messages dropped here since too many waited for a node.",
              "It grows: raise `--max-mail-bytes`, or publish less.")
          .From("messages_dropped"),
      Counter("muster_messages_out_of_order_total",
              "Messages delivered before the subscriptions that their "
              "publisher's node had made earlier.",
              "Any: an interest stream does not come.")
          .From("messages_out_of_order"),
      Counter("muster_publishes_refused_total",
              "Publishes refused since too much waits for subscribers here.",
              "Any: subscribers are too slow, or the node has too much to do.")
          .From("publishes_refused"),
      Counter("muster_message_sent_bytes_total",
              "Bytes of messages sent to other nodes.", kContext)
          .From("message_bytes_out"),
      Counter("muster_message_received_bytes_total",
              "Bytes of messages received from other nodes.", kContext)
          .From("message_bytes_in"),
      Counter("muster_routed_sent_total",
              "Frames of what is no stream, sent to other nodes.", kContext)
          .From("routed_sent"),
      Counter("muster_routed_received_total", "The same, received.", kContext)
          .From("routed_received"),
      Counter("muster_routed_relayed_total",
              "The same, passed on between two other nodes.",
              "It grows: two nodes have no link to each other.")
          .From("routed_relayed"),
      Counter("muster_routed_lost_total",
              "The same, dropped since there was no way to its node.",
              "It grows for long: nodes are cut off.")
          .From("routed_lost"),
  };
}

}  // namespace muster::metrics
