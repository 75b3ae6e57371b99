#include "node/core/replica/eviction.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace muster::core {
namespace {

using crdt::kNone;
using crdt::RowIdx;
using crdt::SessionState;

// As much of a name as a line of the log repeats.
constexpr size_t kLoggedBytes = 64;

std::string Quoted(absl::string_view name) {
  return absl::StrCat("\"", absl::CHexEscape(name.substr(0, kLoggedBytes)),
                      name.size() > kLoggedBytes ? "..." : "", "\"");
}

}  // namespace

void Evictions::Ask(RequestId id, EvictRequest request, LocalSessions& sessions,
                    Output& out) {
  if (absl::Status may = orders_.MayBegin(); !may.ok()) {
    out.orders.push_back({id, may});
    return;
  }
  Job job;
  job.what = std::move(request);
  job.order = orders_.Begin(id);
  Start(std::move(job), sessions, out);
}

void Evictions::OnFrame(LinkId link, const EvictFrame& frame,
                        LocalSessions* sessions, Output& out) {
  if (sessions == nullptr) return Answer(link, {frame.number, 0, ""}, out);
  if (jobs_.size() >= kMaxJobs) {
    return Answer(link, {frame.number, 0, "is busy with other evictions"}, out);
  }
  Job job;
  job.what = {frame.topic, frame.key, frame.reason};
  job.link = link;
  job.number = frame.number;
  Start(std::move(job), *sessions, out);
}

void Evictions::Start(Job job, LocalSessions& sessions, Output& out) {
  job.reason = std::make_shared<const std::string>(job.what.reason);
  sessions.NoteEviction(job.what.topic, job.what.key, job.reason);
  jobs_.push_back(std::move(job));
  if (jobs_.size() == 1) RunJob(sessions, out);
}

bool Evictions::RunJob(LocalSessions& sessions, Output& out) {
  if (!jobs_.empty() && Walk(jobs_.front(), sessions, out)) {
    Finish(jobs_.front(), out);
    jobs_.pop_front();
  }
  return has_work();
}

bool Evictions::Walk(Job& job, LocalSessions& sessions, Output& out) {
  const crdt::PresenceStore& store = roll_.store();
  for (size_t n = 0; n < kSlice; ++n) {
    const RowIdx row = store.keys().PairRowAfter(job.what.topic, job.what.key,
                                                 job.shown, job.stamp);
    if (row != kNone) {
      job.stamp = store.stamp(row);
      Meet(job, row, sessions, out);
    } else if (job.shown) {
      return true;
    } else {
      job.shown = true;
      job.stamp = 0;
    }
  }
  return false;
}

void Evictions::Meet(Job& job, RowIdx row, LocalSessions& sessions,
                     Output& out) {
  const crdt::PresenceStore& store = roll_.store();
  const auto& session = store.session(store.session_of(row));
  const SessionState state = session.state();
  // What its owner is removing already, or what is over.
  if (store.detached(row) || state == SessionState::kMoved ||
      state == SessionState::kEnded || roll_.expired(store.session_of(row))) {
    return;
  }
  const Stream& stream = *roll_.StreamAt(session.stream);
  if (stream.visibility.dropping()) return;
  if (stream.own) {
    sessions.Evict(row, job.reason, out);
    ++job.removed;
  } else {
    // Its client may come here to resume, and is not to take it for lost.
    sessions.NoteEvicted(store.ref(row), job.reason);
    Owner& owner = job.owners[stream.origin.life];
    owner.node = stream.origin.node;
    owner.visible |= roll_.Visible(row);
  }
}

void Evictions::Finish(Job& job, Output& out) {
  evicted_ += job.removed;
  if (job.removed > 0 || job.order != 0) {
    out.log.push_back(
        {LogLine::Level::kInfo,
         absl::StrCat("evicted ", job.removed, " entries of this node of ",
                      Quoted(job.what.key), " in ", Quoted(job.what.topic),
                      job.reason->empty() ? "" : ": ", *job.reason)});
  }
  if (job.order == 0) {
    return Answer(job.link, {job.number, job.removed, ""}, out);
  }
  orders_.Count(job.order, job.removed);
  AskPeers(job, out);
  orders_.Seal(job.order, roll_.now().mono, out);
}

// Who owns none is told as well: it may be adopting some, or be where a client
// resumes next.
void Evictions::AskPeers(const Job& job, Output& out) {
  std::map<crdt::LifeId, Owner> owners = job.owners;
  for (const MemberView& member : membership_.View(roll_.now())) {
    const crdt::LifeId life = member.origin.life;
    const auto owner = owners.extract(life);
    const bool alive = membership_.IsAlive(life);
    const LinkId link = alive ? membership_.LinkTo(life) : 0;
    const std::string who =
        absl::StrCat(member.origin.node, " (", member.address, ")");
    if (link != 0) {
      Send(job, link, out);
      if (!owner.empty()) orders_.Await(job.order, link, who);
    } else if (!owner.empty()) {
      // One that has left does not come back with what is not seen any more.
      const bool left = member.state == MemberState::kLeft;
      if (left && !owner.mapped().visible) continue;
      orders_.Unreached(
          job.order, who,
          alive ? "no direct link" : (left ? "has left" : "is down"));
    }
  }
  for (const auto& [life, owner] : owners) {
    if (!owner.visible) continue;
    orders_.Unreached(
        job.order, owner.node,
        "has restarted since; what it held leaves when its grace is over");
  }
}

void Evictions::Send(const Job& job, LinkId link, Output& out) const {
  const EvictRequest& what = job.what;
  out.frames.push_back(
      {link,
       {membership_.BeatOn(link),
        EvictFrame{job.order, what.topic, what.key, what.reason}}});
}

void Evictions::Answer(LinkId link, const OrderAnswerFrame& answer,
                       Output& out) const {
  if (membership_.OriginOf(link) == nullptr) return;  // It broke meanwhile.
  out.frames.push_back({link, {membership_.BeatOn(link), answer}});
}

}  // namespace muster::core
