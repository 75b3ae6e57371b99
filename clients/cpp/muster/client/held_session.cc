#include "muster/client/held_session.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace muster::client {
namespace {

constexpr absl::Duration kCloseTimeout = absl::Seconds(2);

// A node publishes its limits in nothing but these errors.
bool IsTooManyOperations(const absl::Status& status) {
  return absl::IsInvalidArgument(status) &&
         absl::StrContains(status.message(), "--max-batch-ops");
}

size_t BytesOf(const HeldEntry& entry) {
  return entry.topic.size() + entry.key.size() + entry.meta.size();
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
      batch_limit_(
          {options_.operations_per_message, options_.bytes_per_message}) {
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
  absl::Status status;
  do {
    status = runner_.Run(
        [&](const std::shared_ptr<grpc::Channel>& channel,
            grpc::ClientContext* context, bool* served) {
          return RunOnce(channel, context, observer, served);
        },
        observer.on_note);
  } while (Shrink(status));
  const absl::Status closed = Close();
  return status.ok() ? closed : status;
}

absl::Status HeldSession::RunOnce(const std::shared_ptr<grpc::Channel>& channel,
                                  grpc::ClientContext* context,
                                  const Observer& observer, bool* served) {
  const auto stream = v1::Presence::NewStub(channel)->Session(context);
  moving_ = false;
  last_batch_ = {};
  if (Begin(stream.get(), observer)) {
    for (size_t i = 0; i < connection_->size(); ++i) {
      if (connection_->channel(i) == channel) home_ = i;
    }
    Serve(stream.get(), observer, served);
  }
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
  if (!TrackMissing(stream, observer, served)) return;
  *served = true;
  observer.on_held(held());
  v1::SessionResponse response;
  while (!moving_ && stream->Read(&response)) {
    moving_ = response.moving();
    TakeEvicted(response, observer);
  }
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
  if (!Exchange(stream, &request, &response, observer)) return false;
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

// Served is what holds more than ever: a stream that ends before has not
// helped, however often it is begun.
bool HeldSession::TrackMissing(Stream* stream, const Observer& observer,
                               bool* served) {
  size_t next = 0;
  size_t now_held = held();
  while (true) {
    v1::SessionRequest request;
    const std::vector<Slot*> batch = NextBatch(&next, &request);
    if (batch.empty()) return true;
    v1::SessionResponse response;
    if (runner_.stopped() || moving_ ||
        !Exchange(stream, &request, &response, observer)) {
      return false;
    }
    now_held += Acknowledge(batch, response, observer);
    if (now_held > most_held_) {
      most_held_ = now_held;
      *served = true;
    }
  }
}

std::vector<HeldSession::Slot*> HeldSession::NextBatch(
    size_t* next, v1::SessionRequest* request) {
  std::vector<Slot*> batch;
  size_t bytes = 0;
  for (; *next < slots_.size(); ++*next) {
    Slot& slot = slots_[*next];
    if (!slot.ref.empty() || slot.refused || slot.evicted) continue;
    const size_t more = BytesOf(slot.entry);
    if (!batch.empty() && (batch.size() >= batch_limit_.operations ||
                           bytes + more > batch_limit_.bytes)) {
      break;
    }
    bytes += more;
    v1::TrackOp* op = request->add_track();
    op->set_topic(slot.entry.topic);
    op->set_key(slot.entry.key);
    op->set_meta(slot.entry.meta);
    batch.push_back(&slot);
  }
  last_batch_ = {batch.size(), bytes};
  return batch;
}

bool HeldSession::Shrink(const absl::Status& error) {
  if (last_batch_.operations <= 1) return false;
  if (IsTooManyOperations(error)) {
    batch_limit_.operations = last_batch_.operations / 2;
    return true;
  }
  if (!IsMessageTooLarge(error)) return false;
  batch_limit_.bytes = last_batch_.bytes / 2;
  return true;
}

size_t HeldSession::Acknowledge(const std::vector<Slot*>& batch,
                                const v1::SessionResponse& response,
                                const Observer& observer) {
  const int answered = std::min<int>(static_cast<int>(batch.size()),
                                     response.tracked_refs_size());
  size_t acknowledged = 0;
  for (int i = 0; i < answered; ++i) {
    batch[i]->ref = response.tracked_refs(i);
    if (!batch[i]->ref.empty()) ++acknowledged;
  }
  for (const v1::OpError& error : response.track_errors()) {
    if (error.index() >= batch.size()) continue;
    Slot& slot = *batch[error.index()];
    slot.refused = true;
    observer.on_refused(
        slot.entry, absl::Status(static_cast<absl::StatusCode>(error.code()),
                                 error.message()));
  }
  return acknowledged;
}

void HeldSession::TakeEvicted(const v1::SessionResponse& response,
                              const Observer& observer) {
  for (const v1::EvictedEntry& evicted : response.evicted()) {
    const auto slot = std::find_if(
        slots_.begin(), slots_.end(),
        [&evicted](const Slot& s) { return s.ref == evicted.ref(); });
    if (slot == slots_.end() || evicted.ref().empty()) continue;
    slot->ref.clear();
    slot->evicted = true;
    if (observer.on_evicted != nullptr) {
      observer.on_evicted(slot->entry, evicted.reason(), held());
    }
  }
}

bool HeldSession::Exchange(Stream* stream, v1::SessionRequest* request,
                           v1::SessionResponse* response,
                           const Observer& observer) {
  request->set_number(++request_number_);
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
    // Elsewhere, and unknown here, may still be a session in its grace.
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
