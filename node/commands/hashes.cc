// HSET and its relatives.
#include <cmath>
#include <cstdint>
#include <optional>
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

bool FindHash(Call& call, KeyView& out) {
  return call.FindAs(1, Type::kHash, out);
}

// The number of fields that were new.
int64_t PutFields(Call& call) {
  int64_t added = 0;
  Entry entry;
  for (size_t i = 2; i < call.argc(); i += 2) {
    if (!call.Find(1).Get(call.arg(i), entry)) ++added;
    call.tx().PutField(call.key(1), call.arg(i), call.arg(i + 1));
  }
  return added;
}

void HSet(Call& call) {
  if (call.argc() % 2 != 0) return call.WrongArity();
  KeyView hash;
  if (!FindHash(call, hash)) return;
  call.reply().Integer(PutFields(call));
}

void HMSet(Call& call) {
  if (call.argc() % 2 != 0) return call.WrongArity();
  KeyView hash;
  if (!FindHash(call, hash)) return;
  PutFields(call);
  call.reply().Ok();
}

void HSetNx(Call& call) {
  KeyView hash;
  if (!FindHash(call, hash)) return;
  Entry entry;
  const bool absent = !hash.Get(call.arg(2), entry);
  if (absent) call.tx().PutField(call.key(1), call.arg(2), call.arg(3));
  call.reply().Integer(absent ? 1 : 0);
}

void AnswerField(const KeyView& hash, absl::string_view field, Reply& reply) {
  Entry entry;
  if (!hash.Get(field, entry)) return reply.Nil();
  reply.Bulk(entry.value);
}

void HGet(Call& call) {
  KeyView hash;
  if (FindHash(call, hash)) AnswerField(hash, call.arg(2), call.reply());
}

void HMGet(Call& call) {
  KeyView hash;
  if (!FindHash(call, hash)) return;
  call.reply().Begin(Reply::Kind::kArray,
                     static_cast<uint32_t>(call.argc() - 2));
  for (const absl::string_view field : call.args_from(2)) {
    AnswerField(hash, field, call.reply());
  }
}

void AnswerAll(Call& call, Reply::Kind kind, bool names, bool values) {
  KeyView hash;
  if (!FindHash(call, hash)) return;
  Reply& reply = call.reply();
  const size_t open = reply.BeginOpen(kind);
  uint32_t count = 0;
  hash.Scan(std::nullopt, [&](const Entry& entry) {
    if (names) reply.Bulk(entry.name);
    if (values) reply.Bulk(entry.value);
    count += (names ? 1 : 0) + (values ? 1 : 0);
    return true;
  });
  reply.End(open, count);
}

void HGetAll(Call& call) { AnswerAll(call, Reply::Kind::kMap, true, true); }
void HKeys(Call& call) { AnswerAll(call, Reply::Kind::kArray, true, false); }
void HVals(Call& call) { AnswerAll(call, Reply::Kind::kArray, false, true); }

void HLen(Call& call) {
  KeyView hash;
  if (!FindHash(call, hash)) return;
  call.reply().Integer(static_cast<int64_t>(hash.size()));
}

void HExists(Call& call) {
  KeyView hash;
  if (!FindHash(call, hash)) return;
  Entry entry;
  call.reply().Integer(hash.Get(call.arg(2), entry) ? 1 : 0);
}

void HStrlen(Call& call) {
  KeyView hash;
  if (!FindHash(call, hash)) return;
  Entry entry;
  call.reply().Integer(hash.Get(call.arg(2), entry)
                           ? static_cast<int64_t>(entry.value.size())
                           : 0);
}

void HDel(Call& call) {
  KeyView hash;
  if (!FindHash(call, hash)) return;
  int64_t removed = 0;
  Entry entry;
  for (const absl::string_view field : call.args_from(2)) {
    const KeyView now = call.Find(1);
    if (!now.exists() || !now.Get(field, entry)) continue;
    call.tx().Remove(call.key(1), field);
    ++removed;
  }
  call.reply().Integer(removed);
}

void HIncrBy(Call& call) {
  int64_t by = 0;
  KeyView hash;
  if (!call.Integer(3, by) || !FindHash(call, hash)) return;
  Entry entry;
  const std::optional<int64_t> value = hash.Get(call.arg(2), entry)
                                           ? hash.FieldInteger(call.arg(2))
                                           : std::optional<int64_t>(0);
  if (!value.has_value()) {
    return call.Error("ERR hash value is not an integer");
  }
  const std::optional<int64_t> sum = Sum(*value, by);
  if (!sum.has_value()) {
    return call.Error("ERR increment or decrement would overflow");
  }
  call.tx().IncrementField(call.key(1), call.arg(2), by);
  call.reply().Integer(*sum);
}

void HIncrByFloat(Call& call) {
  const std::optional<long double> by = ParseLongDouble(call.arg(3));
  if (!by.has_value()) return call.Error("ERR value is not a valid float");
  if (std::isinf(*by)) return call.Error("ERR value is NaN or Infinity");
  KeyView hash;
  if (!FindHash(call, hash)) return;
  Entry entry;
  const std::optional<long double> value =
      hash.Get(call.arg(2), entry) ? ParseLongDouble(entry.value) : 0;
  if (!value.has_value()) return call.Error("ERR hash value is not a float");
  const long double sum = *value + *by;
  if (std::isnan(sum) || std::isinf(sum)) {
    return call.Error("ERR increment would produce NaN or Infinity");
  }
  const std::string text = LongDoubleText(sum);
  call.tx().PutField(call.key(1), call.arg(2), text);
  call.reply().Bulk(text);
}

constexpr auto kFamily = Family::kHashes;
constexpr KeyRange kOne = {1, 1, 1};
constexpr uint32_t kReads = kReadOnly | kFast;
constexpr uint32_t kPuts = kWrite | kDenyOom | kFast;

constexpr Command kCommands[] = {
    {"hset", -4, kPuts, kOne, HSet, kFamily,
     "Sets fields of a hash; returns how many of them are new."},
    {"hmset", -4, kPuts, kOne, HMSet, kFamily,
     "Sets fields of a hash; the old form of HSET."},
    {"hsetnx", 4, kPuts, kOne, HSetNx, kFamily,
     "Sets a field of a hash only if the field does not exist."},
    {"hget", 3, kReads, kOne, HGet, kFamily,
     "Returns the value of a field of a hash."},
    {"hmget", -3, kReads, kOne, HMGet, kFamily,
     "Returns the values of several fields of a hash."},
    {"hgetall", 2, kReadOnly | kRandom, kOne, HGetAll, kFamily,
     "Returns all fields of a hash and their values."},
    {"hkeys", 2, kReadOnly, kOne, HKeys, kFamily,
     "Returns the names of all fields of a hash."},
    {"hvals", 2, kReadOnly, kOne, HVals, kFamily,
     "Returns the values of all fields of a hash."},
    {"hlen", 2, kReads, kOne, HLen, kFamily,
     "Returns the number of fields of a hash."},
    {"hexists", 3, kReads, kOne, HExists, kFamily,
     "Tells whether a hash has a field."},
    {"hstrlen", 3, kReads, kOne, HStrlen, kFamily,
     "Returns the length of the value of a field, in bytes."},
    {"hdel", -3, kWrite | kFast, kOne, HDel, kFamily,
     "Removes fields of a hash; returns how many there were."},
    {"hincrby", 4, kPuts, kOne, HIncrBy, kFamily,
     "Adds an integer to the integer value of a field."},
    {"hincrbyfloat", 4, kPuts, kOne, HIncrByFloat, kFamily,
     "Adds a floating-point number to the number that a field holds."},
};

}  // namespace

absl::Span<const Command> HashCommands() { return kCommands; }

}  // namespace muster::commands
