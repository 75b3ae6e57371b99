// ZRANGE and its relatives: ranges by rank, by score and by name.
//
//   ZRANGE z 0 -1                   all, lowest score first
//   ZRANGE z (1 +inf BYSCORE        scores above 1
//   ZRANGE z [a (c BYLEX            names from a to below c, of equal scores
//
// A range of scores or names is first made one of ranks.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "crdt/keyspace/types.h"
#include "node/commands/call.h"
#include "node/commands/command.h"
#include "node/commands/numbers.h"

namespace muster::commands {
namespace {

using kv::Entry;
using kv::KeyView;
using kv::Type;
using Direction = KeyView::Direction;

enum class By : uint8_t { kRank, kScore, kName };

struct ScoreBound {
  double score = 0;
  bool exclusive = false;
};

// strtod's prefix rule: what follows the number makes it none; "" is 0.
bool ParseScoreBound(absl::string_view text, ScoreBound& out) {
  out.exclusive = !text.empty() && text.front() == '(';
  if (out.exclusive) text.remove_prefix(1);
  const std::string copy(text);
  char* end = nullptr;
  out.score = std::strtod(copy.c_str(), &end);
  return *end == '\0' && !std::isnan(out.score);
}

struct NameBound {
  enum class At : uint8_t { kMin, kName, kMax };
  At at = At::kName;
  absl::string_view name;
  bool exclusive = false;
};

bool ParseNameBound(absl::string_view text, NameBound& out) {
  if (text == "-" || text == "+") {
    out.at = text == "-" ? NameBound::At::kMin : NameBound::At::kMax;
    return true;
  }
  if (text.empty() || (text.front() != '(' && text.front() != '[')) {
    return false;
  }
  out.exclusive = text.front() == '(';
  out.name = text.substr(1);
  return true;
}

// Whether a name is above the lower bound, or below the upper one.
bool IsAbove(absl::string_view name, const NameBound& min) {
  if (min.at != NameBound::At::kName) return min.at == NameBound::At::kMin;
  return min.exclusive ? name > min.name : name >= min.name;
}
bool IsBelow(absl::string_view name, const NameBound& max) {
  if (max.at != NameBound::At::kName) return max.at == NameBound::At::kMax;
  return max.exclusive ? name < max.name : name <= max.name;
}

struct Range {
  By by = By::kRank;
  bool by_given = false;
  bool reverse = false;
  bool with_scores = false;
  int64_t offset = 0;
  int64_t limit = -1;
  int64_t start = 0;
  int64_t stop = 0;
  ScoreBound min_score;
  ScoreBound max_score;
  NameBound min_name;
  NameBound max_name;
};

RankRange Between(uint64_t first, uint64_t behind) {
  return first < behind ? RankRange{first, behind - first} : RankRange{};
}

RankRange RanksOfScores(const KeyView& set, const Range& range) {
  return Between(
      set.CountBelow(range.min_score.score, range.min_score.exclusive),
      set.CountBelow(range.max_score.score, !range.max_score.exclusive));
}

// The first rank from `low` to `high` for which `is_behind`, by bisection.
template <typename Predicate>
uint64_t FirstRank(const KeyView& set, Predicate is_behind) {
  uint64_t low = 0;
  uint64_t high = set.size();
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    Entry entry;
    set.At(middle, entry);
    if (is_behind(entry.name)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

RankRange RanksOfNames(const KeyView& set, const Range& range) {
  const uint64_t first = FirstRank(set, [&](absl::string_view name) {
    return IsAbove(name, range.min_name);
  });
  const uint64_t behind = FirstRank(set, [&](absl::string_view name) {
    return !IsBelow(name, range.max_name);
  });
  return Between(first, behind);
}

// LIMIT, counted from the end where the range is reversed. A negative offset
// leaves nothing, a negative limit all.
RankRange Limited(RankRange ranks, const Range& range) {
  if (range.offset < 0) return {};
  const uint64_t skipped =
      std::min(static_cast<uint64_t>(range.offset), ranks.count);
  const uint64_t left = ranks.count - skipped;
  const uint64_t count =
      range.limit < 0 ? left
                      : std::min(static_cast<uint64_t>(range.limit), left);
  const uint64_t first =
      range.reverse ? ranks.first + left - count : ranks.first + skipped;
  return {first, count};
}

RankRange RanksOf(const KeyView& set, const Range& range) {
  switch (range.by) {
    case By::kScore:
      return Limited(RanksOfScores(set, range), range);
    case By::kName:
      return Limited(RanksOfNames(set, range), range);
    case By::kRank:
      break;
  }
  RankRange ranks = ClampRanks(range.start, range.stop, set.size());
  // Ranks of a reversed range count from the highest score.
  if (range.reverse && ranks.count > 0) {
    ranks.first = set.size() - ranks.first - ranks.count;
  }
  return ranks;
}

// An option of ZRANGE itself; its relatives have theirs in their names.
bool TakeOption(const Call& call, size_t i, Range& range) {
  if (!range.reverse && call.Is(i, "rev")) return range.reverse = true;
  if (range.by_given) return false;
  if (call.Is(i, "byscore")) {
    range.by = By::kScore;
  } else if (call.Is(i, "bylex")) {
    range.by = By::kName;
  } else {
    return false;
  }
  return range.by_given = true;
}

bool ParseOptions(Call& call, bool fixed, Range& range) {
  for (size_t i = 4; i < call.argc(); ++i) {
    if (call.Is(i, "withscores")) {
      range.with_scores = true;
    } else if (call.Is(i, "limit") && i + 2 < call.argc()) {
      if (!call.Integer(i + 1, range.offset) ||
          !call.Integer(i + 2, range.limit)) {
        return false;
      }
      i += 2;
    } else if (fixed || !TakeOption(call, i, range)) {
      call.SyntaxError();
      return false;
    }
  }
  if (range.limit != -1 && range.by == By::kRank) {
    call.Error(
        "ERR syntax error, LIMIT is only supported in combination with either "
        "BYSCORE or BYLEX");
    return false;
  }
  if (range.with_scores && range.by == By::kName) {
    call.Error(
        "ERR syntax error, WITHSCORES not supported in combination with "
        "BYLEX");
    return false;
  }
  return true;
}

bool ParseBounds(Call& call, Range& range) {
  if (range.by == By::kRank) {
    return call.Integer(2, range.start) && call.Integer(3, range.stop);
  }
  const size_t min = range.reverse ? 3 : 2;
  const size_t max = range.reverse ? 2 : 3;
  if (range.by == By::kScore) {
    if (ParseScoreBound(call.arg(min), range.min_score) &&
        ParseScoreBound(call.arg(max), range.max_score)) {
      return true;
    }
    call.Error("ERR min or max is not a float");
    return false;
  }
  if (ParseNameBound(call.arg(min), range.min_name) &&
      ParseNameBound(call.arg(max), range.max_name)) {
    return true;
  }
  call.Error("ERR min or max not valid string range item");
  return false;
}

// `fixed`: the range is told by the command's name, not by options.
void AnswerRange(Call& call, Range range, bool fixed) {
  if (!ParseOptions(call, fixed, range) || !ParseBounds(call, range)) return;
  KeyView set;
  if (!call.FindAs(1, Type::kSortedSet, set)) return;
  RankRange ranks;
  if (set.exists()) ranks = RanksOf(set, range);
  const bool scores = range.with_scores;
  Reply& reply = call.reply();
  reply.Begin(scores ? Reply::Kind::kPairs : Reply::Kind::kArray,
              static_cast<uint32_t>(ranks.count * (scores ? 2 : 1)));
  if (ranks.count == 0) return;
  uint64_t left = ranks.count;
  set.Walk(range.reverse ? ranks.first + ranks.count - 1 : ranks.first,
           range.reverse ? Direction::kDown : Direction::kUp,
           [&](const Entry& entry) {
             reply.Bulk(entry.name);
             if (scores) reply.Double(entry.score);
             return --left > 0;
           });
}

void ZRange(Call& call) { AnswerRange(call, {}, false); }
void ZRevRange(Call& call) { AnswerRange(call, {.reverse = true}, true); }
void ZRangeByScore(Call& call) { AnswerRange(call, {.by = By::kScore}, true); }
void ZRevRangeByScore(Call& call) {
  AnswerRange(call, {.by = By::kScore, .reverse = true}, true);
}
void ZRangeByLex(Call& call) { AnswerRange(call, {.by = By::kName}, true); }
void ZRevRangeByLex(Call& call) {
  AnswerRange(call, {.by = By::kName, .reverse = true}, true);
}

void AnswerCount(Call& call, By by) {
  Range range{.by = by};
  KeyView set;
  if (!ParseBounds(call, range) || !call.FindAs(1, Type::kSortedSet, set)) {
    return;
  }
  RankRange ranks;
  if (set.exists()) ranks = RanksOf(set, range);
  call.reply().Integer(static_cast<int64_t>(ranks.count));
}

void ZCount(Call& call) { AnswerCount(call, By::kScore); }
void ZLexCount(Call& call) { AnswerCount(call, By::kName); }

constexpr auto kFamily = Family::kSortedSets;
constexpr KeyRange kOne = {1, 1, 1};

constexpr Command kCommands[] = {
    {"zrange", -4, kReadOnly, kOne, ZRange, kFamily,
     "Returns the members of a sorted set within a range of ranks, scores or "
     "names."},
    {"zrevrange", -4, kReadOnly, kOne, ZRevRange, kFamily,
     "Returns the members within a range of ranks, highest score first."},
    {"zrangebyscore", -4, kReadOnly, kOne, ZRangeByScore, kFamily,
     "Returns the members within a range of scores."},
    {"zrevrangebyscore", -4, kReadOnly, kOne, ZRevRangeByScore, kFamily,
     "Returns the members within a range of scores, highest score first."},
    {"zrangebylex", -4, kReadOnly, kOne, ZRangeByLex, kFamily,
     "Returns the members within a range of names, where scores are equal."},
    {"zrevrangebylex", -4, kReadOnly, kOne, ZRevRangeByLex, kFamily,
     "Returns the members within a range of names, in reverse order."},
    {"zcount", 4, kReadOnly | kFast, kOne, ZCount, kFamily,
     "Returns the number of members within a range of scores."},
    {"zlexcount", 4, kReadOnly | kFast, kOne, ZLexCount, kFamily,
     "Returns the number of members within a range of names."},
};

}  // namespace

absl::Span<const Command> SortedSetRangeCommands() { return kCommands; }

}  // namespace muster::commands
