// A real redis-server (package redis-server), on a socket of its own.
#ifndef MUSTER_TESTS_COMMANDS_REDIS_SIDE_H_
#define MUSTER_TESTS_COMMANDS_REDIS_SIDE_H_

#include <hiredis/hiredis.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/commands/side.h"

namespace muster::commands {

class RedisSide : public Side {
 public:
  // Starts the server, which keeps nothing on disk and ends with this process.
  RedisSide();
  ~RedisSide() override;

  // Whether it answers, within ten seconds.
  bool Start();
  void Reset() override;
  std::string Run(size_t connection,
                  const std::vector<std::string>& args) override;
  // Asks for the time until it is so much later.
  void Later(uint64_t ms) override;

 private:
  struct Free {
    void operator()(redisContext* context) const { redisFree(context); }
  };
  using Connection = std::unique_ptr<redisContext, Free>;

  // Null: it does not answer.
  Connection Connect() const;
  uint64_t NowMs();

  std::string folder_;
  std::string socket_;
  pid_t pid_ = -1;
  std::array<Connection, kConnections> connections_;
};

}  // namespace muster::commands

#endif  // MUSTER_TESTS_COMMANDS_REDIS_SIDE_H_
