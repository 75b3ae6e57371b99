#include "node/core/member_table.h"

#include <algorithm>
#include <tuple>

namespace muster::core {

MemberTable::Added MemberTable::Add(const crdt::Origin& origin,
                                    const std::string& address, Instant now) {
  Added added{Outcome::kAdded};
  if (Member* known = Find(origin.life)) {
    bool same = known->origin == origin;
    added.outcome = same ? Outcome::kKnown : Outcome::kLie;
    added.member = same ? known : nullptr;
    return added;
  }
  auto it = names_.find(origin.node);
  if (it != names_.end() &&
      std::tie(origin.incarnation, origin.life) <
          std::tie(it->second.incarnation, it->second.life)) {
    added.outcome = Outcome::kEnded;
    return added;
  }
  if (rows_.size() >= limit_ && !Evict(added.evicted)) {
    added.outcome = Outcome::kFull;
    return added;
  }
  Name& name = names_[origin.node];
  for (crdt::LifeId life : name.lives) {
    Member* lower = Find(life);
    if (!lower->ended) added.ended.push_back(lower);
  }
  name.incarnation = origin.incarnation;
  name.life = origin.life;
  name.lives.push_back(origin.life);
  added.member = &rows_[origin.life];
  added.member->origin = origin;
  added.member->address = address;
  added.member->unlinked = now;
  Touch(*added.member);
  return added;
}

Member* MemberTable::Find(crdt::LifeId life) {
  auto it = rows_.find(life);
  return it == rows_.end() ? nullptr : &it->second;
}

const Member* MemberTable::Find(crdt::LifeId life) const {
  auto it = rows_.find(life);
  return it == rows_.end() ? nullptr : &it->second;
}

void MemberTable::Remove(crdt::LifeId life) {
  auto row = rows_.find(life);
  if (row == rows_.end()) return;
  auto name = names_.find(row->second.origin.node);
  std::vector<crdt::LifeId>& lives = name->second.lives;
  lives.erase(std::find(lives.begin(), lives.end(), life));
  if (lives.empty()) names_.erase(name);
  rows_.erase(row);
}

crdt::Incarnation MemberTable::Highest(const std::string& name) const {
  auto it = names_.find(name);
  return it == names_.end() ? crdt::Incarnation() : it->second.incarnation;
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
