#include "tests/sim/model.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace muster::sim {

std::string ToString(const RefKey& ref) {
  char text[80];
  std::snprintf(text, sizeof(text), "%04x.%llu.%llu",
                static_cast<unsigned>(ref.life >> 48),
                static_cast<unsigned long long>(ref.id),
                static_cast<unsigned long long>(ref.seq));
  return text;
}

int Model::Open(int process, const Rank& rank, int64_t grace) {
  Session session;
  session.grace = grace;
  session.highest_epoch = rank.epoch;
  session.processes.insert(process);
  Copy& copy = session.copies[process];
  copy.process = process;
  copy.rank = rank;
  sessions_.push_back(std::move(session));
  return static_cast<int>(sessions_.size()) - 1;
}

Model::Copy* Model::Find(int session, int process) {
  auto& copies = At(session).copies;
  auto it = copies.find(process);
  return it == copies.end() ? nullptr : &it->second;
}

void Model::ResumeBegun(int session, int process, uint64_t epoch,
                        const Entries& asked) {
  Session& s = At(session);
  s.highest_epoch = std::max(s.highest_epoch, epoch);
  s.processes.insert(process);
  auto [it, fresh] = s.copies.try_emplace(process);
  Copy& copy = it->second;
  copy.process = process;
  copy.pending = true;
  copy.fresh = copy.fresh || fresh;
  copy.entries.insert(asked.begin(), asked.end());
}

void Model::ResumeFailed(int session, int process) {
  Copy* copy = Find(session, process);
  if (copy == nullptr) return;
  copy->pending = false;
  if (copy->fresh) At(session).copies.erase(process);
}

void Model::Resumed(int session, int process, const Rank& rank, int64_t grace,
                    const Entries& entries, int64_t now) {
  Session& s = At(session);
  s.grace = grace;
  Copy& copy = s.copies[process];
  if (!copy.connected) {
    s.lapse = std::min(s.lapse, copy.disconnected_at + grace);
  }
  copy = Copy{};
  copy.process = process;
  copy.rank = rank;
  copy.entries = entries;
  copy.since = now;
  // It was under way when its process was told to drain.
  if (Gone(process)) Disconnected(session, process, now);
}

void Model::Tracked(int session, int process, const RefKey& ref,
                    const Content& content) {
  made_[ref] = Made{session, content, {}, {}};
  Copy* copy = Find(session, process);
  if (copy != nullptr) copy->entries[ref] = content;
}

void Model::Updated(int session, int process, const RefKey& old,
                    const RefKey& ref, const std::string& meta) {
  if (ref == old) return;  // The same meta: nothing has changed.
  Content content = made_[old].content;
  content.meta = meta;
  made_[old].successor = ref;
  made_[ref] = Made{session, content, {}, old};
  Copy* copy = Find(session, process);
  if (copy == nullptr) return;
  copy->entries.erase(old);
  copy->entries[ref] = content;
}

void Model::Untracked(int session, int process, const RefKey& ref) {
  Copy* copy = Find(session, process);
  if (copy != nullptr) copy->entries.erase(ref);
}

void Model::Evicted(int session, int process, const RefKey& ref) {
  Untracked(session, process, ref);
  evicted_.insert(ref);
}

void Model::Disconnected(int session, int process, int64_t now) {
  Copy* copy = Find(session, process);
  if (copy == nullptr || !copy->connected) return;
  copy->connected = false;
  copy->disconnected_at = now;
}

void Model::Closed(int session, int process) {
  Copy* copy = Find(session, process);
  if (copy != nullptr) copy->closed = true;
  At(session).ended = true;
}

void Model::StoodStill(int process, int64_t from, int64_t to) {
  for (size_t i = 0; i < sessions_.size(); ++i) {
    Copy* copy = Find(static_cast<int>(i), process);
    if (copy == nullptr || copy->connected) continue;
    if (copy->disconnected_at > from) copy->disconnected_at += to - from;
  }
}

void Model::ProcessGone(int process, int64_t now, bool heard) {
  if (!gone_.try_emplace(process, now).second) return;
  if (!heard) unheard_.insert(process);
  for (size_t i = 0; i < sessions_.size(); ++i) {
    Disconnected(static_cast<int>(i), process, now);
    // One that was to lapse later by missing heartbeats does so now.
    Copy* copy = Find(static_cast<int>(i), process);
    if (copy != nullptr) {
      copy->disconnected_at = std::min(copy->disconnected_at, now);
    }
  }
}

const Model::Made* Model::Find(const RefKey& ref) const {
  auto it = made_.find(ref);
  return it == made_.end() ? nullptr : &it->second;
}

void Model::AllHeard() {
  for (Session& session : sessions_) session.lapse = INT64_MAX;
}

// Nothing of the copy may be shown after this.
int64_t Model::Deadline(const Session& session, const Copy& copy) const {
  if (copy.closed) return 0;
  if (copy.connected) return INT64_MAX;
  if (session.grace > 0) return copy.disconnected_at + session.grace + kLate;
  return copy.disconnected_at + kDownWithin;
}

Model::Expected Model::ExpectedAt(int64_t now) const {
  Expected expected;
  for (const Session& session : sessions_) AddExpected(session, now, expected);
  return expected;
}

void Model::AddExpected(const Session& session, int64_t now,
                        Expected& expected) const {
  std::vector<const Copy*> copies;
  for (const auto& [process, copy] : session.copies) copies.push_back(&copy);
  std::sort(copies.begin(), copies.end(), [](const Copy* a, const Copy* b) {
    return std::pair(a->pending, a->rank) > std::pair(b->pending, b->rank);
  });
  bool certain = true;
  for (const Copy* copy : copies) {
    const bool late = now >= Deadline(session, *copy);
    const bool early =
        copy->connected || now < copy->disconnected_at + session.grace;
    const bool gone = gone_.contains(copy->process);
    for (const auto& [ref, content] : copy->entries) {
      if (late) break;
      expected.may[ref] = content;
      if (certain && !gone && early && !copy->pending && !copy->closed) {
        expected.must[ref] = content;
      }
    }
    // What a live process holds is known to all, and hides what is below.
    if (!gone && !copy->pending) return;
    certain = false;
  }
}

bool Model::Holds(const Copy& copy, RefKey ref) const {
  while (ref.seq != 0) {
    if (copy.entries.contains(ref)) return true;
    const Made* made = Find(ref);
    if (made == nullptr) return false;
    ref = made->successor;
  }
  return false;
}

bool Model::Updates(RefKey ref, const RefKey& old) const {
  while (ref.seq != 0 && ref != old) {
    const Made* made = Find(ref);
    if (made == nullptr) return false;
    ref = made->updates;
  }
  return ref == old;
}

bool Model::Dead(const RefKey& ref) const {
  const Made* made = Find(ref);
  if (made == nullptr) return false;
  for (const auto& [process, copy] : session(made->session).copies) {
    if (copy.pending) return false;
    if (!copy.closed && Holds(copy, ref)) return false;
  }
  return true;
}

const Model::Copy* Model::CertainTop(const Session& session) const {
  const Copy* top = nullptr;
  for (const auto& [process, copy] : session.copies) {
    if (copy.pending) return nullptr;
    if (top == nullptr || top->rank < copy.rank) top = &copy;
  }
  int64_t lapse = session.lapse;
  for (const auto& [process, copy] : session.copies) {
    if (&copy == top || copy.connected) continue;
    lapse = std::min(lapse, copy.disconnected_at + session.grace);
  }
  if (top == nullptr) return nullptr;
  // Without a grace nothing waits for those who come as it lapses.
  const int64_t late = session.grace > 0 ? 0 : kUnheard;
  return top->since + late < lapse ? top : nullptr;
}

bool Model::MayReturn(const RefKey& ref) const {
  const Made* made = Find(ref);
  if (made == nullptr) return false;
  const auto& copies = session(made->session).copies;
  return std::any_of(copies.begin(), copies.end(), [&](const auto& low) {
    const Copy& copy = low.second;
    return !copy.closed && copy.entries.contains(ref) &&
           std::all_of(copies.begin(), copies.end(), [&](const auto& high) {
             return !(copy.rank < high.second.rank) ||
                    gone_.contains(high.second.process);
           });
  });
}

const Model::Copy* Model::Holder(const RefKey& ref) const {
  const Made* made = Find(ref);
  if (made == nullptr || evicted_.contains(ref)) return nullptr;
  const Session& s = session(made->session);
  const Copy* top = CertainTop(s);
  const bool holds = top != nullptr && top->connected && !top->closed &&
                     !s.ended && Holds(*top, ref);
  return holds ? top : nullptr;
}

bool Model::MustStay(const RefKey& ref) const { return Holder(ref) != nullptr; }

int64_t Model::EarliestLeave(const RefKey& ref) const {
  const Made* made = Find(ref);
  if (made == nullptr || evicted_.contains(ref)) return 0;
  const Session& s = session(made->session);
  const Copy* top = CertainTop(s);
  if (s.ended || top == nullptr || top->closed || top->connected) return 0;
  const auto gone = gone_.find(top->process);
  if (gone != gone_.end() && (unheard_.contains(top->process) ||
                              top->since + kUnheard > gone->second)) {
    return 0;
  }
  return Holds(*top, ref) ? top->disconnected_at + s.grace : 0;
}

Model::Latest Model::LatestLeave(const RefKey& ref) const {
  const Made* made = Find(ref);
  if (made == nullptr) return {};
  Latest latest = {0, 0};
  const Session& s = session(made->session);
  for (const auto& [process, copy] : s.copies) {
    if (copy.pending || copy.connected || copy.closed) return {};
    // Its client has untracked it: nobody knows when.
    if (!Holds(copy, ref)) return {};
    // Who hears of it from others only, counts from the end of its owner.
    const auto gone = gone_.find(process);
    const int64_t since = gone == gone_.end()
                              ? copy.disconnected_at
                              : std::max(copy.disconnected_at, gone->second);
    latest.leave = std::max(latest.leave, since + s.grace + kLate);
    latest.disconnected = std::max(latest.disconnected, copy.disconnected_at);
  }
  return latest;
}

bool Model::NeverTold(int session, int process) const {
  if (session < 0) return false;
  const auto& copies = sessions_[static_cast<size_t>(session)].copies;
  const auto left = copies.find(process);
  if (left == copies.end() || !left->second.connected || left->second.closed) {
    return false;
  }
  return std::any_of(copies.begin(), copies.end(), [&](const auto& item) {
    return left->second.rank < item.second.rank && Gone(item.first);
  });
}

}  // namespace muster::sim
