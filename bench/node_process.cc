#include "bench/node_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace muster::bench {
namespace {

constexpr Nanos kReadyLimit = 10'000'000'000;

std::string MakeLog(const std::string& name) {
  const char* dir = std::getenv("TMPDIR");
  std::string path = absl::StrCat(dir == nullptr ? "/tmp" : dir,
                                  "/muster-bench-", name, "-XXXXXX");
  const int fd = mkstemp(path.data());
  if (fd < 0) Die(absl::StrCat("no log file: ", path));
  close(fd);
  return path;
}

// In the child: never returns.
[[noreturn]] void Exec(const std::vector<std::string>& args, int out, int err,
                       pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  std::vector<char*> argv;
  for (const std::string& arg : args) {
    argv.push_back(const_cast<char*>(arg.c_str()));
  }
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(127);
}

std::string ReadLine(int fd, Nanos give_up) {
  std::string line;
  for (;;) {
    pollfd wait{fd, POLLIN, 0};
    const Nanos left = give_up - Clock();
    if (left <= 0 || poll(&wait, 1, static_cast<int>(left / 1'000'000)) <= 0) {
      return "";
    }
    char c;
    if (read(fd, &c, 1) != 1) return "";
    if (c == '\n') return line;
    line.push_back(c);
  }
}

}  // namespace

NodeProcess::NodeProcess(const NodeOptions& options)
    : name_(options.name), log_path_(MakeLog(options.name)) {
  std::vector<std::string> args = {options.binary, "serve",    "--node",
                                   options.name,   "--listen", "127.0.0.1:0"};
  if (!options.join.empty()) {
    args.push_back("--join");
    args.push_back(absl::StrJoin(options.join, ","));
  }
  args.insert(args.end(), options.flags.begin(), options.flags.end());
  int out[2];
  if (pipe2(out, O_CLOEXEC) != 0) Die("pipe failed");
  const int err = open(log_path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  const pid_t self = getpid();
  started_ = Clock();
  pid_ = fork();
  if (pid_ < 0) Die("fork failed");
  if (pid_ == 0) Exec(args, out[1], err, self);
  close(out[1]);
  close(err);
  stdout_ = out[0];
  const std::string line = ReadLine(stdout_, started_ + kReadyLimit);
  for (absl::string_view word : absl::StrSplit(line, ' ')) {
    if (absl::ConsumePrefix(&word, "grpc=")) address_ = std::string(word);
  }
  if (address_.empty()) {
    Die(absl::StrCat("node ", name_, " did not become ready; its log is ",
                     log_path_));
  }
}

NodeProcess::~NodeProcess() {
  if (pid_ > 0) {
    Kill();
    waitpid(pid_, nullptr, 0);
  }
  if (stdout_ >= 0) close(stdout_);
  unlink(log_path_.c_str());
}

Nanos NodeProcess::Signal(int signal) {
  if (kill(pid_, signal) != 0) Die(absl::StrCat("node ", name_, " is gone"));
  return Clock();
}

Nanos NodeProcess::Kill() { return Signal(SIGKILL); }
Nanos NodeProcess::Freeze() { return Signal(SIGSTOP); }
Nanos NodeProcess::Thaw() { return Signal(SIGCONT); }

uint64_t NodeProcess::RssBytes() const {
  std::ifstream file(absl::StrCat("/proc/", pid_, "/statm"));
  uint64_t size = 0;
  uint64_t resident = 0;
  if (!(file >> size >> resident)) {
    Die(absl::StrCat("node ", name_, " is gone; its log is ", log_path_));
  }
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

Nanos NodeProcess::CpuTime() const {
  clockid_t clock;
  timespec used;
  if (clock_getcpuclockid(pid_, &clock) != 0 ||
      clock_gettime(clock, &used) != 0) {
    Die(absl::StrCat("node ", name_, " is gone; its log is ", log_path_));
  }
  return used.tv_sec * 1'000'000'000LL + used.tv_nsec;
}

Nanos OwnCpuTime() {
  timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return used.tv_sec * 1'000'000'000LL + used.tv_nsec;
}

}  // namespace muster::bench
