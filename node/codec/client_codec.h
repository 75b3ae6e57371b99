// Messages of clients: muster.v1 Presence and Cluster messages to and from the
// core values of node/core/client.h.
//
// Large answers (lists, watch batches, refs) are written in the wire format
// directly: no object or string an entry. All others go through the generated
// classes.
//
// The decoder of batches hands each operation to an OpVisitor as views into the
// request, and checks only that the bytes are well formed. The visitor checks
// limits, UTF-8 and refs, so that one bad operation spoils no other.
//
// Cost: O(bytes). All functions are total and thread-safe.
#ifndef MUSTER_NODE_CODEC_CLIENT_CODEC_H_
#define MUSTER_NODE_CODEC_CLIENT_CODEC_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "crdt/types.h"
#include "muster/v1/cluster.pb.h"
#include "muster/v1/presence.pb.h"
#include "node/codec/wire.h"
#include "node/core/client.h"

namespace muster::codec {

// ---------------------------------------------------------------- decoding

class OpVisitor {
 public:
  virtual ~OpVisitor() = default;
  virtual void Untrack(absl::string_view ref) = 0;
  virtual void Update(absl::string_view ref, absl::string_view meta) = 0;
  virtual void Track(const core::TrackOp& op) = 0;
};

// The field numbers of the three lists in a message; 0: it has no such list.
struct OpFields {
  int untrack = 0;
  int update = 0;
  int track = 0;
};
inline constexpr OpFields kSessionOps = {
    v1::SessionRequest::kUntrackFieldNumber,
    v1::SessionRequest::kUpdateFieldNumber,
    v1::SessionRequest::kTrackFieldNumber};
inline constexpr OpFields kPartOps = {v1::SessionPart::kUntrackFieldNumber,
                                      v1::SessionPart::kUpdateFieldNumber,
                                      v1::SessionPart::kTrackFieldNumber};

enum class OpField {
  kOther,  // The reader's field is no operation.
  kTaken,
  kMalformed,
};
// Hands the operation in the reader's current field, if it is one, to
// `visitor`.
OpField TakeOp(const WireReader& reader, const OpFields& fields,
               OpVisitor& visitor);

// Parses `bytes`. INVALID_ARGUMENT says why not, and names the field if that is
// a string that is not UTF-8.
absl::Status ParseMessage(absl::string_view bytes,
                          google::protobuf::Message* message);

// ---------------------------------------------------------------- encoding

// A list of refs; "" for none. WriteRefRests leaves out the prefix, which all
// of them share (see RefPrefix).
void WriteRefs(int field, const std::vector<crdt::Ref>& refs, WireWriter& out);
void WriteRefRests(int field, const std::vector<crdt::Ref>& refs,
                   WireWriter& out);
void WriteErrors(int field, const std::vector<core::IndexedError>& errors,
                 WireWriter& out);

// Whole messages.
std::string EncodeListResponse(const core::ListReply& reply,
                               absl::string_view next_page_token);
std::string EncodeGetResponse(const core::ListReply& reply);
std::string EncodeTopicsResponse(const core::TopicsReply& reply);
std::string EncodeTopicsOfResponse(const core::TopicsOfReply& reply);
std::string EncodeExplainResponse(const core::ExplainReply& reply);

// A WatchResponse in two parts, to be concatenated: the version is a watcher's
// own, the body is the same for all watchers that share a batch.
std::string EncodeWatchVersion(const core::WatchBatch& batch, uint64_t scope);
std::string EncodeWatchBody(const core::WatchBatch& batch);

// The fields of an OpenSessionResponse.
void WriteOpened(const core::SessionInfo& info, absl::string_view token,
                 absl::string_view node, WireWriter& out);
void ToProto(const core::MemberView& member, v1::Member* to);
void ToProto(const core::StreamView& stream, v1::StreamStatus* to);
// Leaves out the fields that the core does not know: version, address, rss,
// uptime, lag.
void ToProto(const core::StatusView& status, v1::StatusResponse* to);

// 32 hex digits.
std::string HexText(uint64_t hi, uint64_t lo);

}  // namespace muster::codec

#endif  // MUSTER_NODE_CODEC_CLIENT_CODEC_H_
