#include "node/core/membership/member_table.h"

#include <algorithm>
#include <tuple>

#include "crdt/mutant.h"

namespace muster::core {
namespace {

using crdt::Mutant;
using crdt::Mutated;

// Both are lives of one name.
bool IsLater(const crdt::Origin& a, const crdt::Origin& b) {
  return std::tie(a.incarnation, a.life) > std::tie(b.incarnation, b.life);
}

}  // namespace

bool MemberTable::Shows(const Member& row, Instant now) {
  if (row.ended || row.state == MemberState::kLeft) return false;
  return row.state != MemberState::kDown || now - row.heard < kShown;
}

MemberTable::Added MemberTable::Add(const crdt::Origin& origin,
                                    const std::string& address, bool shown,
                                    Instant now) {
  Added added{Outcome::kAdded};
  if (Member* known = Find(origin.life)) {
    bool same = known->origin == origin;
    added.outcome = same ? Outcome::kKnown : Outcome::kLie;
    added.member = same ? known : nullptr;
    return added;
  }
  bool refused = shown ? LaterShows(origin, now) : HasLater(origin);
  if (refused && !Mutated(Mutant::kAcceptsLowerIncarnation)) {
    added.outcome = Outcome::kEnded;
    return added;
  }
  if (rows_.size() >= limit_ && !Evict(added.evicted)) {
    added.outcome = Outcome::kFull;
    return added;
  }
  for (Member* earlier : Earlier(origin)) {
    if (shown || !Shows(*earlier, now)) added.ended.push_back(earlier);
  }
  Name& name = names_[origin.node];
  name.highest = std::max(name.highest, origin.incarnation);
  name.lives.push_back(origin.life);
  added.member = &rows_[origin.life];
  added.member->origin = origin;
  added.member->address = address;
  added.member->unlinked = now;
  if (shown) added.member->heard = now;
  Touch(*added.member);
  return added;
}

std::vector<Member*> MemberTable::Earlier(const crdt::Origin& origin) {
  std::vector<Member*> earlier;
  auto it = names_.find(origin.node);
  if (it == names_.end()) return earlier;
  for (crdt::LifeId life : it->second.lives) {
    Member* row = Find(life);
    if (!row->ended && IsLater(origin, row->origin)) earlier.push_back(row);
  }
  return earlier;
}

bool MemberTable::EarlierBeganSince(const crdt::Origin& origin, Instant heard,
                                    Instant now) const {
  auto it = names_.find(origin.node);
  if (it == names_.end()) return false;
  const std::vector<crdt::LifeId>& lives = it->second.lives;
  return std::any_of(lives.begin(), lives.end(), [&](crdt::LifeId life) {
    const Member& row = *Find(life);
    return IsLater(origin, row.origin) && Shows(row, now) &&
           row.first_heard != kNever && heard < row.first_heard;
  });
}

template <typename Counts>
bool MemberTable::AnyLater(const crdt::Origin& origin, Counts counts) const {
  auto it = names_.find(origin.node);
  if (it == names_.end()) return false;
  const std::vector<crdt::LifeId>& lives = it->second.lives;
  return std::any_of(lives.begin(), lives.end(), [&](crdt::LifeId life) {
    const Member& row = *Find(life);
    return IsLater(row.origin, origin) && counts(row);
  });
}

bool MemberTable::HasLater(const crdt::Origin& origin) const {
  return AnyLater(origin, [](const Member&) { return true; });
}

bool MemberTable::LaterShows(const crdt::Origin& origin, Instant now) const {
  return AnyLater(origin, [&](const Member& row) { return Shows(row, now); });
}

Member* MemberTable::Find(crdt::LifeId life) {
  auto it = rows_.find(life);
  return it == rows_.end() ? nullptr : &it->second;
}

const Member* MemberTable::Find(crdt::LifeId life) const {
  auto it = rows_.find(life);
  return it == rows_.end() ? nullptr : &it->second;
}

void MemberTable::Touch(Member& member) {
  by_version_.erase(member.version);
  member.version = ++version_;
  by_version_.emplace(member.version, &member);
}

std::vector<const Member*> MemberTable::ChangedSince(uint64_t version) const {
  std::vector<const Member*> changed;
  for (auto it = by_version_.upper_bound(version); it != by_version_.end();
       ++it) {
    changed.push_back(it->second);
  }
  std::sort(changed.begin(), changed.end(),
            [](const Member* a, const Member* b) {
              return a->origin.life < b->origin.life;
            });
  return changed;
}

bool MemberTable::IsAlive(crdt::LifeId life) const {
  const Member* member = Find(life);
  return member != nullptr && !member->ended &&
         (member->state == MemberState::kAlive ||
          member->state == MemberState::kSuspect);
}

void MemberTable::Remove(crdt::LifeId life) {
  auto row = rows_.find(life);
  if (row == rows_.end()) return;
  auto name = names_.find(row->second.origin.node);
  std::vector<crdt::LifeId>& lives = name->second.lives;
  lives.erase(std::find(lives.begin(), lives.end(), life));
  if (lives.empty()) names_.erase(name);
  by_version_.erase(row->second.version);
  rows_.erase(row);
}

crdt::Incarnation MemberTable::Highest(const std::string& name) const {
  auto it = names_.find(name);
  return it == names_.end() ? crdt::Incarnation() : it->second.highest;
}

bool MemberTable::Evict(std::optional<crdt::Origin>& evicted) {
  const Member* oldest = nullptr;
  for (const auto& [life, row] : rows_) {
    if (row.ended && (oldest == nullptr || *row.ended < *oldest->ended)) {
      oldest = &row;
    }
  }
  if (oldest == nullptr) return false;
  evicted = oldest->origin;
  Remove(oldest->origin.life);
  return true;
}

}  // namespace muster::core
