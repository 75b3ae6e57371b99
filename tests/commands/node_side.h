// Commands on a keyspace of this process, and a follower that applies their
// mutations.
//
// Time stands still but for Later. MULTI, EXEC, DISCARD, WATCH and UNWATCH,
// which are the doors', are done here, as simply as cases need them; what
// waits is answered as at its deadline.
#ifndef MUSTER_TESTS_COMMANDS_NODE_SIDE_H_
#define MUSTER_TESTS_COMMANDS_NODE_SIDE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crdt/keyspace/context.h"
#include "crdt/keyspace/keyspace.h"
#include "crdt/keyspace/transaction.h"
#include "crdt/keyspace/types.h"
#include "node/commands/call.h"
#include "node/commands/execute.h"
#include "node/commands/random.h"
#include "node/commands/reply.h"
#include "tests/commands/side.h"

namespace muster::commands {

class NodeSide : public Side {
 public:
  NodeSide() { Reset(); }

  void Reset() override;
  std::string Run(size_t connection,
                  const std::vector<std::string>& args) override;
  void Later(uint64_t ms) override { env_.now.value += ms; }
  // The audits of both keyspaces, and whether their digests are equal.
  std::string Audit() override;

  // Every command is run once more before, and undone: Audit tells if that
  // left a trace or answered otherwise.
  void RehearseAll() { rehearse_ = true; }

  // As Run, without the text and with what waits.
  std::optional<Wait> Call(const std::vector<std::string>& args, Reply& reply);

  Environment& env() { return env_; }
  const kv::Keyspace& state() const { return *state_; }

 private:
  using Args = std::vector<std::string>;
  struct Connection {
    Session session;
    std::vector<Watched> watched;
    std::optional<std::vector<Args>> queue;  // After MULTI.
  };

  std::unique_ptr<kv::Transaction> Begin();
  Reply Rehearse(const Command& command, Argv argv);
  void Commit(kv::Transaction& tx);
  void RunOne(Connection& connection, const Args& args, Reply& reply);
  void RunQueued(Connection& connection, const Args& args, Reply& reply);
  void Exec(Connection& connection, Reply& reply);

  std::unique_ptr<kv::Keyspace> state_;
  std::unique_ptr<kv::Keyspace> follower_;
  kv::Context base_;
  kv::LifeId me_;
  kv::Seq seq_;
  uint64_t mutations_ = 0;
  bool rehearse_ = false;
  std::string wrong_;
  Random random_{7};
  Environment env_{.now = kv::Time(1'700'000'000'123), .random = random_};
  std::array<Connection, kConnections> connections_;
};

}  // namespace muster::commands

#endif  // MUSTER_TESTS_COMMANDS_NODE_SIDE_H_
