// A request of a Session or Sessions stream. The reader written by hand
// agrees with the generated classes on whatever they write, and any request
// can be answered.
#include <google/protobuf/message.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/unknown_field_set.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "crdt/check.h"
#include "muster/v1/presence.pb.h"
#include "node/service/session_work.h"
#include "tests/fuzz/byte_source.h"

namespace {

using namespace muster;
using service::SessionPart;
using service::SessionWork;

crdt::Ref RefOf(size_t i) {
  return {7, crdt::ElementId(i + 1), crdt::Seq(i + 1)};
}

// As a core that grants one thing and refuses the next.
void Answer(SessionPart& part) {
  const core::ApplyRequest& request = part.ops.request();
  core::ApplyReply& reply = part.reply;
  const absl::Status refused = absl::AlreadyExistsError("refused");
  for (size_t i = 0; i < request.track.size(); ++i) {
    reply.tracked.push_back(i % 2 == 0 ? RefOf(i) : crdt::Ref());
    if (i % 2 != 0) {
      reply.track_errors.push_back({static_cast<uint32_t>(i), refused});
    }
  }
  for (size_t i = 0; i < request.update.size(); ++i) {
    reply.updated.push_back(RefOf(i));
  }
  part.ops.Complete(&reply);
  MUSTER_CHECK(reply.tracked.size() >= request.track.size());
  MUSTER_CHECK(reply.tracked.size() + reply.updated.size() <= part.ops.size());
}

void CheckPart(const service::Limits& limits, SessionPart& part) {
  MUSTER_CHECK((part.start == SessionPart::Start::kResume) ==
                   (part.resume != nullptr) ||
               part.start == SessionPart::Start::kOpen);
  const core::ApplyRequest& request = part.ops.request();
  for (const core::TrackOp& op : request.track) {
    MUSTER_CHECK(!op.topic.empty() && !op.key.empty());
    MUSTER_CHECK(op.topic.size() <= limits.max_name_bytes);
    MUSTER_CHECK(op.meta.size() <= limits.max_meta_bytes);
  }
  if (!part.status.ok()) return;
  MUSTER_CHECK(part.slot <= limits.max_slot);
  MUSTER_CHECK(part.ops.size() <= limits.max_batch_ops);
  if (part.start != SessionPart::Start::kNone) {
    MUSTER_CHECK(!part.open.session.IsZero() && part.open.stream);
    MUSTER_CHECK(part.open.grace <= limits.max_grace);
  }
  Answer(part);
}

// A group, at any depth. Proto3 has none: the reader refuses them, while the
// generated classes keep one as an unknown field and write it again.
bool HasGroups(const google::protobuf::Message& message) {
  const google::protobuf::Reflection& fields = *message.GetReflection();
  const google::protobuf::UnknownFieldSet& unknown =
      fields.GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count(); ++i) {
    if (unknown.field(i).type() == google::protobuf::UnknownField::TYPE_GROUP) {
      return true;
    }
  }
  std::vector<const google::protobuf::FieldDescriptor*> set;
  fields.ListFields(message, &set);
  for (const google::protobuf::FieldDescriptor* field : set) {
    if (field->message_type() == nullptr) continue;
    if (!field->is_repeated()) {
      if (HasGroups(fields.GetMessage(message, field))) return true;
      continue;
    }
    for (int i = 0; i < fields.FieldSize(message, field); ++i) {
      if (HasGroups(fields.GetRepeatedMessage(message, field, i))) return true;
    }
  }
  return false;
}

// What the generated classes have written has no doubtful readings.
template <class Message>
bool ParsesAsWritten(const std::string& bytes, Message* message) {
  return message->ParseFromString(bytes) &&
         message->SerializeAsString() == bytes && !HasGroups(*message);
}

template <class Message>
size_t Ops(const Message& message) {
  return static_cast<size_t>(message.track_size() + message.update_size() +
                             message.untrack_size());
}

void TrySession(const std::string& bytes, const service::Limits& limits,
                SessionWork& work) {
  work.DecodeSession(bytes, limits);
  v1::SessionRequest message;
  if (ParsesAsWritten(bytes, &message)) {
    MUSTER_CHECK(work.fatal.ok() && work.number == message.number());
    MUSTER_CHECK(work.part(0).ops.size() == Ops(message));
  }
  if (!work.fatal.ok()) return;
  CheckPart(limits, work.part(0));
  // That ends the stream.
  if (!work.part(0).status.ok()) return;
  v1::SessionResponse response;
  MUSTER_CHECK(response.ParseFromString(work.EncodeSession("a")));
  MUSTER_CHECK(response.number() == work.number);
}

void TrySessions(const std::string& bytes, const service::Limits& limits,
                 SessionWork& work) {
  work.DecodeSessions(bytes, limits);
  v1::SessionsRequest message;
  if (ParsesAsWritten(bytes, &message) && work.fatal.ok()) {
    MUSTER_CHECK(work.number == message.number());
    MUSTER_CHECK(work.part_count() ==
                 static_cast<size_t>(message.parts_size()));
    for (size_t i = 0; i < work.part_count(); ++i) {
      const v1::SessionPart& part = message.parts(static_cast<int>(i));
      MUSTER_CHECK(work.part(i).slot == part.slot());
      MUSTER_CHECK(work.part(i).close == part.close());
      MUSTER_CHECK(work.part(i).ops.size() == Ops(part));
    }
  }
  if (!work.fatal.ok()) return;
  MUSTER_CHECK(work.part_count() <= limits.max_batch_ops);
  for (size_t i = 0; i < work.part_count(); ++i) {
    CheckPart(limits, work.part(i));
  }
  v1::SessionsResponse response;
  MUSTER_CHECK(response.ParseFromString(work.EncodeSessions("a")));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  google::protobuf::SetLogHandler(nullptr);
  fuzz::ByteSource source(data, size);
  const uint8_t mode = source.Byte();
  service::Limits limits;
  if ((mode & 2) != 0) {
    limits.max_name_bytes = 4;
    limits.max_meta_bytes = 4;
    limits.max_batch_ops = 2;
    limits.max_resume_entries = 1;
    limits.max_slot = 1;
  }
  // Used again, as in a stream: what was before must not show.
  SessionWork work;
  for (int i = 0; i < 2; ++i) {
    const std::string bytes(source.Rest());
    if ((mode & 1) != 0) {
      TrySessions(bytes, limits, work);
    } else {
      TrySession(bytes, limits, work);
    }
    work.Clear();
  }
  return 0;
}
