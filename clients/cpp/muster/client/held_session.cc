#include "muster/client/held_session.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace muster::client {
namespace {

constexpr absl::Duration kCloseTimeout = absl::Seconds(2);

// A node tells its limits only in these errors.
bool IsTooManyOperations(const absl::Status& status) {
  return absl::IsInvalidArgument(status) &&
         absl::StrContains(status.message(), "--max-batch-ops");
}

std::unique_ptr<grpc::ClientContext> ContextForClose(
    const Connection& connection) {
  auto context = std::make_unique<grpc::ClientContext>();
  connection.Prepare(context.get());
  context->set_deadline(absl::ToChronoTime(absl::Now() + kCloseTimeout));
  return context;
}

}  // namespace

HeldSession::HeldSession(Connection* connection, Options options,
                         std::vector<HeldEntry> entries)
    : connection_(connection),
      options_(std::move(options)),
      runner_(connection, options_.give_up),
      entries_(std::move(entries)),
      batch_limit_(
          {options_.operations_per_message, options_.bytes_per_message}) {}

HeldSession::~HeldSession() = default;

absl::Status HeldSession::CheckRunning() const {
  return over_ ? absl::FailedPreconditionError("the session has ended")
               : absl::OkStatus();
}

absl::Status HeldSession::Track(HeldEntry entry) {
  absl::MutexLock lock(&mutex_);
  const absl::Status status = CheckRunning();
  return status.ok() ? entries_.Track(std::move(entry)) : status;
}

absl::Status HeldSession::Update(absl::string_view topic, absl::string_view key,
                                 std::string meta) {
  absl::MutexLock lock(&mutex_);
  const absl::Status status = CheckRunning();
  return status.ok() ? entries_.Update(topic, key, std::move(meta)) : status;
}

absl::Status HeldSession::Untrack(absl::string_view topic,
                                  absl::string_view key) {
  absl::MutexLock lock(&mutex_);
  const absl::Status status = CheckRunning();
  return status.ok() ? entries_.Untrack(topic, key) : status;
}

absl::Status HeldSession::Run(const Observer& observer) {
  absl::Status status;
  do {
    status = runner_.Run(
        [&](const std::shared_ptr<grpc::Channel>& channel,
            grpc::ClientContext* context, const StreamRunner::Served& served) {
          return RunOnce(channel, context, observer, served);
        },
        observer.on_note);
  } while (Shrink(status));
  {
    absl::MutexLock lock(&mutex_);
    over_ = true;
  }
  const absl::Status closed = Close();
  return status.ok() ? closed : status;
}

absl::Status HeldSession::RunOnce(const std::shared_ptr<grpc::Channel>& channel,
                                  grpc::ClientContext* context,
                                  const Observer& observer,
                                  const StreamRunner::Served& served) {
  const auto stream = v1::Presence::NewStub(channel)->Session(context);
  moving_ = false;
  if (Begin(stream.get(), observer)) {
    for (size_t i = 0; i < connection_->size(); ++i) {
      if (connection_->channel(i) == channel) home_ = i;
    }
    Serve(stream.get(), context, observer, served);
  }
  if (moving_) context->TryCancel();
  const absl::Status ended = FromGrpc(stream->Finish());
  const bool goes_on = RefuseTooLarge(ended, observer);
  absl::MutexLock lock(&mutex_);
  last_batch_ = entries_.batch_size();
  entries_.StreamEnded();
  if (absl::IsNotFound(ended)) {
    // The session has ended meanwhile: a new one takes its place.
    token_.clear();
    resume_number_ = 0;
    entries_.SessionEnded();
  }
  if (moving_) return absl::UnavailableError("the node is going away");
  return goes_on ? absl::UnavailableError(ended.message()) : ended;
}

bool HeldSession::Begin(Stream* stream, const Observer& observer) {
  v1::SessionRequest request;
  v1::SessionResponse response;
  const auto grace_ms =
      static_cast<uint32_t>(absl::ToInt64Milliseconds(options_.grace));
  if (token_.empty()) {
    v1::OpenSessionRequest* open = request.mutable_open();
    open->set_grace_ms(grace_ms);
    open->set_epoch(options_.epoch);
    if (!Exchange(stream, &request, &response, observer)) return false;
    token_ = response.opened().token();
    resume_number_ = response.opened().resume_number();
  } else {
    v1::ResumeRequest* resume = request.mutable_resume();
    resume->set_token(token_);
    resume->set_grace_ms(grace_ms);
    resume->set_epoch(options_.epoch);
    resume->set_resume_number(++resume_number_);
    {
      absl::MutexLock lock(&mutex_);
      entries_.FillResume(resume);
    }
    if (!Exchange(stream, &request, &response, observer)) return false;
    resume_number_ =
        std::max(resume_number_, response.resumed().session().resume_number());
  }
  absl::MutexLock lock(&mutex_);
  entries_.StreamBegun(response.resumed());
  open_ = true;
  return true;
}

void HeldSession::Serve(Stream* stream, grpc::ClientContext* context,
                        const Observer& observer,
                        const StreamRunner::Served& served) {
  std::thread writer([this, stream] { WriteBatches(stream); });
  SayIfHeld(observer, served);
  ReadAnswers(stream, observer, served);
  // A write may wait for a node that has stopped reading.
  if (moving_) context->TryCancel();
  {
    absl::MutexLock lock(&mutex_);
    open_ = false;
  }
  writer.join();
}

void HeldSession::WriteBatches(Stream* stream) {
  while (true) {
    v1::SessionRequest request;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &HeldSession::WriterHasWork));
      if (!open_) return;
      if (!entries_.NextBatch(batch_limit_, &request)) continue;
      request.set_number(++request_number_);
    }
    if (!stream->Write(request)) return;
  }
}

void HeldSession::ReadAnswers(Stream* stream, const Observer& observer,
                              const StreamRunner::Served& served) {
  v1::SessionResponse response;
  while (!moving_ && stream->Read(&response)) {
    moving_ = response.moving();
    TakeEvicted(response, observer);
    bool answered = false;
    size_t now_held = 0;
    {
      absl::MutexLock lock(&mutex_);
      answered = entries_.in_flight() && response.number() == request_number_;
    }
    if (!answered) continue;
    TakeAnswer(response, observer);
    {
      absl::MutexLock lock(&mutex_);
      now_held = entries_.held();
    }
    // A stream has served once it holds more than ever. One that ends before
    // has not helped, however often it is begun.
    if (now_held > most_held_) {
      most_held_ = now_held;
      served();
    }
    if (!moving_) SayIfHeld(observer, served);
  }
}

void HeldSession::TakeAnswer(const v1::SessionResponse& response,
                             const Observer& observer) {
  std::vector<HeldEntries::Refusal> refusals;
  {
    absl::MutexLock lock(&mutex_);
    refusals = entries_.Acknowledge(response);
  }
  if (!observer.on_refused) return;
  for (const HeldEntries::Refusal& refusal : refusals) {
    observer.on_refused(refusal.entry, refusal.status);
  }
}

void HeldSession::SayIfHeld(const Observer& observer,
                            const StreamRunner::Served& served) {
  size_t held = 0;
  {
    absl::MutexLock lock(&mutex_);
    if (!entries_.Settled()) return;
    held = entries_.held();
  }
  ever_held_ = true;
  served();
  if (observer.on_held) observer.on_held(held);
}

bool HeldSession::RefuseTooLarge(const absl::Status& ended,
                                 const Observer& observer) {
  if (!ever_held_ || !IsMessageTooLarge(ended)) return false;
  HeldEntries::Refusal refusal;
  {
    absl::MutexLock lock(&mutex_);
    if (entries_.batch_size().operations != 1) return false;
    refusal = entries_.RefuseBatch(ended);
  }
  if (observer.on_refused) observer.on_refused(refusal.entry, refusal.status);
  return true;
}

bool HeldSession::Shrink(const absl::Status& error) {
  if (last_batch_.operations <= 1) return false;
  absl::MutexLock lock(&mutex_);
  if (IsTooManyOperations(error)) {
    batch_limit_.operations = last_batch_.operations / 2;
    return true;
  }
  if (!IsMessageTooLarge(error)) return false;
  batch_limit_.bytes = last_batch_.bytes / 2;
  return true;
}

void HeldSession::TakeEvicted(const v1::SessionResponse& response,
                              const Observer& observer) {
  for (const v1::EvictedEntry& evicted : response.evicted()) {
    std::optional<HeldEntry> entry;
    size_t held = 0;
    {
      absl::MutexLock lock(&mutex_);
      entry = entries_.GiveUp(evicted.ref());
      held = entries_.held();
    }
    if (entry.has_value() && observer.on_evicted) {
      observer.on_evicted(*entry, evicted.reason(), held);
    }
  }
}

bool HeldSession::Exchange(Stream* stream, v1::SessionRequest* request,
                           v1::SessionResponse* response,
                           const Observer& observer) {
  {
    absl::MutexLock lock(&mutex_);
    request->set_number(++request_number_);
  }
  if (!stream->Write(*request)) return false;
  while (stream->Read(response)) {
    moving_ = moving_ || response->moving();
    TakeEvicted(*response, observer);
    if (response->number() == request->number()) return true;
    if (moving_) return false;
  }
  return false;
}

absl::Status HeldSession::Close() {
  if (token_.empty()) return absl::OkStatus();
  std::string reason;
  for (size_t n = 0; n < connection_->size(); ++n) {
    const size_t i = (home_ + n) % connection_->size();
    absl::Status status = CloseAt(i);
    // The session is unknown here, but may be in its grace elsewhere.
    const bool elsewhere =
        absl::IsAborted(status) || (n > 0 && absl::IsNotFound(status));
    if (elsewhere) status = TakeOverAndCloseAt(i);
    if (status.ok() || absl::IsNotFound(status)) return absl::OkStatus();
    absl::StrAppend(&reason, reason.empty() ? "" : "; ",
                    connection_->address(i), ": ", ReasonOf(status));
  }
  return absl::UnavailableError(
      absl::StrCat("no node could be told to end the session (", reason,
                   "): its entries leave when their node is found dead and "
                   "their grace is over"));
}

absl::Status HeldSession::CloseAt(size_t address) {
  const absl::Status connected = connection_->WaitConnected(address);
  if (!connected.ok()) return connected;
  v1::CloseSessionRequest request;
  request.set_token(token_);
  v1::CloseSessionResponse response;
  return FromGrpc(v1::Presence::NewStub(connection_->channel(address))
                      ->CloseSession(ContextForClose(*connection_).get(),
                                     request, &response));
}

absl::Status HeldSession::TakeOverAndCloseAt(size_t address) {
  v1::ResumeRequest request;
  request.set_token(token_);
  request.set_epoch(options_.epoch);
  request.set_resume_number(++resume_number_);
  v1::ResumeResponse response;
  const absl::Status status = FromGrpc(
      v1::Presence::NewStub(connection_->channel(address))
          ->Resume(ContextForClose(*connection_).get(), request, &response));
  return status.ok() ? CloseAt(address) : status;
}

}  // namespace muster::client
