// Requests for sessions without a stream: batches, heartbeats, opens and
// resumes.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "crdt/check.h"
#include "muster/v1/presence.pb.h"
#include "node/codec/client_codec.h"
#include "node/service/batch_requests.h"
#include "node/service/session_work.h"
#include "tests/fuzz/byte_source.h"

namespace {

using namespace muster;
using service::Limits;

enum class Call : uint8_t {
  kTrack,
  kUpdate,
  kUntrack,
  kHeartbeat,
  kOpen,
  kResume,
  kCount,
};

codec::OpFields FieldsOf(Call call) {
  switch (call) {
    case Call::kTrack:
      return {0, 0, v1::TrackRequest::kOpsFieldNumber};
    case Call::kUpdate:
      return {0, v1::UpdateRequest::kOpsFieldNumber, 0};
    default:
      return {v1::UntrackRequest::kRefsFieldNumber, 0, 0};
  }
}

void TryBatch(Call call, absl::string_view bytes, const Limits& limits) {
  service::Batch batch;
  batch.bytes = std::string(bytes);
  if (!DecodeBatch("a batch", FieldsOf(call), limits, &batch).ok()) return;
  MUSTER_CHECK(batch.ops.size() <= limits.max_batch_ops);
  MUSTER_CHECK(!batch.ops.request().session.IsZero());
  core::ApplyReply reply;
  reply.tracked.resize(batch.ops.request().track.size());
  reply.updated.resize(batch.ops.request().update.size());
  batch.ops.Complete(&reply);
  const size_t answers =
      reply.tracked.size() + reply.updated.size() + reply.untrack_errors.size();
  MUSTER_CHECK(answers <= batch.ops.size());
}

void TryHeartbeats(absl::string_view bytes, const Limits& limits) {
  const auto beats = service::DecodeHeartbeats(bytes, limits);
  if (beats.ok()) MUSTER_CHECK(beats->size() <= limits.max_heartbeat_sessions);
}

void TryOpen(absl::string_view bytes, const Limits& limits) {
  v1::OpenSessionRequest message;
  core::OpenSessionRequest open;
  if (!codec::ParseMessage(bytes, &message).ok() ||
      !CheckOpen(message, limits, &open).ok()) {
    return;
  }
  MUSTER_CHECK(open.ttl >= limits.min_ttl && open.ttl <= limits.max_ttl);
  MUSTER_CHECK(open.grace <= limits.max_grace);
}

void TryResume(absl::string_view bytes, const Limits& limits) {
  service::ResumeWish wish;
  if (!codec::ParseMessage(bytes, &wish.message).ok()) return;
  const v1::ResumeRequest sent = wish.message;
  if (!CheckResume(limits, &wish).ok()) return;
  const std::vector<core::EntryView>& taken = wish.request.entries;
  MUSTER_CHECK(taken.size() == static_cast<size_t>(sent.entries_size()));
  for (size_t i = 0; i < taken.size(); ++i) {
    const v1::Entry& entry = sent.entries(static_cast<int>(i));
    MUSTER_CHECK(taken[i].topic == entry.topic());
    MUSTER_CHECK(taken[i].key == entry.key());
    MUSTER_CHECK(!taken[i].ref.IsNone() && !taken[i].topic.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  google::protobuf::SetLogHandler(nullptr);
  fuzz::ByteSource source(data, size);
  const uint8_t mode = source.Byte();
  const Call call{
      static_cast<uint8_t>((mode & 0x7f) % static_cast<uint8_t>(Call::kCount))};
  Limits limits;
  if ((mode & 0x80) != 0) {
    limits.max_name_bytes = 4;
    limits.max_batch_ops = 2;
    limits.max_heartbeat_sessions = 1;
    limits.max_resume_entries = 1;
  }
  switch (call) {
    case Call::kTrack:
    case Call::kUpdate:
    case Call::kUntrack:
      TryBatch(call, source.Rest(), limits);
      break;
    case Call::kHeartbeat:
      TryHeartbeats(source.Rest(), limits);
      break;
    case Call::kOpen:
      TryOpen(source.Rest(), limits);
      break;
    case Call::kResume:
    case Call::kCount:
      TryResume(source.Rest(), limits);
      break;
  }
  return 0;
}
