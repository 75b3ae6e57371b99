// Resume: a session goes on at this node, whether it was here or elsewhere.
//
// A session from elsewhere is *adopted*. The client's entries are written with
// their old refs under a pending copy, which shows nothing. Then one mutation,
// the record with a higher resume number, puts the copy in force.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "crdt/session_rows.h"
#include "node/core/presence/local_sessions.h"

namespace muster::core {

using crdt::kNone;
using crdt::Ref;
using crdt::RowIdx;
using crdt::SessionIdx;
using crdt::SessionState;

namespace {

// No session gets there: a resume adds one, and so may an attempt of a client.
constexpr uint64_t kMaxResumeNumber = uint64_t{1} << 32;

}  // namespace

bool LocalSessions::BeingResumed(crdt::SessionId session) const {
  return std::any_of(adoptions_.begin(), adoptions_.end(),
                     [session](const Adoption& adoption) {
                       return adoption.wish.open.session == session;
                     });
}

absl::Status LocalSessions::MayResume(const ResumeRequest& request,
                                      SessionIdx highest) const {
  if (BeingResumed(request.open.session)) {
    return absl::AbortedError(
        "resume: another resume of this session is under way here");
  }
  if (request.resume_number > kMaxResumeNumber) {
    return absl::InvalidArgumentError(
        absl::StrCat("resume_number: ", request.resume_number,
                     " is none that a node has given"));
  }
  if (highest == kNone) return absl::OkStatus();
  const auto& record = roll_.store().session(highest);
  if (record.state() == SessionState::kEnded) {
    return absl::NotFoundError("token: its session has ended");
  }
  if (request.open.epoch < record.shared->epoch) {
    return absl::FailedPreconditionError(
        absl::StrCat("stale epoch ", request.open.epoch, ", current is ",
                     record.shared->epoch));
  }
  return absl::OkStatus();
}

void LocalSessions::Resume(RequestId id, ResumeRequest request, Output& out) {
  SessionIdx in_force = roll_.InForce(request.open.session);
  absl::Status may = MayResume(request, roll_.Highest(request.open.session));
  const bool own =
      in_force != kNone && in_force == OwnCopy(request.open.session);
  if (may.ok() && !own) may = MayAdd();
  if (!may.ok()) {
    out.replies.push_back({id, may});
    return;
  }
  Adoption adoption;
  adoption.request = id;
  adoption.wish = std::move(request);
  StartAdoption(std::move(adoption), in_force);
  if (adoptions_.size() == 1 && RunAdoption(adoptions_.front(), out)) {
    adoptions_.pop_front();
  }
}

// A session whose grace is over is adopted without its entries: they are about
// to leave, and may have left elsewhere.
void LocalSessions::StartAdoption(Adoption adoption, SessionIdx in_force) {
  SessionIdx own = OwnCopy(adoption.wish.open.session);
  if (own != kNone && own == in_force) {
    adoption.own = true;
    adoption.id = store().session(own).id;
    adoption.sweep = store().FirstRowOf(own);
    roll_.SetDeadline(own, 0);
  } else {
    crdt::SessionContent content;
    content.session = adoption.wish.open.session;
    content.state = SessionState::kPending;
    adoption.lapsed = in_force == kNone || roll_.GraceOver(in_force);
    adoption.id = store().session(own_.AddSession(content)).id;
    ++live_;
  }
  adoption.evictions_before = evictions_begun_;
  adoptions_.push_back(std::move(adoption));
}

// Between two slices the session may have been closed, or lost to another
// node.
bool LocalSessions::StillWanted(const Adoption& adoption,
                                SessionIdx copy) const {
  SessionState state = roll_.store().session(copy).state();
  if (!adoption.own) return state == SessionState::kPending;
  return state == SessionState::kConnected ||
         state == SessionState::kDisconnected;
}

bool LocalSessions::RunAdoption(Adoption& adoption, Output& out) {
  SessionIdx copy = store().sessions().Find(own_.stream().idx, adoption.id);
  if (copy == kNone || !StillWanted(adoption, copy)) {
    out.replies.push_back(
        {adoption.request, absl::AbortedError("session moved meanwhile")});
    TellEvicted(adoption, out);
    return true;
  }
  const bool done = adoption.own ? KeepOwnEntries(adoption, copy)
                                 : AdoptEntries(adoption, copy);
  if (!done) return false;
  FinishAdoption(adoption, copy, out);
  return true;
}

// Entries that only the client names are missing; entries that it does not name
// are dropped. Meanwhile only this job removes rows of the session: see Live().
bool LocalSessions::KeepOwnEntries(Adoption& adoption, SessionIdx own) {
  const auto& wishes = adoption.wish.entries;
  size_t left = kSlice;
  for (; adoption.next < wishes.size(); ++adoption.next) {
    if (left-- == 0) return false;
    const Ref& ref = wishes[adoption.next].ref;
    const absl::StatusOr<RowIdx> row = FindRef(own, ref);
    if (row.ok()) {
      adoption.kept.insert(*row);
    } else if (!WasEvicted(adoption, wishes[adoption.next])) {
      adoption.missing.push_back(ref);
    }
  }
  while (adoption.sweep != kNone && !store().detached(adoption.sweep)) {
    if (left-- == 0) return false;
    const RowIdx row = adoption.sweep;
    adoption.sweep = store().NextRowOf(row);
    if (!adoption.kept.contains(row)) RemoveOwnEntry(row);
  }
  return true;
}

bool LocalSessions::AdoptEntries(Adoption& adoption, SessionIdx copy) {
  const auto& wishes = adoption.wish.entries;
  const size_t end = std::min(adoption.next + kSlice, wishes.size());
  for (; adoption.next < end; ++adoption.next) {
    AdoptEntry(adoption, copy, wishes[adoption.next]);
  }
  return adoption.next == wishes.size();
}

void LocalSessions::AdoptEntry(Adoption& adoption, SessionIdx copy,
                               const EntryView& wish) {
  if (adopted_.contains({copy, wish.ref})) return;  // Named twice.
  if (WasEvicted(adoption, wish)) return;
  if (adoption.lapsed) return adoption.missing.push_back(wish.ref);
  const RowIdx row = FindOfSession(
      store(), adoption.wish.open.session, wish.topic, wish.key, [&](RowIdx i) {
        return store().session_of(i) != copy && store().shown(i) &&
               store().ref(i) == wish.ref;
      });
  if (row == kNone) return adoption.missing.push_back(wish.ref);
  std::string meta(store().meta(row));
  RowIdx own = own_.AddEntry(copy, wish.topic, wish.key, meta, wish.ref,
                             store().root(row));
  adopted_.emplace(std::make_pair(copy, wish.ref), own);
}

void LocalSessions::FinishAdoption(Adoption& adoption, SessionIdx copy,
                                   Output& out) {
  const OpenSessionRequest& open = adoption.wish.open;
  uint64_t highest = adoption.wish.resume_number;
  uint64_t epoch = open.epoch;
  for (SessionIdx i = store().sessions().FirstCopy(open.session); i != kNone;
       i = store().sessions().NextCopy(i)) {
    highest = std::max(highest, store().session(i).shared->resume);
    epoch = std::max(epoch, store().session(i).shared->epoch);
  }
  crdt::SessionContent content;
  content.session = open.session;
  content.epoch = epoch;
  content.resume = highest + 1;
  content.grace_ms =
      static_cast<uint32_t>(absl::ToInt64Milliseconds(open.grace));
  content.ttl_ms =
      open.stream ? 0
                  : static_cast<uint32_t>(absl::ToInt64Milliseconds(open.ttl));
  content.state = SessionState::kConnected;
  own_.UpdateSession(copy, content);
  Touch(copy);
  if (!adoption.own) DropOldRecords(open.session);
  bool gone = adoption.disconnected;
  crdt::SessionId session = open.session;
  ResumeReply reply{Info(copy), std::move(adoption.missing),
                    std::move(adoption.wish)};
  out.replies.push_back({adoption.request, std::move(reply)});
  TellEvicted(adoption, out);
  if (!gone) return;
  adoption.wish.open.session = {};  // So that Disconnect does not defer.
  Disconnect(session);
}

}  // namespace muster::core
