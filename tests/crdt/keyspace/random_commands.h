// Commands of all types at random, for tests/crdt/keyspace/side.h.
#ifndef MUSTER_TESTS_CRDT_KEYSPACE_RANDOM_COMMANDS_H_
#define MUSTER_TESTS_CRDT_KEYSPACE_RANDOM_COMMANDS_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace muster::kv {

class RandomCommands {
 public:
  explicit RandomCommands(uint64_t seed) : random_(seed) {}

  uint64_t Below(uint64_t limit) { return random_() % limit; }
  std::string Pick(const std::vector<std::string>& from) {
    return from[Below(from.size())];
  }
  // One to a few commands of one mutation; deadlines are near `now`.
  std::string Next(uint64_t now) {
    std::string commands = One(now);
    while (Below(3) == 0) commands += ";" + One(now);
    return commands;
  }

 private:
  // Some names are long, so that small keys and large ones take turns.
  std::string Name() {
    const std::string name = Pick({"f", "g", "h", "i"});
    return Below(3) == 0 ? name + std::string(180, 'x') : name;
  }
  std::string One(uint64_t now) {
    const std::string k = Pick({"k", "l", "m"});
    const std::string value = absl::StrCat(Below(50));
    const std::string due = absl::StrCat(now + Below(60));
    const std::vector<std::string> commands = {
        "SET " + k + " " + value,
        "SET " + k + " text AT " + due,
        "INCRBY " + k + " " + value,
        "INCRBY " + k + " " + value,
        "DEL " + k,
        "HSET " + k + " " + Name() + " " + value,
        "HSET " + k + " " + Name() + " " + value,
        "HINCRBY " + k + " " + Name() + " " + value,
        "HDEL " + k + " " + Name(),
        "SADD " + k + " " + Name(),
        "SADD " + k + " " + Name(),
        "SREM " + k + " " + Name(),
        absl::StrCat("ZADD ", k, " ", Below(5), " ", Name()),
        absl::StrCat("ZADD ", k, " ", Below(5), " ", Name()),
        "ZREM " + k + " " + Name(),
        "RPUSH " + k + " " + value + " " + Name(),
        "LPUSH " + k + " " + value + " " + Name(),
        Pick({"LPOP ", "RPOP "}) + k,
        absl::StrCat("LCUT ", k, " ", Below(3), " ", Below(4)),
        absl::StrCat("ZCUT ", k, " ", Below(3), " ", Below(4)),
        absl::StrCat("LSET ", k, " ", Below(4), " ", Name()),
        absl::StrCat("LINSERT ", k, Pick({" AFTER ", " BEFORE "}), Below(4),
                     " ", Name()),
        "EXPIREAT " + k + " " + due,
        Pick({"PERSIST ", "SETTLE "}) + k,
        Pick({"RENAME ", "COPY "}) + Pick({"k l", "l m", "m k"}),
        Below(10) == 0 ? "FLUSH" : "SADD " + k + " " + Name(),
    };
    return Pick(commands);
  }

  std::mt19937_64 random_;
};

}  // namespace muster::kv

#endif  // MUSTER_TESTS_CRDT_KEYSPACE_RANDOM_COMMANDS_H_
