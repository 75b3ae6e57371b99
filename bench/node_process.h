// One real `muster serve` process on this machine.
//
// It listens on a free port of 127.0.0.1 and says which in its ready line. Its
// log goes to a file. It is killed when the object, or the program, ends.
#ifndef MUSTER_BENCH_NODE_PROCESS_H_
#define MUSTER_BENCH_NODE_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "bench/base.h"

namespace muster::bench {

struct NodeOptions {
  std::string binary;  // Path of `muster`.
  std::string name;
  std::vector<std::string> join;   // HOST:PORT of others.
  std::vector<std::string> flags;  // Further flags of `serve`.
};

class NodeProcess {
 public:
  // Returns once the ready line is there; dies after ten seconds without.
  explicit NodeProcess(const NodeOptions& options);
  ~NodeProcess();
  NodeProcess(const NodeProcess&) = delete;
  NodeProcess& operator=(const NodeProcess&) = delete;

  const std::string& name() const { return name_; }
  const std::string& address() const { return address_; }
  const std::string& log_path() const { return log_path_; }
  // Just before the process was made.
  Nanos started() const { return started_; }

  // SIGKILL; returns at once, the time being that of the signal.
  Nanos Kill();
  // SIGSTOP and SIGCONT.
  Nanos Freeze();
  Nanos Thaw();

  uint64_t RssBytes() const;
  // Processor time used so far.
  Nanos CpuTime() const;

 private:
  Nanos Signal(int signal);

  std::string name_;
  std::string address_;
  std::string log_path_;
  Nanos started_ = 0;
  pid_t pid_ = -1;
  int stdout_ = -1;
};

// Processor time that this process has used so far.
Nanos OwnCpuTime();

}  // namespace muster::bench

#endif  // MUSTER_BENCH_NODE_PROCESS_H_
