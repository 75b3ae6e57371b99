// What a step of the core asks the world to do, as one value. The runtime
// carries it out after each step, in the order of the members below; the
// simulator does the same in simulated time.
#ifndef MUSTER_NODE_CORE_OUTPUT_H_
#define MUSTER_NODE_CORE_OUTPUT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "node/core/client.h"
#include "node/core/frames.h"
#include "node/core/keyspace_calls.h"
#include "node/core/message.h"

namespace muster::core {

struct SendFrame {
  LinkId link = 0;
  Frame frame;
};
struct SendBeat {
  std::string address;  // HOST:PORT, the UDP side of a peer's address.
  // Shared by all it is sent to, so that it is encoded and signed once.
  std::shared_ptr<const BeatDatagram> beat;
};
// Ends a link. The peer is told `reason` first; `permanent`: and is told not
// to dial again.
struct CloseLink {
  LinkId link = 0;
  std::string reason;
  bool permanent = false;
};
// A plain TCP connect to `address`; the answer is Replica::OnProbe. Time
// limit 300 ms.
struct ConnectProbe {
  uint64_t token = 0;
  std::string address;
};
// A hello with `probe` set to `address`; the answer (who lives there, or
// nobody) is Replica::OnHelloProbe. Time limit 1.2 s.
struct HelloProbe {
  uint64_t token = 0;
  std::string address;
};
struct WatchEvent {
  WatchId watch = 0;
  std::shared_ptr<const WatchBatch> batch;
};
struct AsyncReply {
  RequestId request = 0;
  absl::StatusOr<ResumeReply> resumed;
};
// The session's stream is to be ended with `status` (it moved, or expired).
struct SessionEnded {
  crdt::SessionId session;
  absl::Status status;
};
// The answer to an evict or a forget.
struct OrderDone {
  RequestId request = 0;
  absl::StatusOr<OrderReply> reply;
};
// An administrator has removed an entry of a session: its client is to be told.
struct EntryEvicted {
  crdt::SessionId session;
  crdt::Ref ref;
  std::string topic;
  std::string key;
  std::shared_ptr<const std::string> reason;
};
struct LogLine {
  enum class Level { kDebug, kInfo, kWarning, kError };
  Level level = Level::kInfo;
  std::string text;
};

struct Output {
  std::vector<LogLine> log;
  std::vector<SendFrame> frames;
  std::vector<SendBeat> beats;
  std::vector<CloseLink> closes;
  // The whole set of addresses to keep dialling, when it has changed.
  std::optional<std::vector<std::string>> dial;
  std::vector<ConnectProbe> probes;
  std::vector<HelloProbe> hello_probes;
  std::vector<AsyncReply> replies;
  std::vector<SessionEnded> ended;
  std::vector<EntryEvicted> evicted;
  std::vector<OrderDone> orders;
  std::vector<WatchEvent> watch;
  std::vector<SubscribeHeld> subscribed;
  std::vector<MessageDelivery> messages;
  std::vector<KvAnswer> kv_answers;
  bool members_changed = false;  // Replica::Members() has news.
  bool ready_changed = false;    // Replica::ready() has news.
  // The node must exit: its name is in use, it lost against a later life of
  // its name, or its drain is over (`ok`).
  std::optional<absl::Status> exit;
  // Whom Replica::MayWrite has held back may ask again.
  bool may_write = false;
  // There are jobs to run: call Replica::RunJobs before waiting.
  bool more_work = false;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_OUTPUT_H_
