// One call of a command, as its handler sees it: the arguments, the keyspace
// under the ops made so far, and where the answer goes.
//
//   void Strlen(Call& call) {
//     kv::KeyView key;
//     if (!call.FindAs(1, kv::Type::kString, key)) return;   // WRONGTYPE
//     std::string scratch;
//     call.reply().Integer(key.exists() ? key.String(scratch).size() : 0);
//   }
//
// Handlers are pure: what they use of the world is here. Helpers that return
// false have written the error; the handler returns. A handler answers once,
// and writes no op before it is sure that it answers no error.
// A KeyView ends with the next op, and with it what was read from it.
#ifndef MUSTER_NODE_COMMANDS_CALL_H_
#define MUSTER_NODE_COMMANDS_CALL_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "crdt/check.h"
#include "crdt/keyspace/keyspace.h"
#include "crdt/keyspace/transaction.h"
#include "crdt/keyspace/types.h"
#include "crdt/keyspace/view.h"
#include "node/commands/command.h"
#include "node/commands/random.h"
#include "node/commands/reply.h"

namespace muster::commands {

// Of the node, from its flags.
struct Limits {
  size_t max_key_bytes = 16 << 10;
  size_t max_value_bytes = 512 << 10;
  // Below what a frame of a peer may have.
  size_t max_mutation_bytes = (1 << 20) - (16 << 10);
};

// What stays from command to command of one connection.
struct Session {
  uint8_t db = 0;
};

// What a call may do where a blocking command finds nothing.
enum class Blocking : uint8_t {
  kMayWait,
  // It was woken: what it waits for may be there. Keys of a wrong type are
  // passed over.
  kWoken,
  // In a transaction or script: it answers as at its deadline.
  kNever,
};

// The world, as far as handlers use it.
struct Environment {
  kv::Time now;
  uint32_t micros = 0;  // Beyond `now`, for TIME.
  Random& random;
  Limits limits;
  Blocking blocking = Blocking::kMayWait;
  // Writes that need memory are refused.
  bool out_of_memory = false;
};

// A call that found nothing, and is to be run again when one of the keys is
// written, or answered with `at_deadline` when it is due.
struct Wait {
  std::vector<kv::OwnedKey> keys;
  kv::Deadline until;  // Counted from Environment::now; not set: for ever.
  Reply at_deadline;
};

class Call {
 public:
  // `tx` may be null for commands without kWrite.
  Call(const Command& command, Argv argv, Session& session,
       const Environment& env, const kv::Keyspace& state, kv::Transaction* tx,
       Reply& reply)
      : command_(command),
        argv_(argv),
        session_(session),
        env_(env),
        state_(state),
        tx_(tx),
        reply_(reply) {}

  // -- Arguments; 0 is the name.
  size_t argc() const { return argv_.size(); }
  absl::string_view arg(size_t i) const { return argv_[i]; }
  Argv args_from(size_t i) const { return argv_.subspan(i); }
  // Whether an argument is a word of the syntax, whatever its case.
  bool Is(size_t i, absl::string_view word) const;
  kv::KeyName key(size_t i) const { return {session_.db, argv_[i]}; }
  // The value of an argument, or an error.
  bool Integer(size_t i, int64_t& out);
  // The same, not negative; with an error of its own.
  bool Count(size_t i, uint64_t& out);
  bool Double(size_t i, double& out);

  // -- Keys.
  kv::KeyView Find(const kv::KeyName& key) const {
    return state_.Find(key, env_.now);
  }
  kv::KeyView Find(size_t i) const { return Find(key(i)); }
  // A key of that type or an absent one; or an error.
  bool FindAs(size_t i, kv::Type type, kv::KeyView& out);
  bool CheckType(const kv::KeyView& view, kv::Type type);
  const kv::Keyspace& state() const { return state_; }
  kv::Transaction& tx() {
    MUSTER_CHECK(tx_ != nullptr);
    return *tx_;
  }

  // -- The world.
  Session& session() { return session_; }
  kv::Time now() const { return env_.now; }
  const Environment& env() const { return env_; }
  Random& random() { return env_.random; }

  // -- The answer.
  Reply& reply() { return reply_; }
  void Error(absl::string_view text) { reply_.Error(text); }
  void SyntaxError() { Error("ERR syntax error"); }
  void WrongType();
  void WrongArity();
  // The error of an EX, PX … that is no time.
  void InvalidExpire();
  // False: a value would be of so many bytes, above the limit.
  bool CheckValueBytes(size_t bytes);
  // Waits for the keys first … last; or answers `at_deadline` at once where it
  // may not wait. `timeout_ms` 0: for ever.
  void WaitFor(size_t first, size_t last, uint64_t timeout_ms,
               Reply at_deadline);
  std::optional<Wait>& wait() { return wait_; }

 private:
  const Command& command_;
  Argv argv_;
  Session& session_;
  const Environment& env_;
  const kv::Keyspace& state_;
  kv::Transaction* tx_;
  Reply& reply_;
  std::optional<Wait> wait_;
};

}  // namespace muster::commands

#endif  // MUSTER_NODE_COMMANDS_CALL_H_
