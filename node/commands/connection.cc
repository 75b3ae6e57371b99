// PING and what else needs no keyspace.
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "node/commands/call.h"
#include "node/commands/command.h"

namespace muster::commands {
namespace {

void Ping(Call& call) {
  if (call.argc() > 2) return call.WrongArity();
  if (call.argc() == 2) return call.reply().Bulk(call.arg(1));
  call.reply().Simple("PONG");
}

void Echo(Call& call) { call.reply().Bulk(call.arg(1)); }

void TimeNow(Call& call) {
  const uint64_t ms = call.now().value;
  call.reply().Begin(Reply::Kind::kArray, 2);
  call.reply().Bulk(absl::StrCat(ms / 1000));
  call.reply().Bulk(absl::StrCat(ms % 1000 * 1000 + call.env().micros));
}

constexpr auto kFamily = Family::kConnection;
constexpr uint32_t kFlags = kAlways | kFast;

constexpr Command kCommands[] = {
    {"ping",
     -1,
     kFlags,
     {},
     Ping,
     kFamily,
     "Answers PONG, or the message that was given."},
    {"echo", 2, kFlags, {}, Echo, kFamily, "Answers the message."},
    {"time",
     1,
     kFlags | kRandom,
     {},
     TimeNow,
     kFamily,
     "Returns the time in seconds since 1970 and the microseconds beyond."},
};

}  // namespace

absl::Span<const Command> ConnectionCommands() { return kCommands; }

}  // namespace muster::commands
