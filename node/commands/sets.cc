// SADD and its relatives.
//
// A set of integers alone is answered in their order, as Redis answers it.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "crdt/keyspace/shown.h"
#include "crdt/keyspace/types.h"
#include "node/commands/call.h"
#include "node/commands/command.h"

namespace muster::commands {
namespace {

using kv::Entry;
using kv::KeyView;
using kv::Type;
using Members = std::vector<std::string>;

bool FindSet(Call& call, size_t i, KeyView& out) {
  return call.FindAs(i, Type::kSet, out);
}

bool Has(const KeyView& set, absl::string_view member) {
  Entry entry;
  return set.Get(member, entry);
}

Members MembersOf(const KeyView& set) {
  Members members;
  members.reserve(set.size());
  set.Scan(std::nullopt, [&](const Entry& entry) {
    members.emplace_back(entry.name);
    return true;
  });
  return members;
}

// Nothing is changed where one is no integer.
void SortIntegers(Members& members) {
  std::vector<std::pair<int64_t, std::string>> numbers;
  for (const std::string& member : members) {
    const std::optional<int64_t> number = kv::ParseInteger(member);
    if (!number.has_value()) return;
    numbers.emplace_back(*number, member);
  }
  std::sort(numbers.begin(), numbers.end());
  for (size_t i = 0; i < members.size(); ++i) {
    members[i] = std::move(numbers[i].second);
  }
}

void AnswerMembers(Members members, Reply& reply) {
  SortIntegers(members);
  reply.Begin(Reply::Kind::kSet, static_cast<uint32_t>(members.size()));
  for (const std::string& member : members) reply.Bulk(member);
}

void SAdd(Call& call) {
  KeyView set;
  if (!FindSet(call, 1, set)) return;
  int64_t added = 0;
  for (const absl::string_view member : call.args_from(2)) {
    if (Has(call.Find(1), member)) continue;
    call.tx().AddMember(call.key(1), member);
    ++added;
  }
  call.reply().Integer(added);
}

void SRem(Call& call) {
  KeyView set;
  if (!FindSet(call, 1, set)) return;
  int64_t removed = 0;
  for (const absl::string_view member : call.args_from(2)) {
    if (!Has(call.Find(1), member)) continue;
    call.tx().Remove(call.key(1), member);
    ++removed;
  }
  call.reply().Integer(removed);
}

void SMembers(Call& call) {
  KeyView set;
  if (FindSet(call, 1, set)) AnswerMembers(MembersOf(set), call.reply());
}

void SIsMember(Call& call) {
  KeyView set;
  if (!FindSet(call, 1, set)) return;
  call.reply().Integer(Has(set, call.arg(2)) ? 1 : 0);
}

void SMIsMember(Call& call) {
  KeyView set;
  if (!FindSet(call, 1, set)) return;
  call.reply().Begin(Reply::Kind::kArray,
                     static_cast<uint32_t>(call.argc() - 2));
  for (const absl::string_view member : call.args_from(2)) {
    call.reply().Integer(Has(set, member) ? 1 : 0);
  }
}

void SCard(Call& call) {
  KeyView set;
  if (!FindSet(call, 1, set)) return;
  call.reply().Integer(static_cast<int64_t>(set.size()));
}

void SMove(Call& call) {
  const KeyView from = call.Find(1);
  if (!from.exists()) return call.reply().Integer(0);
  const KeyView to = call.Find(2);
  if (!call.CheckType(from, Type::kSet) || !call.CheckType(to, Type::kSet)) {
    return;
  }
  const absl::string_view member = call.arg(3);
  const bool has = Has(from, member);
  const bool add = !Has(to, member);
  if (has && call.arg(1) != call.arg(2)) {
    call.tx().Remove(call.key(1), member);
    if (add) call.tx().AddMember(call.key(2), member);
  }
  call.reply().Integer(has ? 1 : 0);
}

std::string MemberAt(const KeyView& set, uint64_t index) {
  Entry entry;
  set.Nth(index, entry);
  return std::string(entry.name);
}

void SPopOne(Call& call) {
  const KeyView set = call.Find(1);
  if (!call.CheckType(set, Type::kSet)) return;
  if (!set.exists()) return call.reply().Nil();
  const std::string member = MemberAt(set, call.random().Below(set.size()));
  call.tx().Remove(call.key(1), member);
  call.reply().Bulk(member);
}

void SPop(Call& call) {
  if (call.argc() > 3) return call.SyntaxError();
  if (call.argc() == 2) return SPopOne(call);
  uint64_t count = 0;
  KeyView set;
  if (!call.Count(2, count) || !FindSet(call, 1, set)) return;
  Members popped;
  if (count >= set.size()) {
    popped = MembersOf(set);
    call.tx().RemoveKey(call.key(1));
  } else {
    for (uint64_t i = 0; i < count; ++i) {
      const KeyView now = call.Find(1);
      popped.push_back(MemberAt(now, call.random().Below(now.size())));
      call.tx().Remove(call.key(1), popped.back());
    }
  }
  AnswerMembers(std::move(popped), call.reply());
}

// `count` of n ranks, each at most once (Floyd).
std::vector<uint64_t> Distinct(Random& random, uint64_t count, uint64_t n) {
  absl::btree_set<uint64_t> chosen;
  for (uint64_t top = n - count; top < n; ++top) {
    const uint64_t rank = random.Below(top + 1);
    if (!chosen.insert(rank).second) chosen.insert(top);
  }
  return {chosen.begin(), chosen.end()};
}

// At most so many members of one call, which may ask for any number of them.
constexpr int64_t kMaxRepeated = 1 << 20;

void SRandMember(Call& call) {
  if (call.argc() > 3) return call.SyntaxError();
  int64_t count = 1;
  if (call.argc() == 3) {
    if (!call.Integer(2, count)) return;
    if (count < -kMaxRepeated) return call.Error("ERR value is out of range");
  }
  KeyView set;
  if (!FindSet(call, 1, set)) return;
  Reply& reply = call.reply();
  const uint64_t size = set.size();
  if (call.argc() == 2) {
    if (size == 0) return reply.Nil();
    return reply.Bulk(MemberAt(set, call.random().Below(size)));
  }
  std::vector<uint64_t> ranks;
  if (count >= 0) {
    ranks = Distinct(call.random(),
                     std::min(static_cast<uint64_t>(count), size), size);
  } else if (size > 0) {
    for (int64_t i = 0; i > count; --i) {
      ranks.push_back(call.random().Below(size));
    }
  }
  reply.Begin(Reply::Kind::kArray, static_cast<uint32_t>(ranks.size()));
  for (const uint64_t rank : ranks) reply.Bulk(MemberAt(set, rank));
}

// All keys from 1 on as sets; an absent one is empty. False: WRONGTYPE.
bool FindSets(Call& call, std::vector<KeyView>& out) {
  for (size_t i = 1; i < call.argc(); ++i) {
    if (!FindSet(call, i, out.emplace_back())) return false;
  }
  return true;
}

void SInter(Call& call) {
  std::vector<KeyView> sets;
  if (!FindSets(call, sets)) return;
  const auto smallest = std::min_element(
      sets.begin(), sets.end(),
      [](const KeyView& a, const KeyView& b) { return a.size() < b.size(); });
  Members common;
  smallest->Scan(std::nullopt, [&](const Entry& entry) {
    if (std::all_of(sets.begin(), sets.end(),
                    [&](const KeyView& set) { return Has(set, entry.name); })) {
      common.emplace_back(entry.name);
    }
    return true;
  });
  AnswerMembers(std::move(common), call.reply());
}

void SUnion(Call& call) {
  std::vector<KeyView> sets;
  if (!FindSets(call, sets)) return;
  absl::btree_set<std::string> all;
  for (const KeyView& set : sets) {
    set.Scan(std::nullopt, [&](const Entry& entry) {
      all.emplace(entry.name);
      return true;
    });
  }
  AnswerMembers({all.begin(), all.end()}, call.reply());
}

void SDiff(Call& call) {
  std::vector<KeyView> sets;
  if (!FindSets(call, sets)) return;
  Members left;
  sets.front().Scan(std::nullopt, [&](const Entry& entry) {
    if (std::none_of(sets.begin() + 1, sets.end(), [&](const KeyView& set) {
          return Has(set, entry.name);
        })) {
      left.emplace_back(entry.name);
    }
    return true;
  });
  AnswerMembers(std::move(left), call.reply());
}

constexpr auto kFamily = Family::kSets;
constexpr KeyRange kOne = {1, 1, 1};
constexpr KeyRange kAll = {1, -1, 1};
constexpr uint32_t kReads = kReadOnly | kFast;

constexpr Command kCommands[] = {
    {"sadd", -3, kWrite | kDenyOom | kFast, kOne, SAdd, kFamily,
     "Adds members to a set; returns how many of them are new."},
    {"srem", -3, kWrite | kFast, kOne, SRem, kFamily,
     "Removes members of a set; returns how many there were."},
    {"smembers", 2, kReadOnly, kOne, SMembers, kFamily,
     "Returns all members of a set."},
    {"sismember", 3, kReads, kOne, SIsMember, kFamily,
     "Tells whether a set has a member."},
    {"smismember", -3, kReads, kOne, SMIsMember, kFamily,
     "Tells of several members whether a set has them."},
    {"scard", 2, kReads, kOne, SCard, kFamily,
     "Returns the number of members of a set."},
    {"smove",
     4,
     kWrite | kFast,
     {1, 2, 1},
     SMove,
     kFamily,
     "Moves a member from one set to another."},
    {"spop", -2, kWrite | kRandom | kFast, kOne, SPop, kFamily,
     "Removes one or more members of a set, chosen at random, and returns "
     "them."},
    {"srandmember", -2, kReadOnly | kRandom, kOne, SRandMember, kFamily,
     "Returns one or more members of a set, chosen at random; a negative "
     "count may return one several times."},
    {"sinter", -2, kReadOnly, kAll, SInter, kFamily,
     "Returns the members that all of the sets have."},
    {"sunion", -2, kReadOnly, kAll, SUnion, kFamily,
     "Returns the members that any of the sets has."},
    {"sdiff", -2, kReadOnly, kAll, SDiff, kFamily,
     "Returns the members of the first set that no other set has."},
};

}  // namespace

absl::Span<const Command> SetCommands() { return kCommands; }

}  // namespace muster::commands
