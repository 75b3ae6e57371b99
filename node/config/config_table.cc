#include "node/config/config_table.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "muster/client/address.h"
#include "node/config/option_makers.h"

namespace muster {
namespace {

// -------------------------------------------------------------- rules of text

constexpr size_t kMaxNameBytes = 64;

bool IsName(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
         });
}

std::string DialFault(absl::string_view text) {
  return client::AddressFault(text);
}
// An empty host is every address of this machine.
std::string ListenFault(absl::string_view text) {
  return absl::StartsWith(text, ":") && text.rfind(':') == 0
             ? client::AddressFault(absl::StrCat("any", text), 0)
             : client::AddressFault(text, 0);
}
std::string AdvertiseFault(absl::string_view text) {
  if (client::HostFault(text).empty()) return "";
  return client::AddressFault(text, 0);
}
bool IsDialable(absl::string_view text) { return DialFault(text).empty(); }
bool IsListenable(absl::string_view text) { return ListenFault(text).empty(); }
bool IsAdvertised(absl::string_view text) {
  return text.empty() || AdvertiseFault(text).empty();
}
bool IsSecret(absl::string_view text) {
  return !text.empty() && text.size() <= 1024;
}
bool IsToken(absl::string_view text) {
  return absl::StartsWith(text, "@") ? IsSecret(text) : IsBearerToken(text);
}
bool IsLevel(absl::string_view text) {
  for (absl::string_view level : {"debug", "info", "warning", "error"}) {
    if (text == level) return true;
  }
  return false;
}

TextRule NameRule() {
  return {absl::StrCat("1 to ", kMaxNameBytes,
                       " letters, digits, \".\", \"_\" or \"-\""),
          IsName};
}

// ------------------------------------------------------------------ the table

ConfigOption WithDefaultText(ConfigOption option, std::string text) {
  option.default_text = std::move(text);
  return option;
}

ConfigOption Secret(ConfigOption option, const char* variable) {
  option.secret = true;
  option.variable = variable;
  option.meaning +=
      absl::StrCat(" Also in the environment as `", variable, "`.");
  return option;
}

Options NodeOptions() {
  return {
      WithDefaultText(
          Text("node", NameRule(),
               "Name of this node, unlike any other's of its cluster.",
               MUSTER_FIELD(runtime.core.node)),
          "name of the host"),
      Text("cluster", NameRule(),
           "Name of the cluster. Nodes of another one are refused.",
           MUSTER_FIELD(runtime.core.cluster)),
      Text("listen",
           {"HOST:PORT, the port 0 to 65535", IsListenable, ListenFault},
           "Where clients and peers are served (TCP), and beats are heard "
           "(UDP, the same number). Port 0 takes a free one; without a host, "
           "as in :7400, it is every address of the machine.",
           MUSTER_FIELD(runtime.listen)),
      WithDefaultText(
          Text("advertise", {"HOST or HOST:PORT", IsAdvertised, AdvertiseFault},
               "What peers and clients are to dial, where it is not what this "
               "node listens on (a container, a translated address).",
               MUSTER_FIELD(runtime.advertise)),
          "where it listens"),
      List("join", {"HOST:PORT, the port 1 to 65535", IsDialable, DialFault},
           "Some nodes of the cluster, or a DNS name that stands for many. "
           "All others are learnt from them. Its own address may be among "
           "them.",
           MUSTER_FIELD(runtime.core.join)),
      Switch("join-optional",
             "Serve alone where every `--join` address that answers refuses "
             "this node (another secret or cluster, no common version). "
             "Without it such a node exits with code 1.",
             MUSTER_FIELD(runtime.core.join_optional)),
      Text("log-level", {"debug, info, warning or error", IsLevel},
           "The least grave of what is logged, on standard error.",
           MUSTER_FIELD(log_level)),
      WithDefaultText(Text("metrics-listen",
                           {"HOST:PORT, the port 0 to 65535", IsListenable},
                           "Where Prometheus scrapes metrics, at /metrics over "
                           "HTTP: an IPv4 "
                           "loopback address. Port 0 takes a free one.",
                           MUSTER_FIELD(metrics.listen)),
                      "off"),
      Switch("metrics-insecure",
             "Metrics may be served at any address, to whoever reaches it.",
             MUSTER_FIELD(metrics.insecure)),
      Millis("drain-timeout-ms", 0, 600'000,
             "A drain that has not ended by then is cut short.",
             MUSTER_FIELD(runtime.drain_timeout)),
  };
}

Options SecurityOptions() {
  return {
      Secret(Text("cluster-secret", {"1 to 1024 bytes, or @FILE", IsSecret},
                  "What every node of the cluster must know; it is proved, "
                  "never sent.",
                  MUSTER_FIELD(runtime.cluster_secret)),
             kSecretVariable),
      Secret(
          Text("cluster-secret-also", {"1 to 1024 bytes, or @FILE", IsSecret},
               "A second secret that is valid, too, while nodes are changed "
               "over from one to the other, one by one.",
               MUSTER_FIELD(runtime.cluster_secret_also)),
          "MUSTER_CLUSTER_SECRET_ALSO"),
      Switch("insecure-peers",
             "Without a secret, peers are let in from loopback only; with "
             "this, from anywhere.",
             MUSTER_FIELD(runtime.insecure_peers)),
      Secret(Text("admin-token",
                  {"1 to 1024 printable characters of ASCII without a space, "
                   "or @FILE",
                   IsToken},
                  "The token that an administrative call (drain, evict, "
                  "forget) must show, wherever it comes from. Without one, "
                  "such calls are let in from loopback only.",
                  MUSTER_FIELD(admin_token)),
             kAdminTokenVariable),
  };
}

Options LimitOptions() {
  return {
      Size("max-connections", "connections", 1, 1'000'000,
           "TCP connections of clients; peers have places of their own. A "
           "further client is told that the node is full.",
           MUSTER_FIELD(runtime.max_connections)),
      Millis("handshake-timeout-ms", 100, 600'000,
             "A connection that has not opened HTTP/2 by then is closed.",
             MUSTER_FIELD(runtime.handshake_timeout)),
      Millis("client-keepalive-ms", 0, 86'400'000,
             "A connection that is silent for this long is asked for a sign of "
             "life (an HTTP/2 PING); 0: never.",
             MUSTER_FIELD(runtime.client_keepalive)),
      Millis("client-keepalive-timeout-ms", 100, 86'400'000,
             "A connection that leaves the ping unanswered for this long is "
             "closed; its entries leave after their grace.",
             MUSTER_FIELD(runtime.client_keepalive_timeout)),
      Size("max-message-bytes", "bytes", 65'536, 268'435'456,
           "The largest message that a client may send.",
           MUSTER_FIELD(limits.max_message_bytes)),
      Size("max-frame-bytes", "bytes", 1'048'576, 16'777'216,
           "The largest message that a peer may send.",
           MUSTER_FIELD(runtime.max_frame_bytes)),
      Size("max-members", "nodes", 1, 1024,
           "Members of the cluster, those that are down among them.",
           MUSTER_FIELD(runtime.core.max_members)),
      Size("max-sessions", "sessions", 1, 10'000'000,
           "Sessions that this node holds.",
           MUSTER_FIELD(runtime.core.sessions.max_sessions)),
      Size("max-ended-sessions", "sessions", 1, 10'000'000,
           "Records that this node keeps of its sessions that ended or moved; "
           "past it the oldest goes before its time.",
           MUSTER_FIELD(runtime.core.sessions.max_ended)),
      Size("max-entries-per-session", "entries", 1, 10'000'000,
           "Entries of one session.",
           MUSTER_FIELD(runtime.core.sessions.max_entries_per_session)),
      Size("max-watchers", "watches", 1, 1'000'000,
           "Watches that this node serves.",
           MUSTER_FIELD(runtime.core.watch.max_watchers)),
      Size("watch-history", "changes", 1024, 16'777'216,
           "Changes kept for watches that resume.",
           MUSTER_FIELD(runtime.core.watch.history)),
      Size("watch-queue", "messages", 2, 65'536,
           "Messages on their way to one watcher before it is given a fresh "
           "state instead.",
           MUSTER_FIELD(runtime.core.watch.max_queued)),
  };
}

Options PubSubOptions() {
  return {
      Size("max-channel-bytes", "bytes", 1, 65'536,
           "A channel, or a pattern of channels.",
           MUSTER_FIELD(limits.max_channel_bytes)),
      Size("max-payload-bytes", "bytes", 0, 524'288,
           "The payload of one message.",
           MUSTER_FIELD(limits.max_payload_bytes)),
      Size("max-publish-messages", "messages", 1, 1'000'000,
           "Messages of one publish.",
           MUSTER_FIELD(limits.max_publish_messages)),
      Size("max-subscribers", "streams", 1, 1'000'000,
           "Subscribe streams that this node serves.",
           MUSTER_FIELD(runtime.core.pubsub.max_subscribers)),
      Size("max-subscriptions", "names", 1, 10'000'000,
           "Channels and patterns of one of them.",
           MUSTER_FIELD(runtime.core.pubsub.max_names_per_subscriber)),
      Size("max-subscriber-bytes", "bytes", 65'536, 1'073'741'824,
           "What waits to be read by one subscriber; past it the subscriber "
           "is cut off.",
           MUSTER_FIELD(limits.max_subscriber_bytes)),
      Size("max-undelivered-bytes", "bytes", 1'048'576, 4'294'967'296,
           "Messages that wait for subscribers of this node; past it a "
           "publish is refused.",
           MUSTER_FIELD(runtime.core.pubsub.max_undelivered_bytes)),
      Size("max-mail-bytes", "bytes", 1'048'576, 4'294'967'296,
           "Messages that wait for one other node; past it they are dropped, "
           "and their subscribers told.",
           MUSTER_FIELD(runtime.core.pubsub.mail.max_bytes)),
      Size("interest-log-bytes", "bytes", 65'536, 4'294'967'296,
           "Recent changes of subscriptions kept for peers that fall behind.",
           MUSTER_FIELD(runtime.core.pubsub.log_bytes)),
  };
}

Options RequestOptions() {
  return {
      Size("max-name-bytes", "bytes", 1, 4096, "A topic, a key or a prefix.",
           MUSTER_FIELD(limits.max_name_bytes)),
      Size("max-meta-bytes", "bytes", 0, 524'288, "The meta of one entry.",
           MUSTER_FIELD(limits.max_meta_bytes)),
      Size("max-batch-ops", "operations", 1, 100'000,
           "Tracks, updates and untracks in one request, all its parts "
           "together; as many parts at most.",
           MUSTER_FIELD(limits.max_batch_ops)),
      Size("max-resume-entries", "entries", 1, 10'000'000,
           "Entries named by one resume.",
           MUSTER_FIELD(limits.max_resume_entries)),
      Size("max-heartbeat-sessions", "sessions", 1, 1'000'000,
           "Sessions in one heartbeat.",
           MUSTER_FIELD(limits.max_heartbeat_sessions)),
      Size("max-watch-names", "names", 1, 1'000'000,
           "Topics, or keys, of one watch.",
           MUSTER_FIELD(limits.max_watch_names)),
      Size("max-page-size", "entries", 1, 100'000,
           "Entries, or names, in one page; also where none is asked for.",
           MUSTER_FIELD(limits.max_page_size)),
      Size("max-slot", "", 0, 16'777'215, "Highest slot of a Sessions stream.",
           MUSTER_FIELD(limits.max_slot)),
      Size("max-stream-requests", "requests", 1, 65'536,
           "Requests of one stream that are read and not yet answered; past "
           "it, the stream waits.",
           MUSTER_FIELD(limits.max_stream_requests)),
      Size("max-stream-bytes", "bytes", 65'536, 1'073'741'824,
           "The same in bytes.", MUSTER_FIELD(limits.max_stream_bytes)),
      Millis("default-ttl-ms", 100, 86'400'000,
             "Within this a session without a stream must be heard of, if its "
             "client does not say.",
             MUSTER_FIELD(limits.default_ttl)),
      Millis("min-ttl-ms", 100, 86'400'000, "The least it may ask for.",
             MUSTER_FIELD(limits.min_ttl)),
      Millis("max-ttl-ms", 100, 86'400'000, "The most it may ask for.",
             MUSTER_FIELD(limits.max_ttl)),
      Millis("max-grace-ms", 0, 600'000,
             "How long entries may be made to stay after a disconnect.",
             MUSTER_FIELD(limits.max_grace)),
      Millis("default-interval-ms", 10, 3'600'000,
             "Between two messages of a watch for counts, if its client does "
             "not say.",
             MUSTER_FIELD(limits.default_interval)),
      Millis("min-interval-ms", 10, 3'600'000, "The least it may ask for.",
             MUSTER_FIELD(limits.min_interval)),
      Millis("max-interval-ms", 10, 3'600'000, "The most it may ask for.",
             MUSTER_FIELD(limits.max_interval)),
  };
}

Options DetectorOptions() {
  return {
      Millis("beat-interval-ms", 10, 10'000, "Between two beats of a node.",
             MUSTER_FIELD(runtime.core.detector.beat_interval)),
      Number("phi-threshold", 1, 30,
             "How improbable a silence must be, as -log10 of its "
             "probability, before its node is suspected.",
             MUSTER_FIELD(runtime.core.detector.phi_threshold)),
      Millis("min-sigma-ms", 1, 10'000,
             "The least deviation of beats that is reckoned with.",
             MUSTER_FIELD(runtime.core.detector.min_sigma)),
      Millis("min-silence-ms", 20, 600'000,
             "No node is suspected after a shorter silence than this.",
             MUSTER_FIELD(runtime.core.detector.min_silence)),
      Millis("max-silence-ms", 20, 600'000,
             "Every node is suspected after this silence.",
             MUSTER_FIELD(runtime.core.detector.max_silence)),
      Millis("max-silence-stream-only-ms", 20, 600'000,
             "The same where beats cannot travel as datagrams.",
             MUSTER_FIELD(runtime.core.detector.max_silence_stream_only)),
      Millis("confirm-ms", 0, 60'000,
             "From suspicion to down, while the others are asked.",
             MUSTER_FIELD(runtime.core.detector.confirm)),
      Switch("refused-is-proof",
             "A node whose address refuses a connection, and of which nobody "
             "has a later beat, is down at once, if all others are heard "
             "meanwhile. "
             "Turn it off behind proxies.",
             MUSTER_FIELD(runtime.core.detector.refused_is_proof)),
      Millis("refused-wait-ms", 0, 60'000,
             "How long the others have to name a later beat, beside what their "
             "round trips take.",
             MUSTER_FIELD(runtime.core.detector.refused_wait)),
      Millis("link-stall-ms", 100, 600'000,
             "A link that acknowledges nothing for at least this long, and for "
             "three of its round trips, while beats arrive is opened anew.",
             MUSTER_FIELD(runtime.core.detector.link_stall)),
      Millis("forget-ms", 1'000, 86'400'000,
             "After this silence a node and all it held is forgotten.",
             MUSTER_FIELD(runtime.core.detector.forget)),
      Millis("dial-wait-ms", 0, 600'000,
             "The node with the higher name dials if the other has not.",
             MUSTER_FIELD(runtime.core.detector.dial_wait)),
      Millis("name-check-ms", 100, 60'000,
             "How long another node of the same name has to show itself.",
             MUSTER_FIELD(runtime.core.detector.name_check)),
      Millis("join-wait-ms", 0, 600'000,
             "With no answer from any `--join` address by then, the node "
             "serves alone; with refusals only, it exits.",
             MUSTER_FIELD(runtime.core.detector.join_wait)),
  };
}

Options ReplicationOptions() {
  return {
      Size("log-bytes", "bytes", 65'536, 4'294'967'296,
           "Recent changes of a stream kept for peers that fall behind; past "
           "it they catch up from the state.",
           MUSTER_FIELD(runtime.core.replication.log_bytes)),
      Size("window-bytes", "bytes", 65'536, 67'108'864,
           "Sent to a peer and not yet acknowledged.",
           MUSTER_FIELD(runtime.core.replication.window_bytes)),
      Millis("source-timeout-ms", 50, 60'000,
             "A source without progress for this long is changed.",
             MUSTER_FIELD(runtime.core.replication.source_timeout)),
      Millis("checkpoint-interval-ms", 100, 600'000,
             "Between two digests that peers compare.",
             MUSTER_FIELD(runtime.core.replication.checkpoint_interval)),
      Millis("stale-ms", 1'000, 86'400'000,
             "A stream this old is sent to nobody.",
             MUSTER_FIELD(runtime.core.replication.stale)),
      Millis("leave-delay-ms", 0, 60'000,
             "How long past its grace a session's entries stay at most: until "
             "every other node has told what it had accepted by then, which "
             "takes 0.3 s at most on a quiet local network.",
             MUSTER_FIELD(runtime.core.sessions.leave_delay)),
      Millis("record-keep-ms", 1'000, 86'400'000,
             "How long the record of a session that moved or ended is kept; "
             "that of one that was closed where it was opened, a minute at "
             "most.",
             MUSTER_FIELD(runtime.core.sessions.record_keep)),
  };
}

Options BuildTable() {
  Options table;
  const auto add = [&table](const char* group, Options options) {
    for (ConfigOption& option : options) {
      option.group = group;
      table.push_back(std::move(option));
    }
  };
  add("The node", NodeOptions());
  add("Who is let in", SecurityOptions());
  add("Limits of the node", LimitOptions());
  add("Limits of a request", RequestOptions());
  add("Pub/sub", PubSubOptions());
  add("Keys", KeyspaceConfigOptions());
  add("Failure detection", DetectorOptions());
  add("Replication and sessions", ReplicationOptions());
  return table;
}

// `low` must not be above `high`.
absl::Status CheckOrder(absl::string_view low, absl::string_view high,
                        const Config& config) {
  const auto value = [&config](absl::string_view name) {
    return std::get<int64_t>(FindByName(name)->get(config));
  };
  if (value(low) <= value(high)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--", low, " ", value(low),
                                                 ": must not be above --", high,
                                                 ", which is ", value(high)));
}

}  // namespace

const std::vector<ConfigOption>& ConfigTable() {
  static const auto* const kTable = new Options(BuildTable());
  return *kTable;
}

const ConfigOption* FindByName(absl::string_view name) {
  for (const ConfigOption& option : ConfigTable()) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

const ConfigOption* FindByKey(absl::string_view key) {
  for (const ConfigOption& option : ConfigTable()) {
    if (option.Key() == key) return &option;
  }
  return nullptr;
}

absl::Status CheckTogether(const Config& config) {
  if (!config.runtime.cluster_secret_also.empty() &&
      config.runtime.cluster_secret.empty()) {
    return absl::InvalidArgumentError(
        "--cluster-secret-also (hidden): needs --cluster-secret, the one that "
        "is proved first");
  }
  struct Order {
    const char* low;
    const char* high;
  };
  constexpr Order kOrders[] = {
      {"beat-interval-ms", "min-silence-ms"},
      {"min-silence-ms", "max-silence-ms"},
      {"max-silence-ms", "max-silence-stream-only-ms"},
      {"max-silence-stream-only-ms", "stale-ms"},
      {"stale-ms", "forget-ms"},
      {"max-grace-ms", "stale-ms"},
      {"min-ttl-ms", "default-ttl-ms"},
      {"default-ttl-ms", "max-ttl-ms"},
      {"min-interval-ms", "default-interval-ms"},
      {"default-interval-ms", "max-interval-ms"},
      {"kv-max-value-bytes", "kv-max-mutation-bytes"},
      {"kv-max-mutation-bytes", "max-frame-bytes"},
      {"kv-max-call-bytes", "max-frame-bytes"},
  };
  for (const Order& order : kOrders) {
    const absl::Status status = CheckOrder(order.low, order.high, config);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace muster
