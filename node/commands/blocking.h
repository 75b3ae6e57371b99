// What commands that wait share: their timeout and their keys.
#ifndef MUSTER_NODE_COMMANDS_BLOCKING_H_
#define MUSTER_NODE_COMMANDS_BLOCKING_H_

#include <cstddef>
#include <cstdint>

#include "node/commands/call.h"

namespace muster::commands {

// A timeout in seconds, fractions too, rounded up to milliseconds; 0: for
// ever. False: it is none, which was answered.
bool ParseTimeout(Call& call, size_t i, uint64_t& out_ms);

enum class Ready : uint8_t { kNo, kYes, kAnswered };
// The first of the keys first … last that exists. kAnswered: it is of another
// type, and WRONGTYPE was answered; a call that was woken passes over it.
Ready FirstReady(Call& call, size_t first, size_t last, kv::Type type,
                 size_t& out);

}  // namespace muster::commands

#endif  // MUSTER_NODE_COMMANDS_BLOCKING_H_
