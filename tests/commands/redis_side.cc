#include "tests/commands/redis_side.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "node/commands/reply.h"

namespace muster::commands {
namespace {

constexpr absl::Duration kStartDeadline = absl::Seconds(10);
constexpr timeval kAnswerDeadline = {.tv_sec = 10};

[[noreturn]] void Exec(const std::string& socket, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  const int null = open("/dev/null", O_RDWR);
  dup2(null, STDOUT_FILENO);
  dup2(null, STDERR_FILENO);
  execlp("redis-server", "redis-server", "--port", "0", "--unixsocket",
         socket.c_str(), "--save", "", "--appendonly", "no", nullptr);
  _exit(127);
}

void AppendReply(const redisReply& from, Reply& to) {
  const absl::string_view text(from.str, from.str == nullptr ? 0 : from.len);
  switch (from.type) {
    case REDIS_REPLY_STATUS:
      return to.Simple(text);
    case REDIS_REPLY_ERROR:
      return to.Error(text);
    case REDIS_REPLY_INTEGER:
      return to.Integer(from.integer);
    case REDIS_REPLY_STRING:
      return to.Bulk(text);
    case REDIS_REPLY_ARRAY:
      to.Begin(Reply::Kind::kArray, static_cast<uint32_t>(from.elements));
      for (size_t i = 0; i < from.elements; ++i) {
        AppendReply(*from.element[i], to);
      }
      return;
    default:
      return to.Nil();
  }
}

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using ReplyPointer = std::unique_ptr<redisReply, FreeReply>;

ReplyPointer Command(redisContext* context,
                     const std::vector<std::string>& args) {
  std::vector<const char*> argv;
  std::vector<size_t> sizes;
  for (const std::string& arg : args) {
    argv.push_back(arg.data());
    sizes.push_back(arg.size());
  }
  return ReplyPointer(static_cast<redisReply*>(redisCommandArgv(
      context, static_cast<int>(argv.size()), argv.data(), sizes.data())));
}

}  // namespace

RedisSide::RedisSide() {
  char folder[] = "/tmp/muster_redis_XXXXXX";
  if (mkdtemp(folder) == nullptr) return;
  folder_ = folder;
  socket_ = absl::StrCat(folder_, "/socket");
  const pid_t self = getpid();
  pid_ = fork();
  if (pid_ == 0) Exec(socket_, self);
}

RedisSide::~RedisSide() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

RedisSide::Connection RedisSide::Connect() const {
  Connection connection(redisConnectUnix(socket_.c_str()));
  if (connection == nullptr || connection->err != 0) return nullptr;
  redisSetTimeout(connection.get(), kAnswerDeadline);
  return connection;
}

bool RedisSide::Start() {
  const absl::Time deadline = absl::Now() + kStartDeadline;
  while (absl::Now() < deadline) {
    connections_[0] = Connect();
    if (connections_[0] != nullptr) return true;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return false;
}

void RedisSide::Reset() {
  for (Connection& connection : connections_) connection = Connect();
  Run(0, {"FLUSHALL"});
}

std::string RedisSide::Run(size_t connection,
                           const std::vector<std::string>& args) {
  redisContext* context = connections_[connection].get();
  if (context == nullptr) return "redis-server cannot be reached";
  const ReplyPointer answer = Command(context, args);
  if (answer == nullptr) return absl::StrCat("no answer: ", context->errstr);
  Reply reply;
  AppendReply(*answer, reply);
  return ToText(reply);
}

uint64_t RedisSide::NowMs() {
  const ReplyPointer answer = Command(connections_[1].get(), {"TIME"});
  uint64_t seconds = 0;
  uint64_t micros = 0;
  if (answer == nullptr || answer->elements != 2 ||
      !absl::SimpleAtoi(answer->element[0]->str, &seconds) ||
      !absl::SimpleAtoi(answer->element[1]->str, &micros)) {
    return UINT64_MAX;
  }
  return seconds * 1000 + micros / 1000;
}

void RedisSide::Later(uint64_t ms) {
  const uint64_t begin = NowMs();
  while (begin != UINT64_MAX && NowMs() <= begin + ms) {
  }
}

}  // namespace muster::commands
