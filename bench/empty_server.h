// A gRPC server whose one call does nothing, in a process of its own: what any
// unary call costs on this machine, to compare with.
#ifndef MUSTER_BENCH_EMPTY_SERVER_H_
#define MUSTER_BENCH_EMPTY_SERVER_H_

#include <sys/types.h>

#include <string>

namespace muster::bench {

class EmptyServer {
 public:
  static constexpr char kMethod[] = "/muster.bench.Empty/Call";

  // REQUIRES: this process has not used gRPC yet.
  EmptyServer();
  ~EmptyServer();
  EmptyServer(const EmptyServer&) = delete;
  EmptyServer& operator=(const EmptyServer&) = delete;
  const std::string& address() const { return address_; }

 private:
  pid_t pid_ = -1;
  std::string address_;
};

}  // namespace muster::bench

#endif  // MUSTER_BENCH_EMPTY_SERVER_H_
