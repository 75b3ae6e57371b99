#include "bench/workload.h"

#include <google/protobuf/arena.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/slice.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace muster::bench {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr size_t kMetaBytes = 64;

void AddSession(size_t session, const LoadOptions& options,
                v1::SessionPart& part) {
  const size_t first = session * options.per_session;
  const size_t end = std::min(first + options.per_session, options.entries);
  part.mutable_open();
  for (size_t i = first; i < end; ++i) {
    v1::TrackOp& op = *part.add_track();
    op.set_topic(TopicName(i % options.topics));
    op.set_key(UserKey(i));
    op.set_meta(UserMeta(i));
  }
}

grpc::Slice OneSlice(const grpc::ByteBuffer& bytes) {
  grpc::Slice slice;
  if (!bytes.TrySingleSlice(&slice).ok()) bytes.DumpToSingleSlice(&slice);
  return slice;
}

// One SessionPartResult of `in`, which ends with it.
bool ReadResult(CodedInputStream& in, Answer& answer) {
  while (const uint32_t tag = in.ReadTag()) {
    uint32_t length = 0;
    switch (WireFormatLite::GetTagFieldNumber(tag)) {
      case v1::SessionPartResult::kCodeFieldNumber:
        if (!in.ReadVarint32(&length)) return false;
        answer.errors += length != 0;
        continue;
      case v1::SessionPartResult::kTrackedRefsFieldNumber:
        if (!in.ReadVarint32(&length) || !in.Skip(length)) return false;
        answer.tracked += length != 0;
        continue;
      case v1::SessionPartResult::kUntrackErrorsFieldNumber:
      case v1::SessionPartResult::kUpdateErrorsFieldNumber:
      case v1::SessionPartResult::kTrackErrorsFieldNumber:
        ++answer.errors;
        break;
      default:
        break;
    }
    if (!WireFormatLite::SkipField(&in, tag)) return false;
  }
  return true;
}

}  // namespace

std::string TopicName(size_t topic) {
  return absl::StrFormat("topic:%04d", topic);
}

std::string UserKey(size_t user) { return absl::StrFormat("user:%07d", user); }

std::string UserMeta(size_t user) {
  std::string meta = absl::StrFormat(
      R"({"name":"User %07d","status":"online","device":"web","v":")", user);
  meta.resize(kMetaBytes - 2, 'x');
  return meta + "\"}";
}

Load BuildLoad(const LoadOptions& options) {
  const size_t sessions =
      (options.entries + options.per_session - 1) / options.per_session;
  const size_t per_message =
      std::max<size_t>(1, options.ops_per_message / options.per_session);
  Load load(options.streams);
  std::vector<uint32_t> slots(options.streams, 0);
  v1::SessionsRequest request;
  size_t stream = 0;
  for (size_t first = 0; first < sessions; first += per_message) {
    request.Clear();
    request.set_number(load[stream].size() + 1);
    EncodedMessage message;
    for (size_t s = first; s < std::min(first + per_message, sessions); ++s) {
      v1::SessionPart& part = *request.add_parts();
      part.set_slot(slots[stream]++);
      AddSession(s, options, part);
      message.tracks += part.track_size();
    }
    message.bytes = Encode(request);
    load[stream].push_back(std::move(message));
    stream = (stream + 1) % options.streams;
  }
  return load;
}

grpc::ByteBuffer Encode(const v1::SessionsRequest& request) {
  grpc::Slice slice(request.ByteSizeLong());
  request.SerializeWithCachedSizesToArray(const_cast<uint8_t*>(slice.begin()));
  return grpc::ByteBuffer(&slice, 1);
}

bool ReadAnswer(const grpc::ByteBuffer& bytes, Answer& answer) {
  const grpc::Slice slice = OneSlice(bytes);
  CodedInputStream in(slice.begin(), static_cast<int>(slice.size()));
  while (const uint32_t tag = in.ReadTag()) {
    switch (WireFormatLite::GetTagFieldNumber(tag)) {
      case v1::SessionsResponse::kNumberFieldNumber:
        if (!in.ReadVarint64(&answer.number)) return false;
        continue;
      case v1::SessionsResponse::kResultsFieldNumber: {
        uint32_t length = 0;
        if (!in.ReadVarint32(&length)) return false;
        const CodedInputStream::Limit limit =
            in.PushLimit(static_cast<int>(length));
        if (!ReadResult(in, answer)) return false;
        in.PopLimit(limit);
        continue;
      }
      case v1::SessionsResponse::kEndedFieldNumber:
        ++answer.errors;
        break;
      default:
        break;
    }
    if (!WireFormatLite::SkipField(&in, tag)) return false;
  }
  return true;
}

std::string FirstError(const grpc::ByteBuffer& bytes) {
  const grpc::Slice slice = OneSlice(bytes);
  v1::SessionsResponse response;
  if (!response.ParseFromArray(slice.begin(), static_cast<int>(slice.size()))) {
    return "malformed answer";
  }
  if (response.ended_size() > 0) return response.ended(0).ShortDebugString();
  for (const v1::SessionPartResult& result : response.results()) {
    if (result.code() != 0) return result.message();
    for (const auto* errors :
         {&result.untrack_errors(), &result.update_errors(),
          &result.track_errors()}) {
      if (!errors->empty()) return errors->Get(0).message();
    }
  }
  return "no error";
}

}  // namespace muster::bench
