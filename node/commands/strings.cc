// GET, SET and what else reads and writes strings as bytes.
#include <string>

#include "crdt/keyspace/types.h"
#include "node/commands/call.h"
#include "node/commands/command.h"
#include "node/commands/expiry.h"

namespace muster::commands {
namespace {

using kv::Deadline;
using kv::KeyView;
using kv::Type;

void AnswerString(const KeyView& key, Reply& reply) {
  if (!key.exists()) return reply.Nil();
  std::string scratch;
  reply.Bulk(key.String(scratch));
}

// Answers the value, nil or WRONGTYPE; whether it was no error.
bool AnswerGet(Call& call, size_t i) {
  KeyView key;
  if (!call.FindAs(i, Type::kString, key)) return false;
  AnswerString(key, call.reply());
  return true;
}

void Get(Call& call) { AnswerGet(call, 1); }

void GetDel(Call& call) {
  if (AnswerGet(call, 1)) call.tx().RemoveKey(call.key(1));
}

void GetSet(Call& call) {
  if (AnswerGet(call, 1)) {
    call.tx().PutString(call.key(1), call.arg(2), Deadline{});
  }
}

void GetEx(Call& call) {
  StringOptions options;
  if (!ParseStringOptions(call, 2, StringOptions::kGetEx, options)) return;
  KeyView key;
  if (!call.FindAs(1, Type::kString, key)) return;
  if (!key.exists()) return call.reply().Nil();
  Deadline due;
  if (!ParseDue(call, options, due)) return;
  AnswerString(key, call.reply());
  if (due.IsDue(call.now())) {
    call.tx().RemoveKey(call.key(1));
  } else if (due.IsSet() || (options.persist && key.deadline().IsSet())) {
    call.tx().SetDeadline(call.key(1), due);
  }
}

void Set(Call& call) {
  StringOptions options;
  if (!ParseStringOptions(call, 3, StringOptions::kSet, options)) return;
  Deadline due;
  if (!ParseDue(call, options, due)) return;
  KeyView key = call.Find(1);
  if (options.get && !AnswerGet(call, 1)) return;
  if ((options.nx && key.exists()) || (options.xx && !key.exists())) {
    if (!options.get) call.reply().Nil();
    return;
  }
  if (options.keep_ttl) due = key.deadline();
  call.tx().PutString(call.key(1), call.arg(2), due);
  if (!options.get) call.reply().Ok();
}

void SetNx(Call& call) {
  const bool absent = !call.Find(1).exists();
  if (absent) call.tx().PutString(call.key(1), call.arg(2), Deadline{});
  call.reply().Integer(absent ? 1 : 0);
}

void SetWithTimeout(Call& call, uint64_t unit_ms) {
  StringOptions options;
  options.time_at = 2;
  options.unit_ms = unit_ms;
  Deadline due;
  if (!ParseDue(call, options, due)) return;
  call.tx().PutString(call.key(1), call.arg(3), due);
  call.reply().Ok();
}

void SetEx(Call& call) { SetWithTimeout(call, 1000); }
void PSetEx(Call& call) { SetWithTimeout(call, 1); }

void Strlen(Call& call) {
  KeyView key;
  if (!call.FindAs(1, Type::kString, key)) return;
  std::string scratch;
  call.reply().Integer(
      key.exists() ? static_cast<int64_t>(key.String(scratch).size()) : 0);
}

void Append(Call& call) {
  KeyView key;
  if (!call.FindAs(1, Type::kString, key)) return;
  std::string scratch;
  std::string value(key.exists() ? key.String(scratch) : "");
  value.append(call.arg(2).data(), call.arg(2).size());
  if (!call.CheckValueBytes(value.size())) return;
  call.tx().PutString(call.key(1), value, key.deadline());
  call.reply().Integer(static_cast<int64_t>(value.size()));
}

void MGet(Call& call) {
  call.reply().Begin(Reply::Kind::kArray,
                     static_cast<uint32_t>(call.argc() - 1));
  for (size_t i = 1; i < call.argc(); ++i) {
    const KeyView key = call.Find(i);
    AnswerString(key.type() == Type::kString ? key : KeyView(), call.reply());
  }
}

void PutAll(Call& call) {
  for (size_t i = 1; i < call.argc(); i += 2) {
    call.tx().PutString(call.key(i), call.arg(i + 1), Deadline{});
  }
}

void MSet(Call& call) {
  if (call.argc() % 2 == 0) return call.WrongArity();
  PutAll(call);
  call.reply().Ok();
}

void MSetNx(Call& call) {
  if (call.argc() % 2 == 0) return call.WrongArity();
  for (size_t i = 1; i < call.argc(); i += 2) {
    if (call.Find(i).exists()) return call.reply().Integer(0);
  }
  PutAll(call);
  call.reply().Integer(1);
}

constexpr auto kFamily = Family::kStrings;
constexpr KeyRange kOne = {1, 1, 1};

constexpr Command kCommands[] = {
    {"get", 2, kReadOnly | kFast, kOne, Get, kFamily,
     "Returns the string value of a key."},
    {"set", -3, kWrite | kDenyOom, kOne, Set, kFamily,
     "Sets the string value of a key, whatever its type was, and clears or "
     "sets its time to live."},
    {"setnx", 3, kWrite | kDenyOom | kFast, kOne, SetNx, kFamily,
     "Sets the string value of a key only if the key does not exist."},
    {"setex", 4, kWrite | kDenyOom, kOne, SetEx, kFamily,
     "Sets the string value and the time to live of a key, in seconds."},
    {"psetex", 4, kWrite | kDenyOom, kOne, PSetEx, kFamily,
     "Sets the string value and the time to live of a key, in milliseconds."},
    {"getset", 3, kWrite | kDenyOom | kFast, kOne, GetSet, kFamily,
     "Sets the string value of a key and returns the one before."},
    {"getdel", 2, kWrite | kFast, kOne, GetDel, kFamily,
     "Returns the string value of a key and removes the key."},
    {"getex", -2, kWrite | kFast, kOne, GetEx, kFamily,
     "Returns the string value of a key and sets or clears its time to live."},
    {"strlen", 2, kReadOnly | kFast, kOne, Strlen, kFamily,
     "Returns the length of a string value, in bytes."},
    {"append", 3, kWrite | kDenyOom | kFast, kOne, Append, kFamily,
     "Appends to a string value; creates the key if it does not exist."},
    {"mget",
     -2,
     kReadOnly | kFast,
     {1, -1, 1},
     MGet,
     kFamily,
     "Returns the string values of several keys."},
    {"mset",
     -3,
     kWrite | kDenyOom,
     {1, -1, 2},
     MSet,
     kFamily,
     "Sets the string values of several keys, as one."},
    {"msetnx",
     -3,
     kWrite | kDenyOom,
     {1, -1, 2},
     MSetNx,
     kFamily,
     "Sets the string values of several keys only if none of them exists."},
};

}  // namespace

absl::Span<const Command> StringCommands() { return kCommands; }

}  // namespace muster::commands
