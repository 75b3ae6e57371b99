// Runs commands: one at a time, or a list as one atomic transaction.
//
//   Reply reply;
//   const Command* command = Check(argv, env, reply);       // or an error
//   if (command == nullptr) return reply;
//   kv::Transaction tx(state, seen, stamp, env.now);        // where kWrite
//   Outcome outcome =
//       Execute(*command, argv, session, env, state, &tx, reply);
//   if (outcome.wait) return Register(*outcome.wait);
//   if (!outcome.abandoned) log.Append(tx.Commit());        // may be empty
//
// A command that answers an error has made no op. One whose mutation would be
// too large is abandoned, and answers so.
//
// Transactions are those of EXEC. What is wrong before it runs (an unknown
// command, an arity, a limit, no memory) refuses all; an error of a command
// that runs undoes nothing. Blocking commands do not wait.
// Cost: that of the commands. Threads: one; commands know no time but that of
// the environment.
#ifndef MUSTER_NODE_COMMANDS_EXECUTE_H_
#define MUSTER_NODE_COMMANDS_EXECUTE_H_

#include <cstdint>
#include <optional>

#include "absl/types/span.h"
#include "crdt/keyspace/keyspace.h"
#include "crdt/keyspace/transaction.h"
#include "node/commands/call.h"
#include "node/commands/command.h"
#include "node/commands/reply.h"

namespace muster::commands {

// The command of `argv`, if it may be run; else null, and an error.
const Command* Check(Argv argv, const Environment& env, Reply& reply);

struct Outcome {
  // There was nothing: the reply is empty, and no op was made.
  std::optional<Wait> wait;
  // The mutation would have been too large: the reply says so, and `tx` was
  // abandoned, so that it cannot be committed.
  bool abandoned = false;
};

// Runs what Check returned and answers, or waits. `tx` is of `state` and
// env.now, without ops, and may be null where the command is no write.
// REQUIRES: `reply` is empty.
Outcome Execute(const Command& command, Argv argv, Session& session,
                const Environment& env, const kv::Keyspace& state,
                kv::Transaction* tx, Reply& reply);

// A key as WATCH saw it: by a digest of what it holds; an absent one by how far
// the node had followed the leader, who knows what was removed since. So a key
// that another client made and removed meanwhile has changed. The number of an
// absent key is good for one leader: at another one it has changed. It also has
// where another key of its bucket was removed; a client tries again.
struct Watched {
  kv::OwnedKey key;
  uint64_t digest = 0;
};
// `leader`: whose term the node follows.
Watched Watch(const kv::Keyspace& state, const kv::KeyName& key, kv::Time now,
              const kv::LifeId& leader);
// The same, of the leader whose mutation was applied last.
Watched Watch(const kv::Keyspace& state, const kv::KeyName& key, kv::Time now);

// Answers an array of the commands' answers; nil where a watched key has
// changed; else EXECABORT or the limit that it breaks, and no op is made.
// REQUIRES: as Execute.
Outcome ExecuteTransaction(absl::Span<const Argv> commands,
                           absl::Span<const Watched> watched, Session& session,
                           const Environment& env, kv::Transaction& tx,
                           Reply& reply);

}  // namespace muster::commands

#endif  // MUSTER_NODE_COMMANDS_EXECUTE_H_
