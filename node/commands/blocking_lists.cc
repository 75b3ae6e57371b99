// BLPOP and its relatives: they wait where there is nothing.
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "crdt/keyspace/types.h"
#include "node/commands/blocking.h"
#include "node/commands/command.h"
#include "node/commands/lists.h"
#include "node/commands/numbers.h"

namespace muster::commands {

bool ParseTimeout(Call& call, size_t i, uint64_t& out_ms) {
  const std::optional<long double> seconds = ParseLongDouble(call.arg(i));
  if (!seconds.has_value()) {
    call.Error("ERR timeout is not a float or out of range");
    return false;
  }
  // Redis 7.0 takes one above int64 for a negative one, too.
  constexpr auto kMax = std::numeric_limits<int64_t>::max();
  const long double ms = std::ceil(*seconds * 1000);
  if (ms < 0 || ms >= static_cast<long double>(kMax)) {
    call.Error("ERR timeout is negative");
    return false;
  }
  out_ms = static_cast<uint64_t>(ms);
  if (out_ms <= static_cast<uint64_t>(kMax) - call.now().value) return true;
  call.Error("ERR timeout is out of range");
  return false;
}

Ready FirstReady(Call& call, size_t first, size_t last, kv::Type type,
                 size_t& out) {
  for (size_t i = first; i <= last; ++i) {
    const kv::KeyView key = call.Find(i);
    if (!key.exists()) continue;
    if (key.type() == type) {
      out = i;
      return Ready::kYes;
    }
    if (call.env().blocking == Blocking::kWoken) continue;
    call.WrongType();
    return Ready::kAnswered;
  }
  return Ready::kNo;
}

namespace {

void BlockingPop(Call& call, ListEnd end) {
  const size_t last = call.argc() - 2;
  uint64_t timeout_ms = 0;
  if (!ParseTimeout(call, last + 1, timeout_ms)) return;
  size_t key = 0;
  switch (FirstReady(call, 1, last, kv::Type::kList, key)) {
    case Ready::kAnswered:
      return;
    case Ready::kYes:
      call.reply().Begin(Reply::Kind::kArray, 2);
      call.reply().Bulk(call.arg(key));
      return PopAndAnswer(call, key, end, 1);
    case Ready::kNo: {
      Reply at_deadline;
      at_deadline.NilArray();
      call.WaitFor(1, last, timeout_ms, std::move(at_deadline));
    }
  }
}

void BLPop(Call& call) { BlockingPop(call, ListEnd::kFront); }
void BRPop(Call& call) { BlockingPop(call, ListEnd::kBack); }

void BlockingMove(Call& call, ListEnd from, ListEnd to, size_t timeout_at) {
  uint64_t timeout_ms = 0;
  if (!ParseTimeout(call, timeout_at, timeout_ms)) return;
  size_t key = 0;
  switch (FirstReady(call, 1, 1, kv::Type::kList, key)) {
    case Ready::kAnswered:
      return;
    case Ready::kYes:
      return MoveAndAnswer(call, from, to);
    case Ready::kNo: {
      // Redis tells the two apart; RESP3 does not.
      Reply at_deadline;
      if (call.env().blocking == Blocking::kNever) {
        at_deadline.Nil();
      } else {
        at_deadline.NilArray();
      }
      call.WaitFor(1, 1, timeout_ms, std::move(at_deadline));
    }
  }
}

void BLMove(Call& call) {
  ListEnd from = ListEnd::kFront;
  ListEnd to = ListEnd::kFront;
  if (!ParseListEnd(call, 3, from) || !ParseListEnd(call, 4, to)) return;
  BlockingMove(call, from, to, 5);
}

void BRPopLPush(Call& call) {
  BlockingMove(call, ListEnd::kBack, ListEnd::kFront, 3);
}

constexpr auto kFamily = Family::kLists;
constexpr uint32_t kFlags = kWrite | kBlocking | kNoScript;

constexpr Command kCommands[] = {
    {"blpop",
     -3,
     kFlags,
     {1, -2, 1},
     BLPop,
     kFamily,
     "Removes the first element of the first list that has one and returns "
     "both; waits for one."},
    {"brpop",
     -3,
     kFlags,
     {1, -2, 1},
     BRPop,
     kFamily,
     "Removes the last element of the first list that has one and returns "
     "both; waits for one."},
    {"blmove",
     6,
     kFlags | kDenyOom,
     {1, 2, 1},
     BLMove,
     kFamily,
     "Moves an element from one end of a list to an end of another; waits for "
     "one."},
    {"brpoplpush",
     4,
     kFlags | kDenyOom,
     {1, 2, 1},
     BRPopLPush,
     kFamily,
     "Moves the last element of a list to the front of another; waits for "
     "one."},
};

}  // namespace

absl::Span<const Command> BlockingListCommands() { return kCommands; }

}  // namespace muster::commands
