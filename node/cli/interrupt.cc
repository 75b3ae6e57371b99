#include "node/cli/interrupt.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <utility>

namespace muster::cli {
namespace {

sigset_t Signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

Interrupt::Interrupt() {
  const sigset_t set = Signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = std::thread([this] { Loop(); });
}

Interrupt::~Interrupt() {
  done_ = true;
  pthread_kill(thread_.native_handle(), SIGTERM);
  thread_.join();
}

void Interrupt::Loop() {
  const sigset_t set = Signals();
  bool interrupted = false;
  while (true) {
    int signal = 0;
    if (sigwait(&set, &signal) != 0) continue;
    if (done_) return;
    MutexLock lock(mutex_);
    if (interrupted || !function_) _exit(128 + signal);
    interrupted = true;
    function_();
  }
}

OnInterrupt::OnInterrupt(Interrupt& interrupt, std::function<void()> function)
    : interrupt_(interrupt) {
  MutexLock lock(interrupt_.mutex_);
  interrupt_.function_ = std::move(function);
}

OnInterrupt::~OnInterrupt() {
  MutexLock lock(interrupt_.mutex_);
  interrupt_.function_ = nullptr;
}

}  // namespace muster::cli
