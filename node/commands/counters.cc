// INCR and its relatives: strings as numbers.
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "crdt/keyspace/types.h"
#include "node/commands/call.h"
#include "node/commands/command.h"
#include "node/commands/numbers.h"

namespace muster::commands {
namespace {

using kv::KeyView;
using kv::Type;

void Add(Call& call, int64_t by) {
  KeyView key;
  if (!call.FindAs(1, Type::kString, key)) return;
  const std::optional<int64_t> value =
      key.exists() ? key.Integer() : std::optional<int64_t>(0);
  if (!value.has_value()) {
    return call.Error("ERR value is not an integer or out of range");
  }
  const std::optional<int64_t> sum = Sum(*value, by);
  if (!sum.has_value()) {
    return call.Error("ERR increment or decrement would overflow");
  }
  call.tx().Increment(call.key(1), by);
  call.reply().Integer(*sum);
}

void Incr(Call& call) { Add(call, 1); }
void Decr(Call& call) { Add(call, -1); }

void IncrBy(Call& call) {
  int64_t by = 0;
  if (call.Integer(2, by)) Add(call, by);
}

void DecrBy(Call& call) {
  int64_t by = 0;
  if (!call.Integer(2, by)) return;
  if (by == std::numeric_limits<int64_t>::min()) {
    return call.Error("ERR decrement would overflow");
  }
  Add(call, -by);
}

void IncrByFloat(Call& call) {
  KeyView key;
  if (!call.FindAs(1, Type::kString, key)) return;
  std::string scratch;
  const std::optional<long double> value =
      key.exists() ? ParseLongDouble(key.String(scratch)) : 0;
  const std::optional<long double> by = ParseLongDouble(call.arg(2));
  if (!value.has_value() || !by.has_value()) {
    return call.Error("ERR value is not a valid float");
  }
  const long double sum = *value + *by;
  if (std::isnan(sum) || std::isinf(sum)) {
    return call.Error("ERR increment would produce NaN or Infinity");
  }
  const std::string text = LongDoubleText(sum);
  call.tx().PutString(call.key(1), text, key.deadline());
  call.reply().Bulk(text);
}

constexpr auto kFamily = Family::kStrings;
constexpr uint32_t kFlags = kWrite | kDenyOom | kFast;
constexpr KeyRange kOne = {1, 1, 1};

constexpr Command kCommands[] = {
    {"incr", 2, kFlags, kOne, Incr, kFamily,
     "Adds one to the integer value of a key; an absent key counts as 0."},
    {"decr", 2, kFlags, kOne, Decr, kFamily,
     "Takes one from the integer value of a key; an absent key counts as 0."},
    {"incrby", 3, kFlags, kOne, IncrBy, kFamily,
     "Adds an integer to the integer value of a key."},
    {"decrby", 3, kFlags, kOne, DecrBy, kFamily,
     "Takes an integer from the integer value of a key."},
    {"incrbyfloat", 3, kFlags, kOne, IncrByFloat, kFamily,
     "Adds a floating-point number to the number that a key holds."},
};

}  // namespace

absl::Span<const Command> CounterCommands() { return kCommands; }

}  // namespace muster::commands
