// Membership's methods: each input is one step of the inside.
#include "node/core/membership/membership.h"
#include "node/core/membership/membership_impl.h"

namespace muster::core {

Membership::Membership(const Options& options, crdt::LifeId life, uint64_t seed,
                       Now now)
    : impl_(std::make_unique<Impl>(options, life, seed, now)) {}
Membership::~Membership() = default;

void Membership::OnLinkUp(LinkId link, const PeerHello& hello, Now now,
                          Output& out) {
  Step step{now, out};
  impl_->Begin(step);
  impl_->LinkUp(link, hello, step);
  impl_->End(step);
}

void Membership::OnLinkDown(LinkId link, Now now, Output& out) {
  Step step{now, out};
  impl_->Begin(step);
  impl_->LinkDown(link, step);
  impl_->End(step);
}

void Membership::OnFrameBeat(LinkId link, uint64_t beat, Now now, Output& out) {
  Step step{now, out};
  impl_->Begin(step);
  impl_->FrameBeat(link, beat, step);
  impl_->End(step);
}

void Membership::OnMembers(LinkId link, const MembersFrame& frame, Now now,
                           Output& out) {
  Step step{now, out};
  impl_->Begin(step);
  impl_->Members(link, frame, step);
  impl_->End(step);
}

void Membership::OnAsk(LinkId link, const AskFrame& frame, Now now,
                       Output& out) {
  Step step{now, out};
  impl_->Begin(step);
  impl_->Ask(link, frame, step);
  impl_->End(step);
}

void Membership::OnBeatReport(LinkId link, const BeatReport& report, Now now,
                              Output& out) {
  Step step{now, out};
  impl_->Begin(step);
  impl_->Report(link, report, step);
  impl_->End(step);
}

void Membership::OnLeaving(LinkId link, Now now, Output& out) {
  Step step{now, out};
  impl_->Begin(step);
  impl_->Leaving(link, step);
  impl_->End(step);
}

void Membership::OnDatagram(const BeatDatagram& beat, Now now, Output& out) {
  Step step{now, out};
  impl_->Begin(step);
  impl_->Datagram(beat, step);
  impl_->End(step);
}

void Membership::OnProbe(uint64_t token, bool refused, Now now, Output& out) {
  Step step{now, out};
  impl_->Begin(step);
  impl_->Probe(token, refused, step);
  impl_->End(step);
}

void Membership::OnHelloProbe(uint64_t token, crdt::LifeId life, Now now,
                              Output& out) {
  Step step{now, out};
  impl_->Begin(step);
  impl_->HelloProbed(token, life, step);
  impl_->End(step);
}

void Membership::OnRefused(const std::string& address, const std::string& why,
                           Now now, Output& out) {
  Step step{now, out};
  impl_->Begin(step);
  impl_->Refused(address, why);
  impl_->End(step);
}

void Membership::OnUdpUnavailable(const std::string& why) {
  impl_->UdpUnavailable(why);
}

void Membership::OnLinkProgress(LinkId link, bool idle_or_acked, Now now) {
  impl_->LinkProgress(link, idle_or_acked, now);
}

void Membership::Tick(Now now, Output& out) {
  Step step{now, out};
  impl_->Begin(step);
  impl_->Tick(step);
  impl_->End(step);
}

void Membership::SetPresenceSeq(crdt::Seq seq) { impl_->SetPresenceSeq(seq); }

void Membership::Leave(Now now, Output& out) {
  Step step{now, out};
  impl_->Begin(step);
  impl_->Leave(step);
  impl_->End(step);
}

void Membership::Ping(absl::Duration period, Now now, Output& out) {
  Step step{now, out};
  impl_->Ping(period, step);
}

absl::Status Membership::ForgetName(const std::string& name, Now now,
                                    Output& out) {
  Step step{now, out};
  impl_->Begin(step);
  absl::Status status = impl_->ForgetName(name, step);
  impl_->End(step);
  return status;
}

std::vector<MembershipEvent> Membership::TakeEvents() {
  return impl_->TakeEvents();
}

const crdt::Origin& Membership::self() const { return impl_->self(); }
uint64_t Membership::BeatOn(LinkId link) const { return impl_->BeatOn(link); }
LinkId Membership::LinkTo(crdt::LifeId life) const {
  return impl_->LinkTo(life);
}
const crdt::Origin* Membership::OriginOf(LinkId link) const {
  return impl_->OriginOf(link);
}
bool Membership::IsAlive(crdt::LifeId life) const {
  return impl_->IsAlive(life);
}
absl::Duration Membership::AgeOf(crdt::LifeId life, Now now) const {
  return impl_->AgeOf(life, now);
}
absl::Duration Membership::DelayOf(LinkId id) const {
  return impl_->DelayOf(id) + impl_->InputDelay();
}
bool Membership::HasEnded(crdt::LifeId life) const {
  return impl_->HasEnded(life);
}
bool Membership::WasForgotten(crdt::LifeId life) const {
  return impl_->WasForgotten(life);
}
LastBeat Membership::LastBeatOf(crdt::LifeId life) const {
  return impl_->LastBeatOf(life);
}
std::vector<LivePeer> Membership::LivePeers() const {
  return impl_->LivePeers();
}
std::vector<MemberView> Membership::View(Now now) const {
  return impl_->View(now);
}
std::vector<std::string> Membership::Notes() const { return impl_->Notes(); }
std::vector<std::pair<std::string, uint64_t>> Membership::Counters() const {
  return impl_->Counters();
}
std::vector<LinkMeasure> Membership::LinkMeasures() const {
  return impl_->LinkMeasures();
}
const DeathTimes& Membership::death_times() const {
  return impl_->death_times();
}

}  // namespace muster::core
