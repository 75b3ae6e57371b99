// LPUSH and its relatives, but for those that wait.
#include "node/commands/lists.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "crdt/keyspace/types.h"
#include "node/commands/command.h"
#include "node/commands/numbers.h"

namespace muster::commands {
namespace {

using kv::Dot;
using kv::Entry;
using kv::KeyView;
using kv::Type;
using Direction = KeyView::Direction;
using Side = kv::Transaction::Side;

bool FindList(Call& call, KeyView& out) {
  return call.FindAs(1, Type::kList, out);
}

uint64_t FirstOf(const KeyView& list, ListEnd end) {
  return end == ListEnd::kFront ? 0 : list.size() - 1;
}

Direction InwardFrom(ListEnd end) {
  return end == ListEnd::kFront ? Direction::kUp : Direction::kDown;
}

// Ranks in any order, each once.
void RemoveRanks(Call& call, size_t key, std::vector<uint64_t> ranks) {
  std::sort(ranks.begin(), ranks.end());
  // From the back on, so that ranks hold; neighbours as one.
  for (size_t end = ranks.size(); end > 0;) {
    size_t begin = end - 1;
    while (begin > 0 && ranks[begin - 1] + 1 == ranks[begin]) --begin;
    call.tx().RemoveRanks(call.key(key), ranks[begin], end - begin);
    end = begin;
  }
}

}  // namespace

bool ParseListEnd(Call& call, size_t i, ListEnd& out) {
  const bool left = call.Is(i, "left");
  if (!left && !call.Is(i, "right")) {
    call.SyntaxError();
    return false;
  }
  out = left ? ListEnd::kFront : ListEnd::kBack;
  return true;
}

void PopAndAnswer(Call& call, size_t key, ListEnd end, uint64_t count) {
  const KeyView list = call.Find(key);
  uint64_t left = count;
  Dot item;
  list.Walk(FirstOf(list, end), InwardFrom(end), [&](const Entry& entry) {
    call.reply().Bulk(entry.value);
    item = entry.item;
    return --left > 0;
  });
  const uint64_t first = end == ListEnd::kFront ? 0 : list.size() - count;
  if (count == 1 && list.size() > 1) {
    return call.tx().RemoveItem(call.key(key), item);
  }
  call.tx().RemoveRanks(call.key(key), first, count);
}

void MoveAndAnswer(Call& call, ListEnd from, ListEnd to) {
  const KeyView list = call.Find(1);
  if (!call.CheckType(call.Find(2), Type::kList)) return;
  Entry entry;
  list.At(FirstOf(list, from), entry);
  const std::string value(entry.value);
  const Dot item = entry.item;
  const absl::string_view values[] = {value};
  // A list that is turned round does not go meanwhile, nor its deadline.
  call.tx().Push(call.key(2), to, values);
  call.tx().RemoveItem(call.key(1), item);
  call.reply().Bulk(value);
}

namespace {

void Push(Call& call, ListEnd end, bool if_exists) {
  KeyView list;
  if (!FindList(call, list)) return;
  const uint64_t size = list.size();
  if (if_exists && size == 0) return call.reply().Integer(0);
  const Argv values = call.args_from(2);
  call.tx().Push(call.key(1), end, values);
  call.reply().Integer(static_cast<int64_t>(size + values.size()));
}

void LPush(Call& call) { Push(call, ListEnd::kFront, false); }
void RPush(Call& call) { Push(call, ListEnd::kBack, false); }
void LPushX(Call& call) { Push(call, ListEnd::kFront, true); }
void RPushX(Call& call) { Push(call, ListEnd::kBack, true); }

void Pop(Call& call, ListEnd end) {
  if (call.argc() > 3) return call.WrongArity();
  uint64_t count = 1;
  const bool many = call.argc() == 3;
  if (many && !call.Count(2, count)) return;
  KeyView list;
  if (!FindList(call, list)) return;
  Reply& reply = call.reply();
  if (!list.exists()) return many ? reply.NilArray() : reply.Nil();
  if (count == 0) return reply.EmptyArray();
  count = std::min(count, list.size());
  if (many) reply.Begin(Reply::Kind::kArray, static_cast<uint32_t>(count));
  PopAndAnswer(call, 1, end, count);
}

void LPop(Call& call) { Pop(call, ListEnd::kFront); }
void RPop(Call& call) { Pop(call, ListEnd::kBack); }

void LLen(Call& call) {
  KeyView list;
  if (!FindList(call, list)) return;
  call.reply().Integer(static_cast<int64_t>(list.size()));
}

void LRange(Call& call) {
  int64_t start = 0;
  int64_t stop = 0;
  if (!call.Integer(2, start) || !call.Integer(3, stop)) return;
  KeyView list;
  if (!FindList(call, list)) return;
  const RankRange range = ClampRanks(start, stop, list.size());
  call.reply().Begin(Reply::Kind::kArray, static_cast<uint32_t>(range.count));
  uint64_t left = range.count;
  if (left == 0) return;
  list.Walk(range.first, Direction::kUp, [&](const Entry& entry) {
    call.reply().Bulk(entry.value);
    return --left > 0;
  });
}

// The element of a rank, negative ones from the end. False: there is none.
bool At(const KeyView& list, int64_t rank, Entry& out) {
  const auto size = static_cast<int64_t>(list.size());
  if (rank < 0) rank += size;
  return rank >= 0 && rank < size && list.At(static_cast<uint64_t>(rank), out);
}

void LIndex(Call& call) {
  KeyView list;
  if (!FindList(call, list)) return;
  if (!list.exists()) return call.reply().Nil();
  int64_t rank = 0;
  if (!call.Integer(2, rank)) return;
  Entry entry;
  if (!At(list, rank, entry)) return call.reply().Nil();
  call.reply().Bulk(entry.value);
}

void LSet(Call& call) {
  const KeyView list = call.Find(1);
  if (!list.exists()) return call.Error("ERR no such key");
  if (!call.CheckType(list, Type::kList)) return;
  int64_t rank = 0;
  if (!call.Integer(2, rank)) return;
  Entry entry;
  if (!At(list, rank, entry)) return call.Error("ERR index out of range");
  const Dot item = entry.item;
  call.tx().SetItem(call.key(1), item, call.arg(3));
  call.reply().Ok();
}

void LRem(Call& call) {
  int64_t count = 0;
  KeyView list;
  if (!call.Integer(2, count) || !FindList(call, list)) return;
  std::vector<uint64_t> ranks;
  if (list.exists()) {
    const uint64_t most = count < 0 ? 0 - static_cast<uint64_t>(count)
                                    : static_cast<uint64_t>(count);
    const ListEnd from = count < 0 ? ListEnd::kBack : ListEnd::kFront;
    uint64_t rank = FirstOf(list, from);
    const uint64_t step = count < 0 ? uint64_t{0} - 1 : 1;
    list.Walk(rank, InwardFrom(from), [&](const Entry& entry) {
      if (entry.value == call.arg(3)) ranks.push_back(rank);
      rank += step;
      return count == 0 || ranks.size() < most;
    });
  }
  call.reply().Integer(static_cast<int64_t>(ranks.size()));
  RemoveRanks(call, 1, std::move(ranks));
}

void LTrim(Call& call) {
  int64_t start = 0;
  int64_t stop = 0;
  if (!call.Integer(2, start) || !call.Integer(3, stop)) return;
  KeyView list;
  if (!FindList(call, list)) return;
  const RankRange kept = ClampRanks(start, stop, list.size());
  if (kept.count == 0) {
    call.tx().RemoveKey(call.key(1));
    return call.reply().Ok();
  }
  const uint64_t behind = kept.first + kept.count;
  call.tx().RemoveRanks(call.key(1), behind, list.size() - behind);
  call.tx().RemoveRanks(call.key(1), 0, kept.first);
  call.reply().Ok();
}

void LInsert(Call& call) {
  const bool before = call.Is(2, "before");
  if (!before && !call.Is(2, "after")) return call.SyntaxError();
  KeyView list;
  if (!FindList(call, list)) return;
  if (!list.exists()) return call.reply().Integer(0);
  const auto size = static_cast<int64_t>(list.size());
  uint64_t rank = 0;
  bool found = false;
  list.Walk(0, Direction::kUp, [&](const Entry& entry) {
    found = entry.value == call.arg(3);
    if (!found) ++rank;
    return !found;
  });
  if (!found) return call.reply().Integer(-1);
  if (!call.tx().Insert(call.key(1), rank,
                        before ? Side::kBefore : Side::kAfter, call.arg(4))) {
    return call.Error("ERR too many elements were inserted at one place");
  }
  call.reply().Integer(size + 1);
}

void Move(Call& call, ListEnd from, ListEnd to) {
  KeyView list;
  if (!FindList(call, list)) return;
  if (!list.exists()) return call.reply().Nil();
  MoveAndAnswer(call, from, to);
}

void LMove(Call& call) {
  ListEnd from = ListEnd::kFront;
  ListEnd to = ListEnd::kFront;
  if (!ParseListEnd(call, 3, from) || !ParseListEnd(call, 4, to)) return;
  Move(call, from, to);
}

void RPopLPush(Call& call) { Move(call, ListEnd::kBack, ListEnd::kFront); }

constexpr auto kFamily = Family::kLists;
constexpr KeyRange kOne = {1, 1, 1};
constexpr KeyRange kTwo = {1, 2, 1};
constexpr uint32_t kPuts = kWrite | kDenyOom;

constexpr Command kCommands[] = {
    {"lpush", -3, kPuts | kFast, kOne, LPush, kFamily,
     "Prepends elements to a list, one after the other; returns its length."},
    {"rpush", -3, kPuts | kFast, kOne, RPush, kFamily,
     "Appends elements to a list; returns its length."},
    {"lpushx", -3, kPuts | kFast, kOne, LPushX, kFamily,
     "Prepends elements to a list only if the list exists."},
    {"rpushx", -3, kPuts | kFast, kOne, RPushX, kFamily,
     "Appends elements to a list only if the list exists."},
    {"lpop", -2, kWrite | kFast, kOne, LPop, kFamily,
     "Removes the first element of a list, or so many, and returns them."},
    {"rpop", -2, kWrite | kFast, kOne, RPop, kFamily,
     "Removes the last element of a list, or so many, and returns them."},
    {"llen", 2, kReadOnly | kFast, kOne, LLen, kFamily,
     "Returns the length of a list."},
    {"lrange", 4, kReadOnly, kOne, LRange, kFamily,
     "Returns a range of the elements of a list."},
    {"lindex", 3, kReadOnly, kOne, LIndex, kFamily,
     "Returns the element of a list at an index."},
    {"lset", 4, kPuts, kOne, LSet, kFamily,
     "Sets the value of the element of a list at an index."},
    {"lrem", 4, kWrite, kOne, LRem, kFamily,
     "Removes the elements of a list that equal a value, all or so many."},
    {"ltrim", 4, kWrite, kOne, LTrim, kFamily,
     "Removes all elements of a list outside a range."},
    {"linsert", 5, kPuts, kOne, LInsert, kFamily,
     "Inserts an element before or after another one of a list."},
    {"lmove", 5, kPuts, kTwo, LMove, kFamily,
     "Moves an element from one end of a list to an end of another."},
    {"rpoplpush", 3, kPuts, kTwo, RPopLPush, kFamily,
     "Moves the last element of a list to the front of another."},
};

}  // namespace

absl::Span<const Command> ListCommands() { return kCommands; }

}  // namespace muster::commands
