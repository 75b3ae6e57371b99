// DEL, SCAN and what else is of keys of any type.
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "crdt/glob.h"
#include "crdt/keyspace/types.h"
#include "node/commands/call.h"
#include "node/commands/command.h"

namespace muster::commands {
namespace {

using kv::KeyName;
using kv::KeyView;
using kv::Type;

void Del(Call& call) {
  int64_t removed = 0;
  for (size_t i = 1; i < call.argc(); ++i) {
    if (!call.Find(i).exists()) continue;
    call.tx().RemoveKey(call.key(i));
    ++removed;
  }
  call.reply().Integer(removed);
}

void Exists(Call& call) {
  int64_t found = 0;
  for (size_t i = 1; i < call.argc(); ++i) found += call.Find(i).exists();
  call.reply().Integer(found);
}

absl::string_view NameOf(Type type) {
  switch (type) {
    case Type::kNone:
      break;
    case Type::kString:
      return "string";
    case Type::kHash:
      return "hash";
    case Type::kSet:
      return "set";
    case Type::kSortedSet:
      return "zset";
    case Type::kList:
      return "list";
    case Type::kStream:
      return "stream";
  }
  return "none";
}

void TypeOfKey(Call& call) { call.reply().Simple(NameOf(call.Find(1).type())); }

// Whether the key at argument 1 was there; else the error was answered.
bool RenameTo(Call& call, bool only_if_absent, bool& done) {
  if (!call.Find(1).exists()) {
    call.Error("ERR no such key");
    return false;
  }
  const bool same = call.arg(1) == call.arg(2);
  done = !only_if_absent || (!same && !call.Find(2).exists());
  if (done && !same) call.tx().Move(call.key(1), call.key(2));
  return true;
}

void Rename(Call& call) {
  bool done = false;
  if (RenameTo(call, false, done)) call.reply().Ok();
}

void RenameNx(Call& call) {
  bool done = false;
  if (RenameTo(call, true, done)) call.reply().Integer(done ? 1 : 0);
}

// A database's number. False: it is none, which was answered.
bool ParseDb(Call& call, size_t i, uint8_t& out) {
  int64_t db = 0;
  if (!call.Integer(i, db)) return false;
  constexpr int64_t kMin = std::numeric_limits<int32_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int32_t>::max();
  if (db < kMin || db > kMax) {
    call.Error(absl::StrCat("ERR value is out of range, value must between ",
                            kMin, " and ", kMax));
    return false;
  }
  if (db < 0 || db >= kv::kDatabases) {
    call.Error("ERR DB index is out of range");
    return false;
  }
  out = static_cast<uint8_t>(db);
  return true;
}

void Copy(Call& call) {
  KeyName to = call.key(2);
  bool replace = false;
  for (size_t i = 3; i < call.argc(); ++i) {
    if (call.Is(i, "replace")) {
      replace = true;
    } else if (call.Is(i, "db") && i + 1 < call.argc()) {
      if (!ParseDb(call, ++i, to.db)) return;
    } else {
      return call.SyntaxError();
    }
  }
  if (to == call.key(1)) {
    return call.Error("ERR source and destination objects are the same");
  }
  const bool done =
      call.Find(1).exists() && (replace || !call.Find(to).exists());
  if (done) call.tx().Copy(call.key(1), to);
  call.reply().Integer(done ? 1 : 0);
}

void Keys(Call& call) {
  Reply& reply = call.reply();
  const size_t open = reply.BeginOpen(Reply::Kind::kArray);
  uint32_t count = 0;
  uint32_t cursor = 0;
  do {
    cursor = call.state().ScanKeys(call.session().db, cursor,
                                   std::numeric_limits<uint32_t>::max(),
                                   call.now(), [&](absl::string_view key) {
                                     if (!crdt::GlobMatch(call.arg(1), key))
                                       return;
                                     reply.Bulk(key);
                                     ++count;
                                   });
  } while (cursor != 0);
  reply.End(open, count);
}

struct ScanOptions {
  uint32_t count = 10;
  std::optional<absl::string_view> match;
  std::optional<std::string> type;
};

// One step is no longer than this, whatever COUNT says.
constexpr int64_t kMaxScanCount = 10'000;

bool ParseScanOptions(Call& call, ScanOptions& out) {
  for (size_t i = 2; i < call.argc(); i += 2) {
    const bool has_value = i + 1 < call.argc();
    if (has_value && call.Is(i, "match")) {
      out.match = call.arg(i + 1);
    } else if (has_value && call.Is(i, "type")) {
      out.type = absl::AsciiStrToLower(call.arg(i + 1));
    } else if (has_value && call.Is(i, "count")) {
      int64_t count = 0;
      if (!call.Integer(i + 1, count)) return false;
      if (count < 1) {
        call.SyntaxError();
        return false;
      }
      out.count = static_cast<uint32_t>(std::min(count, kMaxScanCount));
    } else {
      call.SyntaxError();
      return false;
    }
  }
  return true;
}

// As strtoull takes it: "" is 0, and "-1" the last one.
bool ParseCursor(absl::string_view text, uint64_t& out) {
  if (!text.empty() &&
      absl::ascii_isspace(static_cast<unsigned char>(text.front()))) {
    return false;
  }
  const std::string copy(text);
  char* end = nullptr;
  errno = 0;
  out = std::strtoull(copy.c_str(), &end, 10);
  return *end == '\0' && errno != ERANGE;
}

void Scan(Call& call) {
  uint64_t cursor = 0;
  if (!ParseCursor(call.arg(1), cursor)) {
    return call.Error("ERR invalid cursor");
  }
  ScanOptions options;
  if (!ParseScanOptions(call, options)) return;
  std::vector<std::string> found;
  const auto visit = [&](absl::string_view key) {
    if (options.match && !crdt::GlobMatch(*options.match, key)) return;
    const KeyName name{call.session().db, key};
    if (options.type && *options.type != NameOf(call.Find(name).type())) {
      return;
    }
    found.emplace_back(key);
  };
  // A cursor that none was given as is at the end.
  const uint32_t next =
      cursor > std::numeric_limits<uint32_t>::max()
          ? 0
          : call.state().ScanKeys(call.session().db,
                                  static_cast<uint32_t>(cursor), options.count,
                                  call.now(), visit);
  Reply& reply = call.reply();
  reply.Begin(Reply::Kind::kArray, 2);
  reply.Bulk(absl::StrCat(next));
  reply.Begin(Reply::Kind::kArray, static_cast<uint32_t>(found.size()));
  for (const std::string& key : found) reply.Bulk(key);
}

void DbSize(Call& call) {
  call.reply().Integer(
      static_cast<int64_t>(call.state().Keys(call.session().db)));
}

// Redis' ASYNC and SYNC make no difference here.
bool ParseFlush(Call& call) {
  if (call.argc() == 1) return true;
  if (call.argc() == 2 && (call.Is(1, "async") || call.Is(1, "sync"))) {
    return true;
  }
  call.SyntaxError();
  return false;
}

void FlushDb(Call& call) {
  if (!ParseFlush(call)) return;
  if (call.state().Keys(call.session().db) > 0) {
    call.tx().Flush(call.session().db);
  }
  call.reply().Ok();
}

void FlushAll(Call& call) {
  if (!ParseFlush(call)) return;
  for (uint8_t db = 0; db < kv::kDatabases; ++db) {
    if (call.state().Keys(db) > 0) call.tx().Flush(db);
  }
  call.reply().Ok();
}

// A key at about a random place: one of the few after a random cursor.
void RandomKey(Call& call) {
  constexpr uint32_t kFew = 16;
  std::vector<std::string> few;
  const auto visit = [&](absl::string_view key) { few.emplace_back(key); };
  const uint8_t db = call.session().db;
  auto cursor = static_cast<uint32_t>(call.random().Next());
  call.state().ScanKeys(db, cursor, kFew, call.now(), visit);
  // From the beginning on, past what is due, until there is one or none.
  cursor = 0;
  do {
    if (!few.empty()) break;
    cursor = call.state().ScanKeys(db, cursor, kFew, call.now(), visit);
  } while (cursor != 0);
  if (few.empty()) return call.reply().Nil();
  call.reply().Bulk(few[call.random().Below(few.size())]);
}

void Select(Call& call) {
  uint8_t db = 0;
  if (!ParseDb(call, 1, db)) return;
  call.session().db = db;
  call.reply().Ok();
}

constexpr auto kFamily = Family::kKeys;
constexpr KeyRange kNone = {};
constexpr KeyRange kOne = {1, 1, 1};
constexpr KeyRange kTwo = {1, 2, 1};
constexpr KeyRange kAll = {1, -1, 1};
constexpr uint32_t kReads = kReadOnly | kFast;

constexpr Command kCommands[] = {
    {"del", -2, kWrite, kAll, Del, kFamily,
     "Removes keys; returns how many there were."},
    {"unlink", -2, kWrite | kFast, kAll, Del, kFamily,
     "Removes keys, as DEL does."},
    {"exists", -2, kReads, kAll, Exists, kFamily,
     "Returns how many of the keys exist."},
    {"touch", -2, kReads, kAll, Exists, kFamily,
     "Returns how many of the keys exist."},
    {"type", 2, kReads, kOne, TypeOfKey, kFamily,
     "Returns the type of the value of a key."},
    {"rename", 3, kWrite, kTwo, Rename, kFamily,
     "Renames a key, in place of one that has the new name."},
    {"renamenx", 3, kWrite | kFast, kTwo, RenameNx, kFamily,
     "Renames a key only if no key has the new name."},
    {"copy", -3, kWrite | kDenyOom, kTwo, Copy, kFamily,
     "Copies a key and its time to live to another key or database."},
    {"keys", 2, kReadOnly, kNone, Keys, kFamily,
     "Returns the names of all keys that match a pattern."},
    {"scan", -2, kReadOnly | kRandom, kNone, Scan, kFamily,
     "Returns some of the keys of a database, and the cursor for the next "
     "ones; 0: these were the last."},
    {"dbsize", 1, kReads, kNone, DbSize, kFamily,
     "Returns the number of keys of the database."},
    {"randomkey", 1, kReadOnly | kRandom, kNone, RandomKey, kFamily,
     "Returns the name of a key, chosen at random."},
    {"flushdb", -1, kWrite, kNone, FlushDb, kFamily,
     "Removes all keys of the database."},
    {"flushall", -1, kWrite, kNone, FlushAll, kFamily,
     "Removes all keys of all databases."},
    {"select", 2, kAlways | kFast, kNone, Select, Family::kConnection,
     "Changes to the database of that number."},
};

}  // namespace

absl::Span<const Command> KeyCommands() { return kCommands; }

}  // namespace muster::commands
