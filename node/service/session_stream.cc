#include "node/service/session_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "node/service/sink.h"

namespace muster::service {
namespace {

// Limits of one step of the loop: operations, and sessions that it disconnects,
// each of which may remove some entries at once.
constexpr size_t kStepBudget = 128;
constexpr size_t kDisconnects = 32;
// Slots named in one message of ended sessions.
constexpr size_t kEndedPerMessage = 500;
// Evicted entries named in one message: with names and a reason of 1 KiB each
// they stay below the 4 MiB that gRPC's clients take.
constexpr size_t kEvictedPerMessage = 256;
// Works kept for use again by a stream that carries many sessions.
constexpr size_t kSpareWorks = 2;

}  // namespace

SessionStream::SessionStream(Kind kind, Context* context)
    : StreamWriter(&context->offload), kind_(kind), context_(*context) {}

std::shared_ptr<SessionStream> SessionStream::Self() {
  return std::static_pointer_cast<SessionStream>(shared_from_this());
}

// ------------------------------------------------------------- gRPC threads

void SessionStream::OnStarted() {
  context_.core.Post([self = Self()](core::Replica&, core::Now) {
    self->index_ = self->context_.sink.sessions().Add(self);
  });
  Read();
}

SessionStream::Work SessionStream::NewWork() {
  MutexLock lock(mutex());
  if (spare_.empty()) return std::make_unique<SessionWork>();
  Work work = std::move(spare_.back());
  spare_.pop_back();
  return work;
}

bool SessionStream::MayRead() const {
  return in_flight_ < context_.limits.max_stream_requests &&
         in_flight_bytes_ < context_.limits.max_stream_bytes;
}

void SessionStream::OnRead(std::string bytes) {
  Work work = NewWork();
  if (kind_ == Kind::kSession) {
    work->DecodeSession(std::move(bytes), context_.limits);
  } else {
    work->DecodeSessions(std::move(bytes), context_.limits);
  }
  const bool fatal = !work->fatal.ok();
  bool read_on;
  {
    MutexLock lock(mutex());
    ++in_flight_;
    in_flight_bytes_ += work->bytes();
    read_on = MayRead();
    paused_ = !read_on;
  }
  HandOver(std::move(work));
  if (read_on && !fatal) Read();
}

void SessionStream::HandOver(Work work) {
  {
    MutexLock lock(mutex());
    incoming_.push_back(std::move(work));
    if (std::exchange(run_posted_, true)) return;
  }
  PostRun();
}

void SessionStream::PostRun() {
  context_.core.Post([self = Self()](core::Replica& replica, core::Now now) {
    self->Run(replica, now);
  });
}

void SessionStream::OnReadsDone() {
  auto work = std::make_unique<SessionWork>();
  work->last = true;
  HandOver(std::move(work));
}

bool SessionStream::HasNext() const { return !ready_.empty(); }

std::optional<Outgoing> SessionStream::TakeNext() {
  Work work;
  {
    MutexLock lock(mutex());
    if (ready_.empty()) return std::nullopt;
    work = std::move(ready_.front());
    ready_.pop_front();
    sending_ = work->part_count() > 0 || work->number != 0 ? 1 : 0;
    sending_bytes_ = work->bytes();
  }
  Outgoing message;
  message.head = kind_ == Kind::kSession ? work->EncodeSession(context_.node)
                                         : work->EncodeSessions(context_.node);
  if (kind_ == Kind::kSessions) {
    work->Clear();
    MutexLock lock(mutex());
    if (spare_.size() < kSpareWorks) spare_.push_back(std::move(work));
  }
  return message;
}

void SessionStream::OnSent() {
  bool read_on;
  {
    MutexLock lock(mutex());
    in_flight_ -= std::exchange(sending_, 0);
    in_flight_bytes_ -= std::exchange(sending_bytes_, 0);
    read_on = paused_ && MayRead();
    if (read_on) paused_ = false;
  }
  if (read_on) Read();
}

void SessionStream::OnClosed() {
  context_.core.Post([self = Self()](core::Replica& replica, core::Now now) {
    self->Close(replica, now);
  });
}

// -------------------------------------------------------------- loop thread

void SessionStream::TakeIncoming() {
  MutexLock lock(mutex());
  for (Work& work : incoming_) {
    to_do_.push_back(work.get());
    order_.push_back(std::move(work));
  }
  incoming_.clear();
}

void SessionStream::Run(core::Replica& replica, core::Now now) {
  if (!over_ && !replica.MayWrite(now)) {
    context_.sink.WhenMayWrite(
        [self = Self()](core::Replica& replica, core::Now now) {
          self->Run(replica, now);
        });
    return;
  }
  TakeIncoming();
  size_t budget = kStepBudget;
  bool done = RunResumed(replica, now, budget);
  while (done && !over_ && !to_do_.empty()) {
    done = RunWork(replica, now, *to_do_.front(), budget);
    if (done) to_do_.pop_front();
    Emit();
  }
  {
    MutexLock lock(mutex());
    run_posted_ = !over_ && (!done || !incoming_.empty());
    if (!run_posted_) return;
  }
  PostRun();
}

bool SessionStream::RunResumed(core::Replica& replica, core::Now now,
                               size_t& budget) {
  while (!over_ && !resumed_.empty()) {
    if (!RunSlot(replica, now, resumed_.front(), budget)) return false;
    resumed_.pop_front();
    Emit();
  }
  return true;
}

// A part that has waited may resume another session in the slot: later parts
// then wait on.
bool SessionStream::RunSlot(core::Replica& replica, core::Now now,
                            uint32_t slot, size_t& budget) {
  Resuming& resuming = resuming_.at(slot);
  while (resuming.answered && !resuming.waiting.empty()) {
    const PartAt at = resuming.waiting.front();
    if (!RunPart(replica, now, at, budget)) return false;
    resuming.waiting.pop_front();
    --at.first->waiting;
  }
  if (resuming.answered) resuming_.erase(slot);
  return true;
}

bool SessionStream::RunWork(core::Replica& replica, core::Now now,
                            SessionWork& work, size_t& budget) {
  if (work.fatal.ok() && work.next_part == 0 && !work.last) {
    work.fatal = replica.Serving();
  }
  if (!work.fatal.ok()) {
    work.next_part = work.part_count();
    return true;
  }
  for (; work.next_part < work.part_count(); ++work.next_part) {
    const PartAt at(&work, &work.part(work.next_part));
    const auto resuming = resuming_.find(at.second->slot);
    if (resuming != resuming_.end()) {
      resuming->second.waiting.push_back(at);
      ++work.waiting;
    } else if (!RunPart(replica, now, at, budget)) {
      return false;
    }
  }
  return true;
}

absl::Status SessionStream::CheckSlot(const SessionPart& part) const {
  const bool free = slots_.Get(part.slot).IsZero();
  const bool starts = part.start != SessionPart::Start::kNone;
  if (free == starts) return absl::OkStatus();
  if (kind_ == Kind::kSession) {
    return absl::InvalidArgumentError(
        starts ? "open or resume is set again; only the first request of a "
                 "Session stream has one"
               : "neither open nor resume is set; the first request of a "
                 "Session stream must have one");
  }
  if (starts) {
    return absl::AlreadyExistsError(
        absl::StrCat("slot ", part.slot, " holds a session already"));
  }
  return absl::NotFoundError(absl::StrCat("slot ", part.slot,
                                          " holds no session; open or resume "
                                          "one in it first"));
}

bool SessionStream::RunPart(core::Replica& replica, core::Now now, PartAt at,
                            size_t& budget) {
  SessionPart& part = *at.second;
  if (budget == 0) return false;
  --budget;
  if (!part.started) {
    part.started = true;
    StartPart(replica, now, at);
    if (part.start == SessionPart::Start::kResume) return true;
  }
  return !part.status.ok() || ApplyOps(replica, now, part, budget);
}

void SessionStream::StartPart(core::Replica& replica, core::Now now,
                              PartAt at) {
  SessionPart& part = *at.second;
  if (part.status.ok()) part.status = CheckSlot(part);
  if (!part.status.ok()) return;
  if (part.start == SessionPart::Start::kResume) {
    StartResume(replica, now, at);
  } else if (part.start == SessionPart::Start::kOpen) {
    absl::StatusOr<core::SessionInfo> info =
        replica.OpenSession(part.open, now);
    part.status = info.status();
    if (!info.ok()) return;
    part.info = *info;
    slots_.Set(part.slot, part.info.session);
    context_.sink.sessions().Hold(part.info.session, index_, part.slot);
  }
}

bool SessionStream::ApplyOps(core::Replica& replica, core::Now now,
                             SessionPart& part, size_t& budget) {
  const crdt::SessionId session = slots_.Get(part.slot);
  if (!part.ops.empty()) {
    part.ops.request().session = session;
    const absl::StatusOr<bool> done =
        replica.ApplySome(part.ops.request(), now, part.reply, budget);
    part.status = done.status();
    if (!done.ok()) return true;
    if (!*done) return false;
    part.ops.Complete(&part.reply);
  }
  if (!part.close) return true;
  part.status = replica.CloseSession(session, now);
  context_.sink.sessions().Release(session, absl::OkStatus());
  slots_.Free(part.slot);
  return true;
}

// The core answers a resume some slices later; until then its slot is taken.
void SessionStream::StartResume(core::Replica& replica, core::Now now,
                                PartAt at) {
  SessionPart& part = *at.second;
  Resuming& resuming = resuming_[part.slot];
  resuming.session = part.open.session;
  resuming.answered = false;
  ++at.first->waiting;
  context_.sink.sessions().BeginResume(part.open.session);
  const core::RequestId id = context_.sink.ExpectReply(
      [self = Self(), at](absl::StatusOr<core::ResumeReply> reply) {
        self->OnResumed(at, std::move(reply));
      });
  replica.Resume(id, std::move(part.resume->request), now);
}

void SessionStream::OnResumed(PartAt at,
                              absl::StatusOr<core::ResumeReply> reply) {
  SessionPart& part = *at.second;
  SessionRegistry& registry = context_.sink.sessions();
  const crdt::SessionId session = part.open.session;
  const bool left = registry.EndResume(session);
  resuming_[part.slot].answered = true;
  part.status = reply.status();
  if (reply.ok()) {
    part.info = reply->info;
    part.missing = std::move(reply->missing);
    part.resume->request = std::move(reply->request);
  }
  if (reply.ok() && closed_) {
    // Close has disconnected it already.
    registry.Release(session, absl::AbortedError("session moved: it was "
                                                 "resumed over another "
                                                 "stream of this node"));
  } else if (reply.ok()) {
    slots_.Set(part.slot, session);
    registry.Hold(session, index_, part.slot);
  }
  context_.core.Post([self = Self(), at, disconnect = left && !reply.ok()](
                         core::Replica& replica, core::Now now) {
    if (disconnect) replica.Disconnect(at.second->open.session, now);
    self->AfterResume(replica, now, at);
  });
}

void SessionStream::AfterResume(core::Replica& replica, core::Now now,
                                PartAt at) {
  // Its own operations, then the parts that came meanwhile.
  Resuming& resuming = resuming_.at(at.second->slot);
  resuming.answered = true;
  resuming.waiting.push_front(at);
  resumed_.push_back(at.second->slot);
  {
    MutexLock lock(mutex());
    if (std::exchange(run_posted_, true)) return;
  }
  Run(replica, now);
}

// -------------------------------------------------- answers, and the end

void SessionStream::Emit() {
  while (!over_ && !order_.empty() && order_.front()->Complete() &&
         (to_do_.empty() || to_do_.front() != order_.front().get())) {
    Work work = std::move(order_.front());
    order_.pop_front();
    if (kind_ == Kind::kSession && work->part_count() > 0 && work->fatal.ok()) {
      work->fatal = work->part(0).status;
    }
    if (!work->fatal.ok() || work->last) {
      EndAfterAnswers(work->fatal);
    } else {
      Queue(std::move(work));
    }
  }
}

void SessionStream::Queue(Work work) {
  {
    MutexLock lock(mutex());
    ready_.push_back(std::move(work));
  }
  Wake();
}

void SessionStream::EndAfterAnswers(const absl::Status& status) {
  over_ = true;
  End(status);
}

void SessionStream::OnSlotEnded(uint32_t slot, const absl::Status& why) {
  slots_.Free(slot);
  if (over_) return;
  if (kind_ == Kind::kSession) {
    EndAfterAnswers(why);
    return;
  }
  const bool append = !order_.empty() && !order_.back()->ended.empty() &&
                      order_.back()->ended.size() < kEndedPerMessage;
  if (!append) order_.push_back(std::make_unique<SessionWork>());
  order_.back()->ended.push_back({slot, why});
  Emit();
}

void SessionStream::OnEvicted(uint32_t slot, core::EntryEvicted entry) {
  if (over_) return;
  const bool append = !order_.empty() && !order_.back()->evicted.empty() &&
                      order_.back()->evicted.size() < kEvictedPerMessage;
  if (!append) order_.push_back(std::make_unique<SessionWork>());
  order_.back()->evicted.push_back({slot, std::move(entry)});
  Emit();
}

void SessionStream::OnDraining() {
  if (over_) return;
  auto work = std::make_unique<SessionWork>();
  work->moving = true;
  Queue(std::move(work));
  EndAfterAnswers(absl::UnavailableError(absl::StrCat(
      "node ", context_.node, " is draining; resume at another one")));
}

void SessionStream::Close(core::Replica& replica, core::Now now) {
  over_ = true;
  closed_ = true;
  for (const auto& [slot, resuming] : resuming_) {
    if (!resuming.answered) replica.Disconnect(resuming.session, now);
  }
  DisconnectSome(replica, now);
}

void SessionStream::DisconnectSome(core::Replica& replica, core::Now now) {
  SessionRegistry& registry = context_.sink.sessions();
  size_t budget = kDisconnects;
  for (; disconnected_ < slots_.end() && budget > 0; ++disconnected_) {
    const crdt::SessionId session = slots_.Get(disconnected_);
    if (session.IsZero()) continue;
    if (!registry.Holds(session, index_, disconnected_)) continue;
    --budget;
    registry.Release(session, absl::OkStatus());
    if (!registry.Leave(session)) replica.Disconnect(session, now);
  }
  if (disconnected_ == slots_.end()) {
    registry.Remove(index_);
    return;
  }
  context_.core.Post([self = Self()](core::Replica& replica, core::Now now) {
    self->DisconnectSome(replica, now);
  });
}

}  // namespace muster::service
