// What nodes say to each other, as core values. `node/codec` translates them
// to and from muster.v1.PeerFrame and is the only place where foreign bytes
// are validated: a frame that reaches the core is well formed and within its
// limits (though it may be a lie, a duplicate, or late).
//
// The meaning of each frame is stated in proto/muster/v1/peer.proto.
#ifndef MUSTER_NODE_CORE_FRAMES_H_
#define MUSTER_NODE_CORE_FRAMES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/keyspace_frames.h"
#include "node/core/mail.h"

namespace muster::core {

// One established, authenticated link to a peer, numbered by the transport;
// never reused in one life of a node.
using LinkId = uint64_t;

// Limits of foreign input; see docs/configuration.md.
inline constexpr size_t kMaxFrameBytes = 16 << 20;
// What a node takes unless it is told otherwise: enough for the largest entry.
inline constexpr size_t kDefaultMaxFrameBytes = 1 << 20;
inline constexpr size_t kMaxMembers = 1024;
inline constexpr size_t kMaxStreams = 8 * kMaxMembers;
inline constexpr size_t kMaxDatagramBytes = 1400;
inline constexpr size_t kBulkFrameBytes = 64 << 10;

// Feature levels: what a peer of that level and above can read. Nothing new is
// said to a peer below it.
inline constexpr uint32_t kRoutedLevel = 2;  // Routed frames, interest streams.
inline constexpr uint32_t kKeyspaceLevel = 3;
inline constexpr uint32_t kFeatureLevel = 3;

// What a peer said of itself in its hello, after its proof was checked.
struct PeerHello {
  crdt::Origin origin;  // Incarnation 0 while it is not admitted.
  std::string address;  // HOST:PORT that others dial.
  uint32_t protocol = 1;
  uint32_t feature_level = 1;
  bool outbound = false;  // We dialled,
  std::string dialed;     // this address (as it stood in Output::dial).
  absl::Duration rtt;     // What a round trip of the handshake took.
};

struct StreamPosition {
  crdt::Origin origin;
  crdt::StreamKind kind = crdt::StreamKind::kPresence;
  crdt::Seq seq;
  absl::Duration age;  // Since the origin's beat number advanced to `beat`.
  uint64_t beat = 0;
  bool wanted = false;
  bool rebasing = false;
};
struct PositionsFrame {
  std::vector<StreamPosition> streams;
  bool full = false;
  bool more = false;  // Of full ones: they go on in the next frame.
};
struct PullFrame {
  crdt::StreamId stream;
  crdt::Seq after;
  bool cancel = false;
  uint64_t rebase_id = 0;
  bool force_rebase = false;  // Even if the log reaches.
};
struct DeltaFrame {
  crdt::StreamId stream;
  crdt::Seq first;
  uint32_t count = 0;
  // Encoded mutations (crdt/mutation.h). Shared by all links it goes to.
  std::shared_ptr<const std::string> mutations;
};
// A kind of stream may have parents: elements that others name. Presence has
// (KEEP_SESSIONS and KEEP_ENTRIES of the protocol are kKeepParents and kKeep).
struct RebaseFrame {
  enum class Kind : uint8_t {
    kBegin = 1,
    kKeepParents = 2,
    kPutParents = 3,
    kKeep = 4,
    kPut = 5,
    kDelta = 6,
    kEnd = 7,
  };
  crdt::StreamId stream;
  uint64_t rebase_id = 0;
  uint64_t number = 0;
  Kind kind = Kind::kBegin;
  crdt::Seq have;
  crdt::Seq seq;
  uint32_t count = 0;
  std::shared_ptr<const std::string> payload;
  uint64_t digest = 0;
};
struct CheckpointFrame {
  crdt::StreamId stream;
  crdt::Seq seq;
  uint64_t digest = 0;
};
struct AckFrame {
  uint64_t bulk_bytes = 0;
};
struct BeatReport {
  crdt::LifeId life;
  uint64_t number = 0;
  absl::Duration age;
  // Of the sender itself, on a link: the longest round trip of its links.
  absl::Duration rtt;
};
enum class MemberState : uint8_t {
  kAlive = 1,
  kSuspect = 2,
  kDown = 3,
  kLeft = 4,
};
struct MemberInfo {
  crdt::Origin origin;
  std::string address;
  MemberState state = MemberState::kAlive;
  uint64_t beat = 0;
  absl::Duration age;
};
struct MembersFrame {
  std::vector<MemberInfo> members;
  crdt::Incarnation your_highest;
};
struct AskFrame {
  crdt::LifeId life;
  uint64_t number = 0;
};
struct LeavingFrame {};
// Orders of an administrator, passed on by the node that was asked; see
// node/core/replica/orders.h.
struct EvictFrame {
  uint64_t number = 0;
  std::string topic;
  std::string key;
  std::string reason;
};
struct ForgetFrame {
  uint64_t number = 0;
  std::string node;
};
struct OrderAnswerFrame {
  uint64_t number = 0;
  uint64_t entries = 0;
  std::string refusal;
};

// ---- what is no stream: from one life to another, by whatever way there is --

inline constexpr uint32_t kMaxHops = 4;
struct RoutedFrame {
  crdt::LifeId to;
  crdt::LifeId from;
  uint32_t hops = 0;  // Links that it has come over.
  // Of pub/sub, or of the keyspace.
  using Body =
      std::variant<MailFrame, MailAck, InterestApplied, InterestAsk, KvBody>;
  Body body;
};

struct Frame {
  uint64_t beat = 0;  // The sender's beat number.
  std::variant<PositionsFrame, PullFrame, DeltaFrame, RebaseFrame,
               CheckpointFrame, AckFrame, MembersFrame, AskFrame, BeatReport,
               LeavingFrame, EvictFrame, ForgetFrame, OrderAnswerFrame,
               RoutedFrame>
      body;
};

// One UDP datagram.
struct BeatDatagram {
  crdt::Origin origin;
  uint64_t number = 0;
  crdt::Seq presence_seq;
  std::vector<BeatReport> others;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_FRAMES_H_
