// Clients and peers that nobody wants, against one node. Each does its worst
// from its construction to its end, on threads of its own.
//
// They speak just enough HTTP/2 to be taken seriously, over plain sockets: ten
// thousand gRPC channels would cost this side more than the node.
#ifndef MUSTER_BENCH_ATTACKS_H_
#define MUSTER_BENCH_ATTACKS_H_

#include <netinet/in.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "bench/base.h"
#include "bench/probes.h"

namespace muster::bench {

class Attack {
 public:
  virtual ~Attack() = default;
  // What it has done so far, for people: "10,000 connections".
  virtual std::string Done() const = 0;
};

// `count` connections that open HTTP/2 and then say nothing.
class IdleConnections final : public Attack {
 public:
  IdleConnections(const std::string& address, size_t count);
  ~IdleConnections() override;
  std::string Done() const override;

 private:
  void Run(const std::string& address, size_t count);

  std::vector<int> sockets_;  // The thread's.
  std::atomic<size_t> open_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// `count` connections that say a byte a second: half of them of the HTTP/2
// preface, the others of a message in a Session call.
class SlowBytes final : public Attack {
 public:
  SlowBytes(const std::string& address, size_t count);
  ~SlowBytes() override;
  std::string Done() const override;

 private:
  void SendByte();

  std::vector<int> sockets_;
  std::string preface_;
  size_t at_ = 0;
  std::atomic<size_t> sent_{0};
  std::atomic<size_t> refused_{0};  // Of the sockets, at the last byte.
  std::unique_ptr<Probe> sender_;
};

// Peers, each of another name and life, that open links as fast as the node
// answers. Every second one is established and hangs up; the others stop
// after their hello.
class LinkLoop final : public Attack {
 public:
  LinkLoop(const std::string& address, size_t threads);
  ~LinkLoop() override;
  std::string Done() const override;

 private:
  void Run(const std::string& address);

  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> next_{1};
  std::atomic<uint64_t> established_{0};
  std::vector<std::thread> threads_;
};

// Datagrams at a fixed rate: noise, beats of another cluster, and beats of
// this one from nodes that do not exist, each as often.
class DatagramFlood final : public Attack {
 public:
  DatagramFlood(const std::string& address, size_t per_second);
  ~DatagramFlood() override;
  std::string Done() const override;

 private:
  void SendSome(size_t count);

  int socket_ = -1;
  uint64_t number_ = 0;
  std::atomic<uint64_t> sent_{0};
  std::unique_ptr<Probe> sender_;
};

// As many open files as this process may have, so that it can attack.
void RaiseFileLimit();

}  // namespace muster::bench

#endif  // MUSTER_BENCH_ATTACKS_H_
