#include "muster/client/held_session.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace muster::client {
namespace {

constexpr absl::Duration kCloseTimeout = absl::Seconds(2);

}  // namespace

HeldSession::HeldSession(Connection* connection, Options options,
                         std::vector<HeldEntry> entries)
    : connection_(connection),
      options_(std::move(options)),
      runner_(connection, options_.give_up) {
  slots_.reserve(entries.size());
  for (HeldEntry& entry : entries) {
    slots_.push_back({std::move(entry), "", false});
  }
}

HeldSession::~HeldSession() = default;

size_t HeldSession::held() const {
  return std::count_if(slots_.begin(), slots_.end(),
                       [](const Slot& slot) { return !slot.ref.empty(); });
}

absl::Status HeldSession::Run(const Observer& observer) {
  const absl::Status status = runner_.Run(
      [&](const std::shared_ptr<grpc::Channel>& channel,
          grpc::ClientContext* context,
          bool* served) { return RunOnce(channel, context, observer, served); },
      observer.on_note);
  Close();
  return status;
}

absl::Status HeldSession::RunOnce(const std::shared_ptr<grpc::Channel>& channel,
                                  grpc::ClientContext* context,
                                  const Observer& observer, bool* served) {
  const auto stream = v1::Presence::NewStub(channel)->Session(context);
  moving_ = false;
  Serve(stream.get(), observer, served);
  if (moving_) context->TryCancel();
  const absl::Status ended = FromGrpc(stream->Finish());
  if (absl::IsNotFound(ended)) {
    // The session has ended meanwhile: a new one takes its place.
    token_.clear();
    resume_number_ = 0;
    for (Slot& slot : slots_) slot.ref.clear();
  }
  return moving_ ? absl::UnavailableError("the node is going away") : ended;
}

void HeldSession::Serve(Stream* stream, const Observer& observer,
                        bool* served) {
  if (!Begin(stream)) return;
  *served = true;
  if (!TrackMissing(stream, observer)) return;
  observer.on_held(held());
  v1::SessionResponse response;
  while (!moving_ && stream->Read(&response)) {
    moving_ = response.moving();
  }
}

bool HeldSession::Begin(Stream* stream) {
  v1::SessionRequest request;
  v1::SessionResponse response;
  const auto grace_ms =
      static_cast<uint32_t>(absl::ToInt64Milliseconds(options_.grace));
  if (token_.empty()) {
    v1::OpenSessionRequest* open = request.mutable_open();
    open->set_grace_ms(grace_ms);
    open->set_epoch(options_.epoch);
    if (!Exchange(stream, &request, &response)) return false;
    token_ = response.opened().token();
    resume_number_ = response.opened().resume_number();
    return true;
  }
  v1::ResumeRequest* resume = request.mutable_resume();
  resume->set_token(token_);
  resume->set_grace_ms(grace_ms);
  resume->set_epoch(options_.epoch);
  resume->set_resume_number(++resume_number_);
  for (const Slot& slot : slots_) {
    if (slot.ref.empty()) continue;
    v1::Entry* entry = resume->add_entries();
    entry->set_topic(slot.entry.topic);
    entry->set_key(slot.entry.key);
    entry->set_ref(slot.ref);
  }
  if (!Exchange(stream, &request, &response)) return false;
  resume_number_ =
      std::max(resume_number_, response.resumed().session().resume_number());
  const absl::flat_hash_set<std::string> missing(
      response.resumed().missing_refs().begin(),
      response.resumed().missing_refs().end());
  for (Slot& slot : slots_) {
    if (missing.contains(slot.ref)) slot.ref.clear();
  }
  return true;
}

bool HeldSession::TrackMissing(Stream* stream, const Observer& observer) {
  auto next = slots_.begin();
  while (next != slots_.end()) {
    v1::SessionRequest request;
    std::vector<Slot*> batch;
    for (;
         next != slots_.end() && batch.size() < options_.operations_per_message;
         ++next) {
      if (!next->ref.empty() || next->refused) continue;
      v1::TrackOp* op = request.add_track();
      op->set_topic(next->entry.topic);
      op->set_key(next->entry.key);
      op->set_meta(next->entry.meta);
      batch.push_back(&*next);
    }
    if (batch.empty()) break;
    v1::SessionResponse response;
    if (runner_.stopped() || moving_ ||
        !Exchange(stream, &request, &response)) {
      return false;
    }
    Acknowledge(batch, response, observer);
  }
  return true;
}

void HeldSession::Acknowledge(const std::vector<Slot*>& batch,
                              const v1::SessionResponse& response,
                              const Observer& observer) {
  const int answered = std::min<int>(static_cast<int>(batch.size()),
                                     response.tracked_refs_size());
  for (int i = 0; i < answered; ++i) batch[i]->ref = response.tracked_refs(i);
  for (const v1::OpError& error : response.track_errors()) {
    if (error.index() >= batch.size()) continue;
    Slot& slot = *batch[error.index()];
    slot.refused = true;
    observer.on_refused(
        slot.entry, absl::Status(static_cast<absl::StatusCode>(error.code()),
                                 error.message()));
  }
}

bool HeldSession::Exchange(Stream* stream, v1::SessionRequest* request,
                           v1::SessionResponse* response) {
  request->set_number(++request_number_);
  if (!stream->Write(*request)) return false;
  while (stream->Read(response)) {
    moving_ = moving_ || response->moving();
    if (response->number() == request->number()) return true;
    if (moving_) return false;
  }
  return false;
}

void HeldSession::Close() {
  if (token_.empty()) return;
  v1::CloseSessionRequest request;
  request.set_token(token_);
  const size_t first = connection_->preferred();
  for (size_t n = 0; n < connection_->size(); ++n) {
    const size_t i = (first + n) % connection_->size();
    if (!connection_->WaitConnected(i).ok()) continue;
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kCloseTimeout));
    v1::CloseSessionResponse response;
    const absl::Status status =
        FromGrpc(v1::Presence::NewStub(connection_->channel(i))
                     ->CloseSession(&context, request, &response));
    // Elsewhere (ABORTED) or gone with its node: the next address may know.
    if (status.ok() || absl::IsNotFound(status)) return;
  }
}

}  // namespace muster::client
