#include "node/service/batch_requests.h"

#include "absl/strings/str_cat.h"
#include "muster/v1/presence.pb.h"
#include "node/codec/wire.h"
#include "node/service/tokens.h"
#include "node/service/validate.h"

namespace muster::service {
namespace {

using codec::OpField;
using codec::WireReader;
using codec::WireType;

// The three batch requests have one shape: a token in field 1, the operations
// in field 2.
constexpr int kTokenField = 1;
static_assert(v1::TrackRequest::kTokenFieldNumber == kTokenField);
static_assert(v1::UpdateRequest::kTokenFieldNumber == kTokenField);
static_assert(v1::UntrackRequest::kTokenFieldNumber == kTokenField);

absl::Status Malformed(const char* type, size_t size) {
  return absl::InvalidArgumentError(absl::StrCat(
      "the request is no well-formed ", type, " (", size, " bytes)"));
}

}  // namespace

absl::Status DecodeBatch(const char* type, const codec::OpFields& fields,
                         const Limits& limits, Batch* batch) {
  const absl::Status size = CheckRequest(batch->bytes, limits);
  if (!size.ok()) return size;
  batch->ops.Reset(&limits, limits.max_batch_ops);
  absl::string_view token;
  WireReader reader(batch->bytes);
  while (reader.Next()) {
    const OpField op = TakeOp(reader, fields, batch->ops);
    if (op == OpField::kMalformed) return Malformed(type, batch->bytes.size());
    if (op == OpField::kOther && reader.Is(kTokenField, WireType::kBytes)) {
      token = reader.bytes();
    }
  }
  if (!reader.ok()) return Malformed(type, batch->bytes.size());
  const absl::StatusOr<crdt::SessionId> session = SessionOf(token);
  if (!session.ok()) return session.status();
  batch->ops.request().session = *session;
  return CheckCount(fields.untrack != 0 ? "refs" : "ops", batch->ops.size(),
                    limits.max_batch_ops, "--max-batch-ops");
}

absl::StatusOr<std::vector<Beat>> DecodeHeartbeats(absl::string_view bytes,
                                                   const Limits& limits) {
  v1::HeartbeatRequest message;
  absl::Status status = ParseRequest(bytes, limits, &message);
  if (status.ok()) {
    status =
        CheckCount("sessions", message.sessions_size(),
                   limits.max_heartbeat_sessions, "--max-heartbeat-sessions");
  }
  if (!status.ok()) return status;
  std::vector<Beat> beats;
  beats.reserve(message.sessions_size());
  for (const v1::HeartbeatRequest::Beat& beat : message.sessions()) {
    beats.push_back({SessionOf(beat.token()), beat.epoch()});
  }
  return beats;
}

}  // namespace muster::service
