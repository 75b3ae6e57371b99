#include "node/codec/client_codec.h"
#include "node/codec/ref_text.h"
#include "node/codec/wire.h"
#include "node/service/session_work.h"

namespace muster::service {
namespace {

using codec::WireWriter;

void WriteStart(const SessionPart& part, absl::string_view node,
                int opened_field, int resumed_field, WireWriter& out) {
  using Resumed = v1::ResumeResponse;
  if (part.start == SessionPart::Start::kOpen) {
    const size_t mark = out.Begin(opened_field);
    codec::WriteOpened(part.info, part.token, node, out);
    out.End(mark);
  } else if (part.start == SessionPart::Start::kResume) {
    const size_t mark = out.Begin(resumed_field);
    const size_t session = out.Begin(Resumed::kSessionFieldNumber);
    codec::WriteOpened(part.info, part.token, node, out);
    out.End(session);
    WriteRefs(Resumed::kMissingRefsFieldNumber, part.missing, out);
    out.End(mark);
  }
}

void WriteResult(const SessionPart& part, absl::string_view node,
                 WireWriter& out) {
  using Result = v1::SessionPartResult;
  const size_t mark = out.Begin(v1::SessionsResponse::kResultsFieldNumber);
  if (part.status.ok()) {
    WriteStart(part, node, Result::kOpenedFieldNumber,
               Result::kResumedFieldNumber, out);
    const core::ApplyReply& reply = part.reply;
    WriteRefRests(Result::kTrackedRefsFieldNumber, reply.tracked, out);
    WriteRefs(Result::kUpdatedRefsFieldNumber, reply.updated, out);
    WriteErrors(Result::kUntrackErrorsFieldNumber, reply.untrack_errors, out);
    WriteErrors(Result::kUpdateErrorsFieldNumber, reply.update_errors, out);
    WriteErrors(Result::kTrackErrorsFieldNumber, reply.track_errors, out);
  } else {
    out.Varint(Result::kCodeFieldNumber,
               static_cast<uint64_t>(part.status.code()));
    out.BytesIfSet(Result::kMessageFieldNumber, part.status.message());
  }
  out.End(mark);
}

// The life that all tracked refs have in common; 0 if there are none.
uint64_t TrackedLife(const std::vector<SessionPart>& parts, size_t used) {
  for (size_t i = 0; i < used; ++i) {
    for (const crdt::Ref& ref : parts[i].reply.tracked) {
      if (!ref.IsNone()) return ref.life;
    }
  }
  return 0;
}

void WriteEvicted(int field, const std::vector<EvictedEntry>& entries,
                  WireWriter& out) {
  using Entry = v1::EvictedEntry;
  for (const EvictedEntry& evicted : entries) {
    const size_t mark = out.Begin(field);
    out.VarintIfSet(Entry::kSlotFieldNumber, evicted.slot);
    out.Bytes(Entry::kRefFieldNumber, codec::RefText(evicted.entry.ref));
    out.Bytes(Entry::kTopicFieldNumber, evicted.entry.topic);
    out.Bytes(Entry::kKeyFieldNumber, evicted.entry.key);
    out.BytesIfSet(Entry::kReasonFieldNumber, *evicted.entry.reason);
    out.End(mark);
  }
}

}  // namespace

std::string SessionWork::EncodeSession(absl::string_view node) const {
  using Response = v1::SessionResponse;
  std::string bytes;
  WireWriter out(&bytes);
  out.VarintIfSet(Response::kNumberFieldNumber, number);
  out.VarintIfSet(Response::kMovingFieldNumber, moving);
  WriteEvicted(Response::kEvictedFieldNumber, evicted, out);
  if (used_ == 0) return bytes;
  const SessionPart& part = parts_[0];
  const core::ApplyReply& reply = part.reply;
  bytes.reserve((reply.tracked.size() + reply.updated.size()) *
                codec::kMaxRefText);
  WriteStart(part, node, Response::kOpenedFieldNumber,
             Response::kResumedFieldNumber, out);
  WriteRefs(Response::kTrackedRefsFieldNumber, reply.tracked, out);
  WriteRefs(Response::kUpdatedRefsFieldNumber, reply.updated, out);
  WriteErrors(Response::kUntrackErrorsFieldNumber, reply.untrack_errors, out);
  WriteErrors(Response::kUpdateErrorsFieldNumber, reply.update_errors, out);
  WriteErrors(Response::kTrackErrorsFieldNumber, reply.track_errors, out);
  return bytes;
}

std::string SessionWork::EncodeSessions(absl::string_view node) const {
  using Response = v1::SessionsResponse;
  std::string bytes;
  WireWriter out(&bytes);
  out.VarintIfSet(Response::kNumberFieldNumber, number);
  const uint64_t life = TrackedLife(parts_, used_);
  if (life != 0) {
    out.Bytes(Response::kRefPrefixFieldNumber, codec::RefPrefix(life));
  }
  for (size_t i = 0; i < used_; ++i) WriteResult(parts_[i], node, out);
  for (const EndedSlot& slot : ended) {
    const size_t mark = out.Begin(Response::kEndedFieldNumber);
    out.VarintIfSet(v1::EndedSlot::kSlotFieldNumber, slot.slot);
    out.VarintIfSet(v1::EndedSlot::kCodeFieldNumber,
                    static_cast<uint64_t>(slot.status.code()));
    out.BytesIfSet(v1::EndedSlot::kMessageFieldNumber, slot.status.message());
    out.End(mark);
  }
  out.VarintIfSet(Response::kMovingFieldNumber, moving);
  WriteEvicted(Response::kEvictedFieldNumber, evicted, out);
  return bytes;
}

}  // namespace muster::service
