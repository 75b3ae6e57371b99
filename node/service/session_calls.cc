// Session and Sessions, and the calls for sessions without a stream.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "node/codec/client_codec.h"
#include "node/service/batch_requests.h"
#include "node/service/presence_service.h"
#include "node/service/session_stream.h"
#include "node/service/session_work.h"
#include "node/service/sink.h"
#include "node/service/tokens.h"
#include "node/service/unary.h"
#include "node/service/validate.h"

namespace muster::service {
namespace {

using codec::WireWriter;

// ------------------------------------------------------------------ batches

std::string EncodeTracked(const core::ApplyReply& reply) {
  std::string bytes;
  WireWriter out(&bytes);
  WriteRefs(v1::TrackResponse::kRefsFieldNumber, reply.tracked, out);
  WriteErrors(v1::TrackResponse::kErrorsFieldNumber, reply.track_errors, out);
  return bytes;
}

std::string EncodeUpdated(const core::ApplyReply& reply) {
  std::string bytes;
  WireWriter out(&bytes);
  WriteRefs(v1::UpdateResponse::kRefsFieldNumber, reply.updated, out);
  WriteErrors(v1::UpdateResponse::kErrorsFieldNumber, reply.update_errors, out);
  return bytes;
}

std::string EncodeUntracked(const core::ApplyReply& reply) {
  std::string bytes;
  WireWriter out(&bytes);
  WriteErrors(v1::UntrackResponse::kErrorsFieldNumber, reply.untrack_errors,
              out);
  return bytes;
}

// A batch on its way through the loop, in slices.
struct UnaryBatch {
  Batch batch;
  core::ApplyReply outcome;
  UnaryReply reply;
  std::string (*encode)(const core::ApplyReply&);
};
constexpr size_t kOpsPerStep = 128;

void ApplySome(Context& context, std::unique_ptr<UnaryBatch> unary,
               core::Replica& replica, core::Now now) {
  if (!replica.MayWrite(now)) {
    context.sink.WhenMayWrite(
        [&context, unary = std::move(unary)](core::Replica& replica,
                                             core::Now now) mutable {
          ApplySome(context, std::move(unary), replica, now);
        });
    return;
  }
  size_t budget = kOpsPerStep;
  OpBatch& ops = unary->batch.ops;
  const absl::StatusOr<bool> done =
      replica.ApplySome(ops.request(), now, unary->outcome, budget);
  if (done.ok() && !*done) {
    context.core.Post([&context, unary = std::move(unary)](
                          core::Replica& replica, core::Now now) mutable {
      ApplySome(context, std::move(unary), replica, now);
    });
    return;
  }
  using Answer = absl::StatusOr<core::ApplyReply>;
  if (done.ok()) ops.Complete(&unary->outcome);
  AnswerLater(
      context, std::move(unary->reply),
      done.ok() ? Answer(std::move(unary->outcome)) : Answer(done.status()),
      unary->encode);
}

grpc::ServerUnaryReactor* ApplyBatch(
    Context& context, const char* type, const codec::OpFields& fields,
    const grpc::ByteBuffer& request, grpc::ByteBuffer* response,
    std::string (*encode)(const core::ApplyReply&)) {
  UnaryCall call = ServeUnary(response);
  auto unary = std::make_unique<UnaryBatch>();
  unary->batch.bytes = ToString(request);
  unary->encode = encode;
  const absl::Status status =
      DecodeBatch(type, fields, context.limits, &unary->batch);
  if (!status.ok()) {
    Fail(std::move(call.reply), status);
    return call.reactor;
  }
  unary->reply = std::move(call.reply);
  context.core.Post([&context, unary = std::move(unary)](
                        core::Replica& replica, core::Now now) mutable {
    ApplySome(context, std::move(unary), replica, now);
  });
  return call.reactor;
}

// ---------------------------------------------------------------- heartbeats

// A batch of heartbeats on its way through the loop, in slices.
struct Heartbeats {
  std::vector<Beat> beats;
  size_t next = 0;
  std::vector<core::IndexedError> errors;
  UnaryReply reply;
};
constexpr size_t kBeatsPerStep = 256;

std::string EncodeHeartbeats(const std::vector<core::IndexedError>& errors) {
  std::string bytes;
  WireWriter out(&bytes);
  WriteErrors(v1::HeartbeatResponse::kErrorsFieldNumber, errors, out);
  return bytes;
}

void BeatSome(Context& context, std::unique_ptr<Heartbeats> heartbeats,
              core::Replica& replica, core::Now now) {
  using Answer = absl::StatusOr<std::vector<core::IndexedError>>;
  const absl::Status serving = replica.Serving();
  if (!serving.ok()) {
    AnswerLater(context, std::move(heartbeats->reply), Answer(serving),
                EncodeHeartbeats);
    return;
  }
  const size_t end =
      std::min(heartbeats->beats.size(), heartbeats->next + kBeatsPerStep);
  for (size_t& i = heartbeats->next; i < end; ++i) {
    const Beat& beat = heartbeats->beats[i];
    absl::Status status =
        beat.session.ok() ? replica.Heartbeat(*beat.session, beat.epoch, now)
                          : beat.session.status();
    if (status.ok()) continue;
    heartbeats->errors.push_back({static_cast<uint32_t>(i), std::move(status)});
  }
  if (end == heartbeats->beats.size()) {
    AnswerLater(context, std::move(heartbeats->reply),
                Answer(std::move(heartbeats->errors)), EncodeHeartbeats);
    return;
  }
  context.core.Post([&context, heartbeats = std::move(heartbeats)](
                        core::Replica& replica, core::Now now) mutable {
    BeatSome(context, std::move(heartbeats), replica, now);
  });
}

// ------------------------------------------------------------------- resumes

// A resume without a stream, from its call to its answer.
struct UnaryResume {
  ResumeWish wish;
  UnaryReply reply;
};

std::string EncodeResumed(const core::ResumeReply& reply,
                          absl::string_view token, absl::string_view node) {
  std::string bytes;
  WireWriter out(&bytes);
  const size_t mark = out.Begin(v1::ResumeResponse::kSessionFieldNumber);
  codec::WriteOpened(reply.info, token, node, out);
  out.End(mark);
  WriteRefs(v1::ResumeResponse::kMissingRefsFieldNumber, reply.missing, out);
  return bytes;
}

// Loop thread. A stream that held the session holds it no longer.
void OnResumed(Context& context, crdt::SessionId session,
               std::unique_ptr<UnaryResume> resume,
               absl::StatusOr<core::ResumeReply> reply) {
  SessionRegistry& registry = context.sink.sessions();
  const bool left = registry.EndResume(session);
  if (reply.ok()) {
    registry.Release(
        session, absl::AbortedError("session moved: it was resumed without a "
                                    "stream on this node"));
  } else if (left) {
    context.core.Post([session](core::Replica& replica, core::Now now) {
      replica.Disconnect(session, now);
    });
  }
  AnswerLater(context, std::move(resume->reply), std::move(reply),
              [token = resume->wish.message.token(),
               node = context.node](const core::ResumeReply& reply) {
                return EncodeResumed(reply, token, node);
              });
}

void StartResume(Context& context, std::unique_ptr<UnaryResume> resume,
                 core::Replica& replica, core::Now now) {
  const absl::Status serving = replica.Serving();
  if (!serving.ok()) {
    AnswerLater(context, std::move(resume->reply),
                absl::StatusOr<core::ResumeReply>(serving),
                [](const core::ResumeReply&) { return std::string(); });
    return;
  }
  core::ResumeRequest request = std::move(resume->wish.request);
  const crdt::SessionId session = request.open.session;
  context.sink.sessions().BeginResume(session);
  const core::RequestId id = context.sink.ExpectReply(
      [&context, session, resume = std::move(resume)](
          absl::StatusOr<core::ResumeReply> reply) mutable {
        OnResumed(context, session, std::move(resume), std::move(reply));
      });
  replica.Resume(id, std::move(request), now);
}

}  // namespace

RawBidiReactor* PresenceService::Session(Call*) {
  return ServeBidi(std::make_shared<SessionStream>(
      SessionStream::Kind::kSession, &context_));
}

RawBidiReactor* PresenceService::Sessions(Call*) {
  return ServeBidi(std::make_shared<SessionStream>(
      SessionStream::Kind::kSessions, &context_));
}

grpc::ServerUnaryReactor* PresenceService::OpenSession(Call*,
                                                       const Buffer* request,
                                                       Buffer* response) {
  UnaryCall call = ServeUnary(response);
  v1::OpenSessionRequest message;
  core::OpenSessionRequest open;
  absl::Status status =
      ParseRequest(ToString(*request), context_.limits, &message);
  if (status.ok()) status = CheckOpen(message, context_.limits, &open);
  std::string token = NewToken();
  const absl::StatusOr<crdt::SessionId> session = SessionOf(token);
  if (status.ok() && !session.ok()) {
    status = absl::InternalError("no random numbers for a token");
  }
  if (!status.ok()) {
    Fail(std::move(call.reply), status);
    return call.reactor;
  }
  open.session = *session;
  AskCore(
      context_, std::move(call.reply),
      [open](core::Replica& replica, core::Now now) {
        return replica.OpenSession(open, now);
      },
      [token = std::move(token),
       node = context_.node](const core::SessionInfo& info) {
        std::string bytes;
        WireWriter out(&bytes);
        codec::WriteOpened(info, token, node, out);
        return bytes;
      });
  return call.reactor;
}

grpc::ServerUnaryReactor* PresenceService::CloseSession(Call*,
                                                        const Buffer* request,
                                                        Buffer* response) {
  UnaryCall call = ServeUnary(response);
  v1::CloseSessionRequest message;
  absl::Status status =
      ParseRequest(ToString(*request), context_.limits, &message);
  const absl::StatusOr<crdt::SessionId> session = SessionOf(message.token());
  if (status.ok()) status = session.status();
  if (!status.ok()) {
    Fail(std::move(call.reply), status);
    return call.reactor;
  }
  AskCore(
      context_, std::move(call.reply),
      [this, session = *session](core::Replica& replica,
                                 core::Now now) -> absl::StatusOr<bool> {
        const absl::Status closed = replica.CloseSession(session, now);
        if (!closed.ok()) return closed;
        context_.sink.sessions().Release(
            session, absl::AbortedError("session was closed by CloseSession"));
        return true;
      },
      [](bool) { return std::string(); });
  return call.reactor;
}

grpc::ServerUnaryReactor* PresenceService::Resume(Call*, const Buffer* request,
                                                  Buffer* response) {
  UnaryCall call = ServeUnary(response);
  auto resume = std::make_unique<UnaryResume>();
  absl::Status status =
      ParseRequest(ToString(*request), context_.limits, &resume->wish.message);
  if (status.ok()) status = CheckResume(context_.limits, &resume->wish);
  if (!status.ok()) {
    Fail(std::move(call.reply), status);
    return call.reactor;
  }
  resume->reply = std::move(call.reply);
  context_.core.Post([this, resume = std::move(resume)](core::Replica& replica,
                                                        core::Now now) mutable {
    StartResume(context_, std::move(resume), replica, now);
  });
  return call.reactor;
}

grpc::ServerUnaryReactor* PresenceService::Track(Call*, const Buffer* request,
                                                 Buffer* response) {
  return ApplyBatch(context_, "muster.v1.TrackRequest",
                    {0, 0, v1::TrackRequest::kOpsFieldNumber}, *request,
                    response, EncodeTracked);
}

grpc::ServerUnaryReactor* PresenceService::Update(Call*, const Buffer* request,
                                                  Buffer* response) {
  return ApplyBatch(context_, "muster.v1.UpdateRequest",
                    {0, v1::UpdateRequest::kOpsFieldNumber, 0}, *request,
                    response, EncodeUpdated);
}

grpc::ServerUnaryReactor* PresenceService::Untrack(Call*, const Buffer* request,
                                                   Buffer* response) {
  return ApplyBatch(context_, "muster.v1.UntrackRequest",
                    {v1::UntrackRequest::kRefsFieldNumber, 0, 0}, *request,
                    response, EncodeUntracked);
}

grpc::ServerUnaryReactor* PresenceService::Heartbeat(Call*,
                                                     const Buffer* request,
                                                     Buffer* response) {
  UnaryCall call = ServeUnary(response);
  auto beats = DecodeHeartbeats(ToString(*request), context_.limits);
  if (!beats.ok()) {
    Fail(std::move(call.reply), beats.status());
    return call.reactor;
  }
  auto heartbeats = std::make_unique<Heartbeats>();
  heartbeats->beats = *std::move(beats);
  heartbeats->reply = std::move(call.reply);
  context_.core.Post([this, heartbeats = std::move(heartbeats)](
                         core::Replica& replica, core::Now now) mutable {
    BeatSome(context_, std::move(heartbeats), replica, now);
  });
  return call.reactor;
}

}  // namespace muster::service
