// ZADD and its relatives, but for ranges.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crdt/keyspace/types.h"
#include "node/commands/blocking.h"
#include "node/commands/call.h"
#include "node/commands/command.h"

namespace muster::commands {
namespace {

using kv::Entry;
using kv::KeyView;
using kv::Type;
using Direction = KeyView::Direction;

bool FindSorted(Call& call, KeyView& out) {
  return call.FindAs(1, Type::kSortedSet, out);
}

struct AddOptions {
  bool nx = false;
  bool xx = false;
  bool gt = false;
  bool lt = false;
  bool ch = false;
  bool incr = false;
  size_t first = 2;  // Of the scores and members.
};

// What became of one score.
struct Added {
  bool is_new = false;
  bool changed = false;
  std::optional<double> score;  // Nothing: an option forbade it.
  bool not_a_number = false;
};

AddOptions TakeAddOptions(const Call& call) {
  AddOptions out;
  const auto take = [&](size_t i) {
    if (call.Is(i, "nx")) return out.nx = true;
    if (call.Is(i, "xx")) return out.xx = true;
    if (call.Is(i, "gt")) return out.gt = true;
    if (call.Is(i, "lt")) return out.lt = true;
    if (call.Is(i, "ch")) return out.ch = true;
    if (call.Is(i, "incr")) return out.incr = true;
    return false;
  };
  while (out.first < call.argc() && take(out.first)) ++out.first;
  return out;
}

// Why the options do not fit together or to their arguments, or "".
absl::string_view Misfit(const AddOptions& options, size_t arguments) {
  if (arguments == 0 || arguments % 2 != 0) return "ERR syntax error";
  if (options.nx && options.xx) {
    return "ERR XX and NX options at the same time are not compatible";
  }
  if ((options.gt && options.nx) || (options.lt && options.nx) ||
      (options.gt && options.lt)) {
    return "ERR GT, LT, and/or NX options at the same time are not compatible";
  }
  if (options.incr && arguments > 2) {
    return "ERR INCR option supports a single increment-element pair";
  }
  return "";
}

bool ParseScores(Call& call, size_t first, std::vector<double>& out) {
  for (size_t i = first; i < call.argc(); i += 2) {
    if (!call.Double(i, out.emplace_back())) return false;
  }
  return true;
}

Added AddScore(Call& call, const AddOptions& options, double score,
               absl::string_view member) {
  Entry entry;
  const KeyView set = call.Find(1);
  if (!set.exists() || !set.Get(member, entry)) {
    if (options.xx) return {};
    call.tx().PutScore(call.key(1), member, score);
    return {.is_new = true, .changed = true, .score = score};
  }
  if (options.nx) return {};
  if (options.incr) score += entry.score;
  if (std::isnan(score)) return {.not_a_number = true};
  if (options.gt && score <= entry.score) return {};
  if (options.lt && score >= entry.score) return {};
  const bool changed = score != entry.score;
  if (changed) call.tx().PutScore(call.key(1), member, score);
  return {.changed = changed, .score = score};
}

void Add(Call& call, const AddOptions& options) {
  if (const absl::string_view why =
          Misfit(options, call.argc() - options.first);
      !why.empty()) {
    return call.Error(why);
  }
  std::vector<double> scores;
  if (!ParseScores(call, options.first, scores)) return;
  KeyView set;
  if (!FindSorted(call, set)) return;
  int64_t count = 0;
  Added last;
  for (size_t i = 0; i < scores.size(); ++i) {
    last =
        AddScore(call, options, scores[i], call.arg(options.first + 2 * i + 1));
    if (options.ch ? last.changed : last.is_new) ++count;
  }
  if (last.not_a_number) {
    return call.Error("ERR resulting score is not a number (NaN)");
  }
  if (!options.incr) return call.reply().Integer(count);
  if (!last.score.has_value()) return call.reply().Nil();
  call.reply().Double(*last.score);
}

void ZAdd(Call& call) { Add(call, TakeAddOptions(call)); }

void ZIncrBy(Call& call) { Add(call, {.incr = true}); }

void ZRem(Call& call) {
  KeyView set;
  if (!FindSorted(call, set)) return;
  int64_t removed = 0;
  Entry entry;
  for (const absl::string_view member : call.args_from(2)) {
    const KeyView now = call.Find(1);
    if (!now.exists() || !now.Get(member, entry)) continue;
    call.tx().Remove(call.key(1), member);
    ++removed;
  }
  call.reply().Integer(removed);
}

void AnswerScore(const KeyView& set, absl::string_view member, Reply& reply) {
  Entry entry;
  if (!set.exists() || !set.Get(member, entry)) return reply.Nil();
  reply.Double(entry.score);
}

void ZScore(Call& call) {
  KeyView set;
  if (FindSorted(call, set)) AnswerScore(set, call.arg(2), call.reply());
}

void ZMScore(Call& call) {
  KeyView set;
  if (!FindSorted(call, set)) return;
  call.reply().Begin(Reply::Kind::kArray,
                     static_cast<uint32_t>(call.argc() - 2));
  for (const absl::string_view member : call.args_from(2)) {
    AnswerScore(set, member, call.reply());
  }
}

void Rank(Call& call, bool from_top) {
  KeyView set;
  if (!FindSorted(call, set)) return;
  std::optional<uint64_t> rank;
  if (set.exists()) rank = set.RankOf(call.arg(2));
  if (!rank.has_value()) return call.reply().Nil();
  call.reply().Integer(
      static_cast<int64_t>(from_top ? set.size() - 1 - *rank : *rank));
}

void ZRank(Call& call) { Rank(call, false); }
void ZRevRank(Call& call) { Rank(call, true); }

void ZCard(Call& call) {
  KeyView set;
  if (!FindSorted(call, set)) return;
  call.reply().Integer(static_cast<int64_t>(set.size()));
}

// Answers members and scores, lowest or highest first, and removes them.
// REQUIRES: it is a sorted set, and not empty.
void PopScored(Call& call, size_t key, Direction direction, uint64_t count) {
  const KeyView set = call.Find(key);
  const bool up = direction == Direction::kUp;
  uint64_t left = count;
  set.Walk(up ? 0 : set.size() - 1, direction, [&](const Entry& entry) {
    call.reply().Bulk(entry.name);
    call.reply().Double(entry.score);
    return --left > 0;
  });
  call.tx().RemoveRanks(call.key(key), up ? 0 : set.size() - count, count);
}

void Pop(Call& call, Direction direction) {
  if (call.argc() > 3) return call.SyntaxError();
  uint64_t count = 1;
  const bool many = call.argc() == 3;
  if (many && !call.Count(2, count)) return;
  KeyView set;
  if (!FindSorted(call, set)) return;
  count = std::min(count, set.size());
  // RESP3 has pairs where a count was asked for.
  call.reply().Begin(many ? Reply::Kind::kPairs : Reply::Kind::kArray,
                     static_cast<uint32_t>(2 * count));
  if (count > 0) PopScored(call, 1, direction, count);
}

void ZPopMin(Call& call) { Pop(call, Direction::kUp); }
void ZPopMax(Call& call) { Pop(call, Direction::kDown); }

void BlockingPop(Call& call, Direction direction) {
  const size_t last = call.argc() - 2;
  uint64_t timeout_ms = 0;
  if (!ParseTimeout(call, last + 1, timeout_ms)) return;
  size_t key = 0;
  switch (FirstReady(call, 1, last, Type::kSortedSet, key)) {
    case Ready::kAnswered:
      return;
    case Ready::kYes:
      call.reply().Begin(Reply::Kind::kArray, 3);
      call.reply().Bulk(call.arg(key));
      return PopScored(call, key, direction, 1);
    case Ready::kNo: {
      Reply at_deadline;
      at_deadline.NilArray();
      call.WaitFor(1, last, timeout_ms, std::move(at_deadline));
    }
  }
}

void BZPopMin(Call& call) { BlockingPop(call, Direction::kUp); }
void BZPopMax(Call& call) { BlockingPop(call, Direction::kDown); }

constexpr auto kFamily = Family::kSortedSets;
constexpr KeyRange kOne = {1, 1, 1};
constexpr uint32_t kPuts = kWrite | kDenyOom | kFast;
constexpr uint32_t kReads = kReadOnly | kFast;
constexpr uint32_t kWaits = kWrite | kFast | kBlocking | kNoScript;

constexpr Command kCommands[] = {
    {"zadd", -4, kPuts, kOne, ZAdd, kFamily,
     "Adds members with scores to a sorted set, or sets their scores."},
    {"zincrby", 4, kPuts, kOne, ZIncrBy, kFamily,
     "Adds to the score of a member of a sorted set."},
    {"zrem", -3, kWrite | kFast, kOne, ZRem, kFamily,
     "Removes members of a sorted set; returns how many there were."},
    {"zscore", 3, kReads, kOne, ZScore, kFamily,
     "Returns the score of a member of a sorted set."},
    {"zmscore", -3, kReads, kOne, ZMScore, kFamily,
     "Returns the scores of several members of a sorted set."},
    {"zrank", 3, kReads, kOne, ZRank, kFamily,
     "Returns the rank of a member of a sorted set, lowest score first."},
    {"zrevrank", 3, kReads, kOne, ZRevRank, kFamily,
     "Returns the rank of a member of a sorted set, highest score first."},
    {"zcard", 2, kReads, kOne, ZCard, kFamily,
     "Returns the number of members of a sorted set."},
    {"zpopmin", -2, kWrite | kFast, kOne, ZPopMin, kFamily,
     "Removes the members with the lowest scores and returns them."},
    {"zpopmax", -2, kWrite | kFast, kOne, ZPopMax, kFamily,
     "Removes the members with the highest scores and returns them."},
    {"bzpopmin",
     -3,
     kWaits,
     {1, -2, 1},
     BZPopMin,
     kFamily,
     "Removes the member with the lowest score of the first sorted set that "
     "has one; waits for one."},
    {"bzpopmax",
     -3,
     kWaits,
     {1, -2, 1},
     BZPopMax,
     kFamily,
     "Removes the member with the highest score of the first sorted set that "
     "has one; waits for one."},
};

}  // namespace

absl::Span<const Command> SortedSetCommands() { return kCommands; }

}  // namespace muster::commands
