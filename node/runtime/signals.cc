#include "node/runtime/signals.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <asio/buffer.hpp>
#include <atomic>
#include <cstddef>
#include <iterator>
#include <system_error>
#include <utility>

#include "crdt/check.h"

namespace muster {
namespace {

// All that a signal handler may touch.
std::atomic<int> pipe_in{-1};
std::atomic<int> received{0};  // Of SIGTERM and SIGINT.

constexpr int kSignals[] = {SIGTERM, SIGINT, SIGHUP};
struct sigaction before[std::size(kSignals)];

void OnSignal(int signal) {
  // The shell and the kernel may both report a closed terminal, and a service
  // manager may send SIGHUP beside SIGTERM: none of these asks for haste.
  if (signal != SIGHUP && received.fetch_add(1) > 0) _exit(128 + signal);
  char number = static_cast<char>(signal);
  ssize_t written = write(pipe_in.load(), &number, 1);
  static_cast<void>(written);
}

const char* NameOf(int signal) {
  switch (signal) {
    case SIGTERM:
      return "SIGTERM";
    case SIGINT:
      return "SIGINT";
    default:
      return "SIGHUP";
  }
}

}  // namespace

Signals::Signals(Loop& loop, std::function<void(const char*)> on_first)
    : pipe_(loop.io()) {
  int ends[2];
  MUSTER_CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  pipe_.assign(ends[0]);
  pipe_in = ends[1];
  received = 0;
  pipe_.async_read_some(asio::buffer(&number_, 1),
                        [this, on_first = std::move(on_first)](
                            const std::error_code& error, size_t) {
                          if (!error) on_first(NameOf(number_));
                        });
  struct sigaction action {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  for (size_t i = 0; i < std::size(kSignals); ++i) {
    sigaction(kSignals[i], nullptr, &before[i]);
    const bool nohup = kSignals[i] == SIGHUP && before[i].sa_handler == SIG_IGN;
    if (!nohup) sigaction(kSignals[i], &action, nullptr);
  }
}

Signals::~Signals() {
  for (size_t i = 0; i < std::size(kSignals); ++i) {
    sigaction(kSignals[i], &before[i], nullptr);
  }
  close(pipe_in.exchange(-1));
}

}  // namespace muster
