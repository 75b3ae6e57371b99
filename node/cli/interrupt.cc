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
  for (const int signal : {SIGHUP, SIGQUIT}) {
    struct sigaction now = {};
    sigaction(signal, nullptr, &now);
    if (now.sa_handler != SIG_IGN) sigaddset(&set, signal);
  }
  return set;
}

}  // namespace

Interrupt::Interrupt() : signals_(Signals()) {
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  thread_ = std::thread([this] { Loop(); });
}

Interrupt::~Interrupt() {
  done_ = true;
  pthread_kill(thread_.native_handle(), SIGTERM);
  thread_.join();
}

void Interrupt::Loop() {
  bool interrupted = false;
  while (true) {
    int signal = 0;
    if (sigwait(&signals_, &signal) != 0) continue;
    if (done_) return;
    MutexLock lock(mutex_);
    if (interrupted || !function_) {
      if (at_exit_) at_exit_();
      _exit(128 + signal);
    }
    interrupted = true;
    function_();
  }
}

OnInterrupt::OnInterrupt(Interrupt& interrupt, std::function<void()> function,
                         std::function<void()> at_exit)
    : interrupt_(interrupt) {
  MutexLock lock(interrupt_.mutex_);
  interrupt_.function_ = std::move(function);
  interrupt_.at_exit_ = std::move(at_exit);
}

OnInterrupt::~OnInterrupt() {
  MutexLock lock(interrupt_.mutex_);
  interrupt_.function_ = nullptr;
  interrupt_.at_exit_ = nullptr;
}

}  // namespace muster::cli
