#include "node/service/session_work.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "node/codec/wire.h"
#include "node/service/tokens.h"
#include "node/service/validate.h"

namespace muster::service {
namespace {

using codec::OpField;
using codec::WireType;

// The part's own fault; the first one counts.
void Fault(SessionPart& part, absl::Status status) {
  if (part.status.ok()) part.status = std::move(status);
}

absl::Status TooManyOps(size_t ops, const Limits& limits) {
  return CheckCount("track, update and untrack together", ops,
                    limits.max_batch_ops, "--max-batch-ops");
}

absl::Status MakeToken(SessionPart& part) {
  part.token = NewToken();
  absl::StatusOr<crdt::SessionId> id = SessionOf(part.token);
  if (!id.ok()) return absl::InternalError("no random numbers for a token");
  part.open.session = *id;
  return absl::OkStatus();
}

// In a stream a TTL is ignored, as the contract says.
void TakeOpen(SessionPart& part, absl::string_view bytes,
              const Limits& limits) {
  part.start = SessionPart::Start::kOpen;
  v1::OpenSessionRequest message;
  absl::Status status = codec::ParseMessage(bytes, &message);
  message.clear_ttl_ms();
  if (status.ok()) status = CheckOpen(message, limits, &part.open);
  if (status.ok()) status = MakeToken(part);
  part.open.stream = true;
  Fault(part, std::move(status));
}

void TakeResume(SessionPart& part, absl::string_view bytes,
                const Limits& limits) {
  part.start = SessionPart::Start::kResume;
  part.resume = std::make_unique<ResumeWish>();
  v1::ResumeRequest& message = part.resume->message;
  absl::Status status = codec::ParseMessage(bytes, &message);
  message.clear_ttl_ms();
  if (status.ok()) status = CheckResume(limits, part.resume.get());
  part.token = message.token();
  part.resume->request.open.stream = true;
  part.open = part.resume->request.open;
  Fault(part, std::move(status));
}

}  // namespace

absl::Status CheckOpen(const v1::OpenSessionRequest& message,
                       const Limits& limits, core::OpenSessionRequest* open) {
  const absl::StatusOr<absl::Duration> ttl = GrantTtl(message.ttl_ms(), limits);
  if (!ttl.ok()) return ttl.status();
  const absl::StatusOr<absl::Duration> grace =
      GrantGrace(message.grace_ms(), limits);
  if (!grace.ok()) return grace.status();
  open->ttl = *ttl;
  open->grace = *grace;
  open->epoch = message.epoch();
  return absl::OkStatus();
}

absl::Status CheckResume(const Limits& limits, ResumeWish* wish) {
  v1::ResumeRequest& message = wish->message;
  core::ResumeRequest& request = wish->request;
  const absl::StatusOr<crdt::SessionId> id = SessionOf(message.token());
  if (!id.ok()) return id.status();
  v1::OpenSessionRequest open;
  open.set_ttl_ms(message.ttl_ms());
  open.set_grace_ms(message.grace_ms());
  open.set_epoch(message.epoch());
  absl::Status status = CheckOpen(open, limits, &request.open);
  if (!status.ok()) return status;
  status = CheckCount("entries", message.entries_size(),
                      limits.max_resume_entries, "--max-resume-entries");
  if (!status.ok()) return status;
  request.open.session = *id;
  request.resume_number = message.resume_number();
  request.entries.reserve(message.entries_size());
  for (int i = 0; i < message.entries_size(); ++i) {
    const v1::Entry& entry = message.entries(i);
    const auto at = static_cast<size_t>(i);
    core::EntryView view{request.arena.Copy(entry.topic()),
                         request.arena.Copy(entry.key()),
                         {},
                         {},
                         {}};
    status = CheckName({"entries", at, "topic"}, view.topic, limits);
    if (!status.ok()) return status;
    status = CheckName({"entries", at, "key"}, view.key, limits);
    if (!status.ok()) return status;
    status = CheckRef({"entries", at, "ref"}, entry.ref(), &view.ref);
    if (!status.ok()) return status;
    request.entries.push_back(view);
  }
  message.clear_entries();
  return absl::OkStatus();
}

void SessionPart::Reset(const Limits* limits, size_t room) {
  slot = 0;
  start = Start::kNone;
  close = false;
  token.clear();
  open = {};
  resume.reset();
  ops.Reset(limits, room);
  started = false;
  status = absl::OkStatus();
  info = {};
  missing.clear();
  reply = {};
}

void SessionWork::Clear() {
  bytes_.clear();
  used_ = 0;
  ops_ = 0;
  number = 0;
  fatal = absl::OkStatus();
  last = false;
  moving = false;
  ended.clear();
  evicted.clear();
  next_part = 0;
  waiting = 0;
}

SessionPart& SessionWork::AddPart(const Limits& limits) {
  if (used_ == parts_.size()) parts_.emplace_back();
  SessionPart& part = parts_[used_++];
  part.Reset(&limits,
             limits.max_batch_ops - std::min(limits.max_batch_ops, ops_));
  return part;
}

void SessionWork::Malformed(const char* type) {
  fatal = absl::InvalidArgumentError(absl::StrCat(
      "the request is no well-formed ", type, " (", bytes_.size(), " bytes)"));
}

void SessionWork::DecodeSession(std::string bytes, const Limits& limits) {
  bytes_ = std::move(bytes);
  fatal = CheckRequest(bytes_, limits);
  if (!fatal.ok()) return;
  SessionPart& part = AddPart(limits);
  codec::WireReader reader(bytes_);
  while (reader.Next()) {
    const OpField op = TakeOp(reader, codec::kSessionOps, part.ops);
    if (op == OpField::kMalformed) return Malformed("muster.v1.SessionRequest");
    if (op == OpField::kTaken) continue;
    if (reader.Is(v1::SessionRequest::kNumberFieldNumber, WireType::kVarint)) {
      number = reader.varint();
    } else if (reader.Is(v1::SessionRequest::kOpenFieldNumber,
                         WireType::kBytes)) {
      TakeOpen(part, reader.bytes(), limits);
    } else if (reader.Is(v1::SessionRequest::kResumeFieldNumber,
                         WireType::kBytes)) {
      TakeResume(part, reader.bytes(), limits);
    }
  }
  if (!reader.ok()) return Malformed("muster.v1.SessionRequest");
  Fault(part, TooManyOps(part.ops.size(), limits));
}

bool SessionWork::DecodePart(absl::string_view bytes, const Limits& limits) {
  SessionPart& part = AddPart(limits);
  codec::WireReader reader(bytes);
  while (reader.Next()) {
    const OpField op = TakeOp(reader, codec::kPartOps, part.ops);
    if (op == OpField::kMalformed) return false;
    if (op == OpField::kTaken) continue;
    if (reader.Is(v1::SessionPart::kSlotFieldNumber, WireType::kVarint)) {
      part.slot = static_cast<uint32_t>(reader.varint());
    } else if (reader.Is(v1::SessionPart::kOpenFieldNumber, WireType::kBytes)) {
      TakeOpen(part, reader.bytes(), limits);
    } else if (reader.Is(v1::SessionPart::kResumeFieldNumber,
                         WireType::kBytes)) {
      TakeResume(part, reader.bytes(), limits);
    } else if (reader.Is(v1::SessionPart::kCloseFieldNumber,
                         WireType::kVarint)) {
      part.close = reader.varint() != 0;
    }
  }
  ops_ += part.ops.size();
  if (part.slot > limits.max_slot) {
    Fault(part, absl::InvalidArgumentError(
                    absl::StrCat("slot is ", part.slot, "; the limit is ",
                                 limits.max_slot, " (--max-slot)")));
  }
  return reader.ok();
}

void SessionWork::DecodeSessions(std::string bytes, const Limits& limits) {
  bytes_ = std::move(bytes);
  fatal = CheckRequest(bytes_, limits);
  if (!fatal.ok()) return;
  size_t parts = 0;
  codec::WireReader reader(bytes_);
  while (reader.Next()) {
    if (reader.Is(v1::SessionsRequest::kNumberFieldNumber, WireType::kVarint)) {
      number = reader.varint();
    } else if (reader.Is(v1::SessionsRequest::kPartsFieldNumber,
                         WireType::kBytes)) {
      if (++parts > limits.max_batch_ops) continue;
      if (!DecodePart(reader.bytes(), limits)) {
        return Malformed("muster.v1.SessionsRequest");
      }
    }
  }
  if (!reader.ok()) return Malformed("muster.v1.SessionsRequest");
  if (number == 0) {
    fatal = absl::InvalidArgumentError(
        "number is 0; it must be at least 1, and is echoed in the answer");
    return;
  }
  fatal = CheckCount("parts", parts, limits.max_batch_ops, "--max-batch-ops");
  const absl::Status too_many = TooManyOps(ops_, limits);
  for (size_t i = 0; i < used_ && !too_many.ok(); ++i) {
    Fault(parts_[i], too_many);
  }
}

}  // namespace muster::service
