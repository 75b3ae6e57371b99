// A real redis-server on this machine, and what the benchmarks do with it by
// hiredis: to compare with, in the same run.
#ifndef MUSTER_BENCH_REDIS_PEER_H_
#define MUSTER_BENCH_REDIS_PEER_H_

#include <hiredis/hiredis.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "bench/base.h"

namespace muster::bench {

class RedisProcess {
 public:
  // Starts `redis-server` on a free port of 127.0.0.1, keeping nothing
  // on disk. Dies if there is none (package redis-server).
  RedisProcess();
  ~RedisProcess();
  RedisProcess(const RedisProcess&) = delete;
  RedisProcess& operator=(const RedisProcess&) = delete;
  int port() const { return port_; }

 private:
  int port_ = 0;
  pid_t pid_ = -1;
};

struct FreeContext {
  void operator()(redisContext* context) const { redisFree(context); }
};
using RedisConnection = std::unique_ptr<redisContext, FreeContext>;

// Dies if it cannot.
RedisConnection ConnectRedis(int port);
// A connection that subscribes to `channel`, once that is answered.
RedisConnection SubscribeRedis(int port, const std::string& channel);
// Sends `count` PUBLISH as one pipeline; and reads so many answers.
void SendToRedis(redisContext* context, const std::string& channel,
                 const std::string& payload, size_t count);
void ReadFromRedis(redisContext* context, size_t count);

// Reads the messages of many subscribed connections on one thread.
class RedisAudience {
 public:
  RedisAudience(int port, const std::string& channel, size_t subscribers);
  ~RedisAudience();
  // Reads until `messages` more have come over all connections; when that was.
  Nanos ReadUntil(size_t messages);

 private:
  std::vector<RedisConnection> connections_;
  int epoll_ = -1;
};

}  // namespace muster::bench

#endif  // MUSTER_BENCH_REDIS_PEER_H_
