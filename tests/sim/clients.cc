#include "tests/sim/clients.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace muster::sim {
namespace {

absl::Duration ToDuration(SimTime t) { return absl::Microseconds(t); }

// What of `batch` comes after `done`.
Batch Rest(Batch batch, const core::ApplyReply& done) {
  const auto drop = [](auto& ops, size_t count) {
    ops.erase(ops.begin(), ops.begin() + static_cast<ptrdiff_t>(count));
  };
  drop(batch.untrack, done.untracked);
  drop(batch.update, done.updated.size());
  drop(batch.track, done.tracked.size());
  return batch;
}

// Operations a step, of a batch.
constexpr size_t kOpsPerStep = 8;

}  // namespace

Clients::Clients(World& world, Model& model) : world_(world), model_(model) {}

Rank Clients::RankOf(const Session& session, const Process& at) const {
  const crdt::Origin& origin = at.replica().origin();
  return {session.epoch,
          session.attempts,
          {origin.incarnation.value, origin.life.hi, origin.life.lo}};
}

bool Clients::Sure(const Session& session, const Process& at) const {
  if (session.number < 0) return false;
  const Model::Session& s = model_.session(session.number);
  auto mine = s.copies.find(at.number);
  if (s.ended || mine == s.copies.end()) return false;
  for (const auto& [process, copy] : s.copies) {
    if (copy.pending || mine->second.rank < copy.rank) return false;
  }
  return mine->second.connected && !mine->second.closed;
}

// ------------------------------------------------------------------ sessions

int Clients::NumberOf(const crdt::SessionId& id) const {
  const auto found =
      std::find_if(sessions_.begin(), sessions_.end(),
                   [&id](const auto& session) { return session->id == id; });
  return found == sessions_.end() ? -1 : (*found)->number;
}

SimTime Clients::TimeToLive(int number) const {
  const auto found = std::find_if(
      sessions_.begin(), sessions_.end(),
      [number](const auto& session) { return session->number == number; });
  return found == sessions_.end() ? 0 : (*found)->ttl;
}

Session& Clients::Open(Process& at, bool stream, SimTime ttl, SimTime grace,
                       uint64_t epoch) {
  sessions_.push_back(std::make_unique<Session>());
  Session& session = *sessions_.back();
  session.id = {world_.rng().Next(), world_.rng().Next()};
  session.stream = stream;
  session.ttl = ttl;
  session.grace = grace;
  session.epoch = epoch;
  by_id_[{session.id.hi, session.id.lo}] = &session;
  at.Post([this, &session, &at](core::Replica& replica, core::Now now) {
    OpenNow(session, at, replica, now);
  });
  return session;
}

void Clients::OpenNow(Session& session, Process& at, core::Replica& replica,
                      core::Now now) {
  session.last_error = replica.Serving();
  if (!session.last_error.ok()) {
    session.over = true;
    return;
  }
  core::OpenSessionRequest request;
  request.session = session.id;
  request.stream = session.stream;
  request.ttl = ToDuration(session.ttl);
  request.grace = ToDuration(session.grace);
  request.epoch = session.epoch;
  auto info = replica.OpenSession(request, now);
  if (!info.ok()) {
    world_.Fail(absl::StrCat("a session could not be opened: ",
                             info.status().ToString()));
    return;
  }
  session.attempts = info->resume_number;
  session.at = &at;
  session.beaten = world_.now();
  session.number = model_.Open(at.number, RankOf(session, at), session.grace);
  if (!session.stream) Beat(session, at);
}

// Heartbeats of a session without a stream, for as long as it lives here.
void Clients::Beat(Session& session, Process& at) {
  const uint64_t resumes = session.resumes;
  world_.After(session.ttl / 3, [this, &session, &at, resumes] {
    if (session.at != &at || session.over) return;
    if (session.resumes != resumes) return;
    at.Post([this, &session, &at](core::Replica& replica, core::Now now) {
      // Until it is answered elsewhere it goes on beating here.
      if (session.at != &at || (session.busy && session.going == &at)) return;
      const absl::Status status =
          replica.Heartbeat(session.id, session.epoch, now);
      // At a node that is slow it may have waited for longer than that.
      const bool late = world_.now() >= session.beaten + session.ttl;
      if (status.ok()) session.beaten = world_.now();
      if (status.ok()) return;
      if (Sure(session, at) && !replica.draining() && !late) {
        world_.Fail(
            absl::StrCat("a heartbeat was refused: ", status.ToString()));
      }
      Lost(session, at);
    });
    Beat(session, at);
  });
}

// The client learns that it has no session at this process any more.
void Clients::Lost(Session& session, Process& at) {
  if (session.at == &at) session.at = nullptr;
  if (session.number >= 0 && at.alive()) {
    model_.Disconnected(session.number, at.number, world_.now());
  }
}

void Clients::Apply(Session& session, Batch batch) {
  Process* at = session.at;
  if (at == nullptr) return;
  at->Post([this, &session, at, batch = std::move(batch)](
               core::Replica& replica, core::Now now) {
    if (session.at == at && !session.busy) {
      ApplyNow(session, *at, replica, batch, now);
    }
  });
}

void Clients::Track(Session& session, const std::string& topic,
                    const std::string& key, const std::string& meta) {
  Batch batch;
  batch.track.push_back({topic, key, meta});
  batch.allow_duplicate = true;
  Apply(session, std::move(batch));
}

void Clients::ApplyNow(Session& session, Process& at, core::Replica& replica,
                       const Batch& asked, core::Now now) {
  if (!replica.Serving().ok()) return;
  Batch batch;
  batch.track = asked.track;
  batch.allow_duplicate = asked.allow_duplicate;
  for (const RefKey& ref : asked.untrack) {
    if (session.held.contains(ref)) batch.untrack.push_back(ref);
  }
  for (const auto& update : asked.update) {
    if (!session.held.contains(update.first)) continue;
    if (std::find(batch.untrack.begin(), batch.untrack.end(), update.first) ==
        batch.untrack.end()) {
      batch.update.push_back(update);
    }
  }
  core::ApplyRequest request;
  request.session = session.id;
  for (const RefKey& ref : batch.untrack) {
    request.untrack.push_back(RefOf(ref));
  }
  for (const auto& [ref, meta] : batch.update) {
    request.update.push_back({RefOf(ref), meta});
  }
  for (const Content& c : batch.track) {
    request.track.push_back({c.topic, c.key, c.meta, batch.allow_duplicate});
  }
  const bool sure = Sure(session, at);
  core::ApplyReply reply;
  size_t budget = kOpsPerStep;
  auto done = replica.ApplySome(request, now, reply, budget);
  if (done.ok()) {
    Account(session, at, batch, reply, sure);
    if (!*done) Apply(session, Rest(std::move(batch), reply));
    return;
  }
  session.last_error = done.status();
  if (sure) {
    world_.Fail(absl::StrCat("the owner refused a session's batch: ",
                             done.status().ToString()));
  }
  Lost(session, at);
}

void Clients::Account(Session& session, Process& at, const Batch& batch,
                      const core::ApplyReply& reply, bool sure) {
  std::vector<bool> untrack_failed(batch.untrack.size());
  for (const core::IndexedError& error : reply.untrack_errors) {
    untrack_failed[error.index] = true;
  }
  if (sure && !(reply.untrack_errors.empty() && reply.update_errors.empty())) {
    world_.Fail("a ref that the client holds is not known to the owner");
  }
  for (size_t i = 0; i < reply.untracked; ++i) {
    session.held.erase(batch.untrack[i]);
    if (untrack_failed[i]) continue;
    model_.Untracked(session.number, at.number, batch.untrack[i]);
  }
  for (size_t i = 0; i < reply.updated.size(); ++i) {
    const auto& [old, meta] = batch.update[i];
    Content content = session.held[old];
    session.held.erase(old);
    if (reply.updated[i].IsNone()) continue;
    content.meta = meta;
    const RefKey ref = KeyOf(reply.updated[i]);
    model_.Updated(session.number, at.number, old, ref, meta);
    session.held[ref] = content;
  }
  for (size_t i = 0; i < reply.tracked.size(); ++i) {
    const Content& content = batch.track[i];
    if (reply.tracked[i].IsNone()) continue;
    if (!batch.allow_duplicate &&
        std::any_of(session.held.begin(), session.held.end(),
                    [&](const auto& entry) {
                      return entry.second.topic == content.topic &&
                             entry.second.key == content.key;
                    }) &&
        sure) {
      world_.Fail("a second entry of a topic and key, not asked for");
    }
    const RefKey ref = KeyOf(reply.tracked[i]);
    if (model_.Find(ref) != nullptr) {
      world_.Fail(absl::StrCat("a ref was made twice: ", ToString(ref)));
    }
    model_.Tracked(session.number, at.number, ref, content);
    session.held[ref] = content;
  }
}

void Clients::Disconnect(Session& session) {
  Process* at = session.at;
  if (at == nullptr || !session.stream) {
    session.at = nullptr;  // Without a stream: the heartbeats stop.
    if (at != nullptr) {
      model_.Disconnected(session.number, at->number,
                          session.beaten + session.ttl);
    }
    return;
  }
  at->Post([this, &session, at](core::Replica& replica, core::Now now) {
    if (session.at != at || session.busy) return;
    replica.Disconnect(session.id, now);
    Lost(session, *at);
  });
}

void Clients::Close(Session& session) {
  Process* at = session.at;
  if (at == nullptr) return;
  at->Post([this, &session, at](core::Replica& replica, core::Now now) {
    if (session.at != at || session.busy || !replica.Serving().ok()) return;
    const bool sure = Sure(session, *at);
    const absl::Status status = replica.CloseSession(session.id, now);
    if (status.ok()) {
      model_.Closed(session.number, at->number);
      session.over = true;
      session.at = nullptr;
      return;
    }
    if (sure) {
      world_.Fail(
          absl::StrCat("the owner refused to close: ", status.ToString()));
    }
    Lost(session, *at);
  });
}

// -------------------------------------------------------------------- resume

void Clients::Resume(Session& session, Process& to, uint64_t epoch) {
  if (session.busy || session.over || session.number < 0) return;
  session.busy = true;
  session.going = &to;
  session.epoch = std::max(session.epoch, epoch);
  to.Post([this, &session, &to](core::Replica& replica, core::Now now) {
    ResumeNow(session, to, replica, now);
  });
}

void Clients::ResumeNow(Session& session, Process& to, core::Replica& replica,
                        core::Now now) {
  // Who has closed it elsewhere meanwhile has cancelled this call.
  if (session.over || !replica.Serving().ok()) {
    session.busy = false;
    return;
  }
  core::ResumeRequest request;
  request.open.session = session.id;
  request.open.stream = session.stream;
  request.open.ttl = ToDuration(session.ttl);
  request.open.grace = ToDuration(session.grace);
  request.open.epoch = session.epoch;
  request.resume_number = session.attempts++;
  for (const auto& [ref, content] : session.held) {
    core::EntryView entry;
    entry.topic = request.arena.Copy(content.topic);
    entry.key = request.arena.Copy(content.key);
    entry.ref = RefOf(ref);
    request.entries.push_back(entry);
  }
  const core::RequestId id = next_request_++;
  resuming_[id] = {&session, session.held, to.number};
  model_.ResumeBegun(session.number, to.number, session.epoch, session.held);
  // A client of a stream that it leaves behind reads it no more.
  session.at = &to;
  replica.Resume(id, std::move(request), now);
}

void Clients::OnReply(Process& from, core::AsyncReply& reply) {
  auto it = resuming_.find(reply.request);
  if (it == resuming_.end()) {
    return world_.Fail("an answer to a request that was not made");
  }
  const Resuming resuming = std::move(it->second);
  resuming_.erase(it);
  Session& session = *resuming.session;
  session.busy = false;
  if (reply.resumed.ok()) {
    Resumed(from, session, resuming, *reply.resumed);
  } else {
    ResumeRefused(from, session, reply.resumed.status());
  }
}

void Clients::Resumed(Process& from, Session& session, const Resuming& resuming,
                      const core::ResumeReply& reply) {
  ++session.resumes;
  session.attempts = std::max(session.attempts, reply.info.resume_number);
  Model::Entries kept = resuming.asked;
  Batch again;
  again.allow_duplicate = true;
  for (const crdt::Ref& ref : reply.missing) {
    auto node = kept.extract(KeyOf(ref));
    if (node.empty()) {
      return world_.Fail("a resume named a missing ref that was not asked");
    }
    again.track.push_back(node.mapped());
  }
  session.missing += reply.missing.size();
  Rank rank = RankOf(session, from);
  rank.resume = reply.info.resume_number;
  rank.epoch = reply.info.epoch;
  model_.Resumed(session.number, from.number, rank, session.grace, kept,
                 world_.now());
  session.held = std::move(kept);
  session.beaten = world_.now();
  if (!session.stream) Beat(session, from);
  if (!again.track.empty()) Apply(session, std::move(again));
}

void Clients::ResumeRefused(Process& from, Session& session,
                            const absl::Status& status) {
  session.last_error = status;
  model_.ResumeFailed(session.number, from.number);
  if (session.at == &from) session.at = nullptr;
  StopBeating(session);
  const Model::Session& s = model_.session(session.number);
  switch (status.code()) {
    case absl::StatusCode::kNotFound: {
      bool may_have_ended = s.ended || s.lapse <= world_.now();
      for (const auto& [process, copy] : s.copies) {
        may_have_ended |= !copy.connected || copy.pending;
      }
      if (!may_have_ended) {
        world_.Fail("a live session is not found at its resume");
      }
      session.over = true;
      return Abandon(session);
    }
    case absl::StatusCode::kFailedPrecondition:
      if (session.epoch >= s.highest_epoch) {
        world_.Fail(absl::StrCat("refused as stale: epoch ", session.epoch,
                                 " is the highest there is"));
      }
      return;
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kUnavailable:
      return;
    case absl::StatusCode::kResourceExhausted:
      if (from.options.sessions.max_sessions <
          core::SessionOptions().max_sessions) {
        return;
      }
      [[fallthrough]];
    default:
      world_.Fail(absl::StrCat("a resume failed: ", status.ToString()));
  }
}

void Clients::StopBeating(Session& session) {
  if (session.stream || session.number < 0) return;
  for (int process : model_.session(session.number).processes) {
    model_.Disconnected(session.number, process, session.beaten + session.ttl);
  }
}

void Clients::Abandon(Session& session) {
  if (!session.stream) return StopBeating(session);
  for (int number : model_.session(session.number).processes) {
    Process& process = *world_.processes()[static_cast<size_t>(number)];
    process.Post(
        [this, &session, &process](core::Replica& replica, core::Now now) {
          replica.Disconnect(session.id, now);
          model_.Disconnected(session.number, process.number, world_.now());
        });
  }
}

void Clients::OnSessionEnded(Process& from, const core::SessionEnded& ended) {
  auto it = by_id_.find({ended.session.hi, ended.session.lo});
  if (it == by_id_.end()) {
    return world_.Fail("the end of a session that nobody opened");
  }
  Session& session = *it->second;
  if (Sure(session, from) && !session.busy && !from.replica().draining()) {
    world_.Fail(
        absl::StrCat("a live session was ended: ", ended.status.ToString()));
  }
  if (session.at == &from && !session.busy) Lost(session, from);
}

void Clients::OnThaw(Process& process, SimTime frozen_at) {
  const SimTime stall = world_.now() - frozen_at;
  if (stall <= kStall) return;
  model_.StoodStill(process.number, frozen_at, world_.now());
  for (auto& session : sessions_) {
    if (session->at == &process) session->beaten += stall;
  }
}

void Clients::OnGone(Process& process, bool heard) {
  model_.ProcessGone(process.number, world_.now(), heard);
  for (auto& session : sessions_) {
    // Its resume may not have been read yet.
    if (session->busy && session->going == &process) session->busy = false;
    if (session->at != &process) continue;
    session->at = nullptr;
    session->busy = false;
    StopBeating(*session);
  }
  std::erase_if(resuming_, [&process](const auto& item) {
    return item.second.process == process.number;
  });
  const auto here = watchers_at_.extract(process.number);
  if (here.empty()) return;
  for (Watcher* watcher : here.mapped()) {
    if (watcher->at == &process) watcher->at = nullptr;
  }
}

}  // namespace muster::sim
