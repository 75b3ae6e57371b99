// One side of a cut for tests: a keyspace with a leader, which takes commands
// as text and shows keys as text.
//
//   Side a(1), b(2);
//   a.Run("HSET h f red");  b.Join(a);
//   b.Run("HINCRBY h n 2; EXPIREAT h 900");    // one mutation
//   b.Show("h")                                // "{f: red, n: 2} until 900"
//
// Commands, each of which does nothing where Redis would refuse it:
//   SET k v [AT ms]   INCRBY k n     DEL k          SETTLE k
//   HSET h f v        HINCRBY h f n  HDEL h f
//   SADD s m          SREM s m
//   ZADD z score m    ZREM z m
//   RPUSH l v…        LPUSH l v…     LPOP l         RPOP l
//   LCUT l first n    ZCUT z first n     remove n elements from a rank on
//   LSET l rank v     LINSERT l BEFORE|AFTER rank v
//   EXPIREAT k ms     PERSIST k
//   RENAME k k        COPY k k       FLUSH
// All is in database 0.
#ifndef MUSTER_TESTS_CRDT_KEYSPACE_SIDE_H_
#define MUSTER_TESTS_CRDT_KEYSPACE_SIDE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "crdt/keyspace/keyspace.h"
#include "crdt/keyspace/transaction.h"

namespace muster::kv {

using Words = std::vector<std::string>;

// "a b; c" is {{"a", "b"}, {"c"}}.
std::vector<Words> Parse(const std::string& commands);

class Side {
 public:
  explicit Side(uint64_t life) : life_{0, life} {}

  // All of them in one mutation, which is returned; "" if nothing changed.
  std::string Run(const std::string& commands);
  // The same, given up before it is committed.
  void TryRun(const std::string& commands);
  // Applies what its leader made after it had seen all that this side has.
  void Follow(const std::string& mutation, const Side& leader);
  void Join(const Side& other) { state_.Join(other.state_); }

  // What a key shows, "-" if nothing.
  std::string Show(const std::string& key) const;
  // Every key that shows something, in the order of their names.
  std::string ShowAll() const;
  // Every version of every key, a line each.
  std::string Versions() const;

  Keyspace& state() { return state_; }
  const Keyspace& state() const { return state_; }
  const LifeId& life() const { return life_; }
  Seq seq() const { return seq_; }
  // The stamp of the next mutation, one further each time, and the time.
  static uint64_t stamp;
  void set_now(uint64_t ms) { now_ = Time(ms); }

 private:
  Keyspace state_;
  LifeId life_;
  Seq seq_;
  Time now_;
};

// Every bucket of `from` as parts, put into an empty keyspace under its
// context.
Keyspace Exchanged(const Keyspace& from, size_t part_bytes);

}  // namespace muster::kv

#endif  // MUSTER_TESTS_CRDT_KEYSPACE_SIDE_H_
