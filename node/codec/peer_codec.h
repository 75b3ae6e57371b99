// Peer messages: muster.v1.PeerFrame and BeatDatagram to and from core values.
//
// This is the only place where bytes of a peer are validated. A message that
// Decode returns is well formed and within the limits of node/core/frames.h.
// Any other is INVALID_ARGUMENT, naming the field, the value and the rule, e.g.
//   members[3].origin.node: 130 bytes; at most 128
//
// Encoding a delta or a rebase frame does not copy its payload: the head ends
// with the payload's tag and length, and the payload follows as it is. Decoding
// copies a payload once, out of the transport's buffers. Frames of the keyspace
// are in keyspace_codec.h.
//
// Limits: kMaxFrameBytes a message (the transport has a lower one),
// kMaxHandshakeBytes for hello, proof and refusal, kMaxDatagramBytes a
// datagram; names 128 bytes of UTF-8, addresses 262 bytes, ages 24 hours,
// numbers and seqs 2^62.
//
// Cost: O(bytes). All functions are total and thread-safe.
#ifndef MUSTER_NODE_CODEC_PEER_CODEC_H_
#define MUSTER_NODE_CODEC_PEER_CODEC_H_

#include <google/protobuf/io/zero_copy_stream.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "crdt/types.h"
#include "node/core/frames.h"

namespace muster::codec {

// The versions of the peer protocol this node speaks, and the kinds of
// mutation it can read.
inline constexpr uint32_t kProtocolMin = 1;
inline constexpr uint32_t kProtocolMax = 1;
inline constexpr uint32_t kFeatureLevel = core::kFeatureLevel;

inline constexpr size_t kMaxHandshakeBytes = 4096;
inline constexpr size_t kMaxNodeNameBytes = 128;
inline constexpr size_t kMaxClusterBytes = 128;
inline constexpr size_t kMaxAddressBytes = 262;
inline constexpr size_t kMaxReasonBytes = 1024;
inline constexpr uint64_t kMaxAgeMs = 24ull * 3600 * 1000;
inline constexpr uint64_t kMaxNumber = 1ull << 62;

struct Hello {
  uint32_t protocol_min = kProtocolMin;
  uint32_t protocol_max = kProtocolMax;
  uint32_t feature_level = kFeatureLevel;
  std::string cluster;
  crdt::Origin origin;  // Incarnation 0 while it is not admitted.
  std::string address;
  std::string nonce;  // kNonceBytes.
  bool probe = false;
};
struct Proof {
  std::string mac;  // kProofBytes, or empty.
};
struct Refusal {
  std::string reason;
  bool permanent = false;
};
using PeerMessage = std::variant<Hello, Proof, Refusal, core::Frame>;

// One message as it goes out: `payload` (may be null) follows `head`.
struct EncodedFrame {
  std::string head;
  std::shared_ptr<const std::string> payload;
  size_t size() const { return head.size() + (payload ? payload->size() : 0); }
};

EncodedFrame EncodeFrame(const core::Frame& frame);
EncodedFrame EncodeHello(const Hello& hello);
EncodedFrame EncodeProof(const Proof& proof);
EncodedFrame EncodeRefusal(const Refusal& refusal);

// `size` is how many bytes `input` holds.
absl::StatusOr<PeerMessage> DecodeMessage(
    google::protobuf::io::ZeroCopyInputStream& input, size_t size);
absl::StatusOr<PeerMessage> DecodeMessage(absl::string_view bytes);

// At most kMaxDatagramBytes: reports that do not fit are left out.
std::string EncodeDatagram(const core::BeatDatagram& beat, uint64_t cluster,
                           absl::string_view secret);

// `cluster` is this node's ClusterHash. Errors: INVALID_ARGUMENT malformed;
// FAILED_PRECONDITION another cluster's; UNAUTHENTICATED a wrong MAC, or a MAC
// although this node has no secret.
absl::StatusOr<core::BeatDatagram> DecodeDatagram(absl::string_view bytes,
                                                  uint64_t cluster,
                                                  absl::string_view secret);

// Rules that flags share with the wire. The error starts with `field`.
absl::Status CheckNodeName(absl::string_view field, absl::string_view name);
// HOST:PORT or [IPV6]:PORT with a port from 1 to 65535.
absl::Status CheckAddress(absl::string_view field, absl::string_view address);

}  // namespace muster::codec

#endif  // MUSTER_NODE_CODEC_PEER_CODEC_H_
