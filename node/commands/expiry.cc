// EXPIRE, TTL and their relatives.
#include "node/commands/expiry.h"

#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "node/commands/command.h"
#include "node/commands/numbers.h"

namespace muster::commands {
namespace {

using kv::Deadline;
using kv::KeyView;

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

struct TimeWord {
  absl::string_view word;
  uint64_t unit_ms;
  bool absolute;
};
constexpr TimeWord kTimeWords[] = {{"ex", 1000, false},
                                   {"px", 1, false},
                                   {"exat", 1000, true},
                                   {"pxat", 1, true}};

// Takes EX, PX … and the time after it. One word may come again: the last one
// counts.
bool TakeTime(const Call& call, size_t& i, StringOptions& out) {
  if (out.keep_ttl || out.persist || i + 1 >= call.argc()) return false;
  for (const TimeWord& time : kTimeWords) {
    if (!call.Is(i, time.word)) continue;
    if (out.time_at != 0 &&
        (out.unit_ms != time.unit_ms || out.absolute != time.absolute)) {
      return false;
    }
    out.time_at = ++i;
    out.unit_ms = time.unit_ms;
    out.absolute = time.absolute;
    return true;
  }
  return false;
}

bool TakeSetOption(const Call& call, size_t i, StringOptions& out) {
  if (call.Is(i, "nx") && !out.xx) return out.nx = true;
  if (call.Is(i, "xx") && !out.nx) return out.xx = true;
  if (call.Is(i, "get")) return out.get = true;
  if (call.Is(i, "keepttl") && out.time_at == 0) return out.keep_ttl = true;
  return false;
}

}  // namespace

bool ParseStringOptions(Call& call, size_t first, StringOptions::Of of,
                        StringOptions& out) {
  for (size_t i = first; i < call.argc(); ++i) {
    bool taken = false;
    if (of == StringOptions::kSet) {
      taken = TakeSetOption(call, i, out);
    } else if (call.Is(i, "persist") && out.time_at == 0) {
      taken = out.persist = true;
    }
    if (taken || TakeTime(call, i, out)) continue;
    call.SyntaxError();
    return false;
  }
  return true;
}

bool ParseDue(Call& call, const StringOptions& options, Deadline& out) {
  if (options.time_at == 0) return true;
  int64_t time = 0;
  if (!call.Integer(options.time_at, time)) return false;
  const auto unit = static_cast<int64_t>(options.unit_ms);
  const auto base =
      options.absolute ? 0 : static_cast<int64_t>(call.now().value);
  if (time <= 0 || time > kMax / unit || time * unit > kMax - base) {
    call.InvalidExpire();
    return false;
  }
  out.at_ms = static_cast<uint64_t>(time * unit + base);
  return true;
}

namespace {

struct ExpireOptions {
  bool nx = false;
  bool xx = false;
  bool gt = false;
  bool lt = false;

  // Whether a key whose deadline is `current` gets one at `when`.
  bool Allow(Deadline current, int64_t when) const {
    const auto at = static_cast<int64_t>(current.at_ms);
    if (nx && current.IsSet()) return false;
    if (xx && !current.IsSet()) return false;
    if (gt && (!current.IsSet() || when <= at)) return false;
    return !(lt && current.IsSet() && when >= at);
  }
};

bool ParseExpireOptions(Call& call, ExpireOptions& out) {
  for (size_t i = 3; i < call.argc(); ++i) {
    if (call.Is(i, "nx")) {
      out.nx = true;
    } else if (call.Is(i, "xx")) {
      out.xx = true;
    } else if (call.Is(i, "gt")) {
      out.gt = true;
    } else if (call.Is(i, "lt")) {
      out.lt = true;
    } else {
      call.Error(absl::StrCat("ERR Unsupported option ", call.arg(i)));
      return false;
    }
  }
  if (out.nx && (out.xx || out.gt || out.lt)) {
    call.Error(
        "ERR NX and XX, GT or LT options at the same time are not compatible");
    return false;
  }
  if (out.gt && out.lt) {
    call.Error("ERR GT and LT options at the same time are not compatible");
    return false;
  }
  return true;
}

void ExpireIn(Call& call, int64_t unit_ms, bool absolute) {
  ExpireOptions options;
  if (!ParseExpireOptions(call, options)) return;
  int64_t when = 0;
  if (!call.Integer(2, when)) return;
  const auto base = absolute ? 0 : static_cast<int64_t>(call.now().value);
  if (when > kMax / unit_ms || when < kMin / unit_ms ||
      when * unit_ms > kMax - base) {
    return call.InvalidExpire();
  }
  when = when * unit_ms + base;
  const KeyView key = call.Find(1);
  if (!key.exists() || !options.Allow(key.deadline(), when)) {
    return call.reply().Integer(0);
  }
  if (when <= static_cast<int64_t>(call.now().value)) {
    call.tx().RemoveKey(call.key(1));
  } else {
    call.tx().SetDeadline(call.key(1), Deadline{static_cast<uint64_t>(when)});
  }
  call.reply().Integer(1);
}

void Expire(Call& call) { ExpireIn(call, 1000, false); }
void PExpire(Call& call) { ExpireIn(call, 1, false); }
void ExpireAt(Call& call) { ExpireIn(call, 1000, true); }
void PExpireAt(Call& call) { ExpireIn(call, 1, true); }

// Answers when the key is due, less `since`: −1 never, −2 there is no key.
void AnswerDue(Call& call, uint64_t since, uint64_t unit_ms) {
  const KeyView key = call.Find(1);
  if (!key.exists()) return call.reply().Integer(-2);
  const Deadline due = key.deadline();
  if (!due.IsSet()) return call.reply().Integer(-1);
  call.reply().Integer(
      static_cast<int64_t>((due.at_ms - since + unit_ms / 2) / unit_ms));
}

void Ttl(Call& call) { AnswerDue(call, call.now().value, 1000); }
void PTtl(Call& call) { AnswerDue(call, call.now().value, 1); }
void ExpireTime(Call& call) { AnswerDue(call, 0, 1000); }
void PExpireTime(Call& call) { AnswerDue(call, 0, 1); }

void Persist(Call& call) {
  const bool due = call.Find(1).deadline().IsSet();
  if (due) call.tx().SetDeadline(call.key(1), Deadline{});
  call.reply().Integer(due ? 1 : 0);
}

constexpr auto kFamily = Family::kKeys;
constexpr uint32_t kWrites = kWrite | kFast;
constexpr uint32_t kReads = kReadOnly | kFast;
constexpr KeyRange kOne = {1, 1, 1};

constexpr Command kCommands[] = {
    {"expire", -3, kWrites, kOne, Expire, kFamily,
     "Sets the time to live of a key, in seconds."},
    {"pexpire", -3, kWrites, kOne, PExpire, kFamily,
     "Sets the time to live of a key, in milliseconds."},
    {"expireat", -3, kWrites, kOne, ExpireAt, kFamily,
     "Sets when a key is due, in seconds since 1970."},
    {"pexpireat", -3, kWrites, kOne, PExpireAt, kFamily,
     "Sets when a key is due, in milliseconds since 1970."},
    {"ttl", 2, kReads, kOne, Ttl, kFamily,
     "Returns the time to live of a key, in seconds; -1: it has none; -2: "
     "there is no such key."},
    {"pttl", 2, kReads, kOne, PTtl, kFamily,
     "Returns the time to live of a key, in milliseconds."},
    {"expiretime", 2, kReads, kOne, ExpireTime, kFamily,
     "Returns when a key is due, in seconds since 1970."},
    {"pexpiretime", 2, kReads, kOne, PExpireTime, kFamily,
     "Returns when a key is due, in milliseconds since 1970."},
    {"persist", 2, kWrites, kOne, Persist, kFamily,
     "Clears the time to live of a key."},
};

}  // namespace

absl::Span<const Command> ExpiryCommands() { return kCommands; }

}  // namespace muster::commands
