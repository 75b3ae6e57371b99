#include "bench/redis_peer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

namespace muster::bench {
namespace {

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    Die("no free port");
  }
  close(fd);
  return ntohs(address.sin_port);
}

[[noreturn]] void Exec(int port, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  const int null = open("/dev/null", O_RDWR);
  dup2(null, STDOUT_FILENO);
  dup2(null, STDERR_FILENO);
  execlp("redis-server", "redis-server", "--port", absl::StrCat(port).c_str(),
         "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", nullptr);
  _exit(127);
}

void Expect(redisContext* context, const void* reply) {
  if (reply == nullptr) Die(absl::StrCat("redis: ", context->errstr));
}

}  // namespace

RedisProcess::RedisProcess() : port_(FreePort()) {
  const pid_t self = getpid();
  pid_ = fork();
  if (pid_ < 0) Die("fork failed");
  if (pid_ == 0) Exec(port_, self);
  WaitUntil("redis-server (package redis-server) answers", absl::Seconds(10),
            [this] {
              redisContext* context = redisConnect("127.0.0.1", port_);
              const bool up = context != nullptr && context->err == 0;
              if (context != nullptr) redisFree(context);
              return up;
            });
}

RedisProcess::~RedisProcess() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

RedisConnection ConnectRedis(int port) {
  RedisConnection context(redisConnect("127.0.0.1", port));
  if (context == nullptr || context->err != 0) Die("redis cannot be reached");
  return context;
}

RedisConnection SubscribeRedis(int port, const std::string& channel) {
  RedisConnection context = ConnectRedis(port);
  void* reply = redisCommand(context.get(), "SUBSCRIBE %b", channel.data(),
                             channel.size());
  Expect(context.get(), reply);
  freeReplyObject(reply);
  return context;
}

void SendToRedis(redisContext* context, const std::string& channel,
                 const std::string& payload, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    redisAppendCommand(context, "PUBLISH %b %b", channel.data(), channel.size(),
                       payload.data(), payload.size());
  }
  int done = 0;
  while (done == 0) {
    if (redisBufferWrite(context, &done) != REDIS_OK) Die("redis: not written");
  }
}

void ReadFromRedis(redisContext* context, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    void* reply = nullptr;
    redisGetReply(context, &reply);
    Expect(context, reply);
    freeReplyObject(reply);
  }
}

RedisAudience::RedisAudience(int port, const std::string& channel,
                             size_t subscribers)
    : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  for (size_t i = 0; i < subscribers; ++i) {
    connections_.push_back(SubscribeRedis(port, channel));
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u64 = i;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_.back()->fd, &event);
  }
}

RedisAudience::~RedisAudience() { close(epoll_); }

Nanos RedisAudience::ReadUntil(size_t messages) {
  size_t come = 0;
  while (come < messages) {
    epoll_event events[64];
    const int ready = epoll_wait(epoll_, events, 64, 10'000);
    if (ready <= 0) Die("redis delivers no more messages");
    for (int i = 0; i < ready; ++i) {
      redisContext* context = connections_[events[i].data.u64].get();
      if (redisBufferRead(context) != REDIS_OK) Die("redis: a broken reply");
      void* reply = nullptr;
      while (redisGetReplyFromReader(context, &reply) == REDIS_OK &&
             reply != nullptr) {
        freeReplyObject(reply);
        ++come;
      }
    }
  }
  return Clock();
}

}  // namespace muster::bench
