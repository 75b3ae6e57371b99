// The calls of a replica: each is one step (Begin, the work, End).
#include "node/core/replica/replica.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "node/core/replica/replica_impl.h"

namespace muster::core {

// ------------------------------------------------------------------- world

Replica::Replica(Options options, crdt::LifeId life, uint64_t seed, Now now)
    : impl_(std::make_unique<Impl>(std::move(options), life, seed, now)) {}
Replica::~Replica() = default;

Output& Replica::output() { return impl_->out; }
void Replica::Tick(Now now) { impl_->Tick(now); }
void Replica::RunJobs(Now now) { impl_->RunJobs(now); }

void Replica::OnLinkUp(LinkId link, const PeerHello& hello, Now now) {
  impl_->Begin(now);
  impl_->router.OnLinkUp(link, hello.feature_level);
  impl_->membership.OnLinkUp(link, hello, now, impl_->out);
  impl_->End();
}

void Replica::OnLinkDown(LinkId link, const std::string& why, Now now) {
  impl_->Begin(now);
  impl_->out.log.push_back(
      {LogLine::Level::kDebug, absl::StrCat("link ", link, " ended: ", why)});
  impl_->membership.OnLinkDown(link, now, impl_->out);
  impl_->End();
  impl_->router.OnLinkDown(link);
}

void Replica::OnFrame(LinkId link, Frame frame, Now now) {
  impl_->Begin(now);
  impl_->OnFrame(link, std::move(frame));
  impl_->End();
}

void Replica::OnDatagram(const BeatDatagram& beat, Now now) {
  impl_->Begin(now);
  impl_->membership.OnDatagram(beat, now, impl_->out);
  impl_->OnPresenceSeq(beat);
  impl_->End();
}

void Replica::OnProbe(uint64_t token, ProbeOutcome outcome, Now now) {
  impl_->Begin(now);
  impl_->membership.OnProbe(token, outcome == ProbeOutcome::kRefused, now,
                            impl_->out);
  impl_->End();
}

void Replica::OnHelloProbe(uint64_t token, crdt::LifeId life, Now now) {
  impl_->Begin(now);
  impl_->membership.OnHelloProbe(token, life, now, impl_->out);
  impl_->End();
}

void Replica::OnRefused(const std::string& address, const std::string& why,
                        Now now) {
  impl_->Begin(now);
  impl_->membership.OnRefused(address, why, now, impl_->out);
  impl_->End();
}

void Replica::OnUdpUnavailable(const std::string& why) {
  impl_->membership.OnUdpUnavailable(why);
}

void Replica::Drain(Now now) {
  impl_->Begin(now);
  impl_->Drain();
  impl_->End();
}

bool Replica::ready() const { return impl_->ready; }
bool Replica::draining() const { return impl_->draining; }
absl::Status Replica::Serving() const { return impl_->Serving(); }
const crdt::Origin& Replica::origin() const { return impl_->membership.self(); }
std::string Replica::Audit() const { return impl_->roll.store().Audit(); }

// ---------------------------------------------------------------- sessions

absl::StatusOr<SessionInfo> Replica::OpenSession(
    const OpenSessionRequest& request, Now now) {
  if (absl::Status s = impl_->Serving(); !s.ok()) return s;
  impl_->Begin(now);
  auto info = impl_->sessions->Open(request);
  impl_->End();
  return info;
}

void Replica::Resume(RequestId id, ResumeRequest request, Now now) {
  if (absl::Status s = impl_->Serving(); !s.ok()) {
    impl_->out.replies.push_back({id, s});
    return;
  }
  impl_->Begin(now);
  impl_->sessions->Resume(id, std::move(request), impl_->out);
  impl_->End();
}

absl::Status Replica::CloseSession(crdt::SessionId session, Now now) {
  if (absl::Status s = impl_->Serving(); !s.ok()) return s;
  impl_->Begin(now);
  absl::Status status = impl_->sessions->Close(session);
  impl_->End();
  return status;
}

void Replica::Disconnect(crdt::SessionId session, Now now) {
  // While the node drains, its peers count the grace from its farewell.
  if (!impl_->sessions.has_value() || impl_->draining) return;
  impl_->Begin(now);
  impl_->sessions->Disconnect(session);
  impl_->End();
}

absl::Status Replica::Heartbeat(crdt::SessionId session, uint64_t epoch,
                                Now now) {
  if (absl::Status s = impl_->Serving(); !s.ok()) return s;
  impl_->Begin(now);
  absl::Status status = impl_->sessions->Heartbeat(session, epoch);
  impl_->End();
  return status;
}

absl::StatusOr<bool> Replica::ApplySome(const ApplyRequest& request, Now now,
                                        ApplyReply& reply, size_t& budget) {
  if (absl::Status s = impl_->Serving(); !s.ok()) return s;
  impl_->Begin(now);
  absl::StatusOr<bool> done = impl_->sessions->Apply(request, reply, budget);
  impl_->End();
  return done;
}

bool Replica::MayWrite(Now now) {
  return !impl_->Serving().ok() || impl_->MayWrite(now);
}

absl::StatusOr<ApplyReply> Replica::Apply(const ApplyRequest& request,
                                          Now now) {
  ApplyReply reply;
  size_t budget = std::numeric_limits<size_t>::max();
  const absl::Status status = ApplySome(request, now, reply, budget).status();
  if (!status.ok()) return status;
  return reply;
}

// ------------------------------------------------------ for administrators

void Replica::Evict(RequestId id, EvictRequest request, Now now) {
  if (absl::Status s = impl_->Serving(); !s.ok()) {
    impl_->out.orders.push_back({id, s});
    return;
  }
  impl_->Begin(now);
  impl_->evictions.Ask(id, std::move(request), *impl_->sessions, impl_->out);
  impl_->End();
}

void Replica::Forget(RequestId id, const std::string& name, Now now) {
  impl_->Begin(now);
  impl_->ForgetEverywhere(id, name);
  impl_->End();
}

// ---------------------------------------------------------------- watching

absl::StatusOr<WatchId> Replica::Watch(WatchRequest request, Now now) {
  if (absl::Status s = impl_->Serving(); !s.ok()) return s;
  impl_->Begin(now);
  auto watch = impl_->hub.Watch(std::move(request), now, impl_->out);
  impl_->End();
  return watch;
}

void Replica::WatchWritten(WatchId watch, size_t batches, Now now) {
  impl_->Begin(now);
  impl_->hub.WatchWritten(watch, batches, now, impl_->out);
  impl_->End();
}

void Replica::EndWatch(WatchId watch) { impl_->hub.EndWatch(watch); }

}  // namespace muster::core
