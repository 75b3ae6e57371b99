#include "node/signals.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <asio/buffer.hpp>
#include <atomic>
#include <system_error>
#include <utility>

#include "crdt/check.h"

namespace muster {
namespace {

// A handler may touch no more than these.
std::atomic<int> pipe_in{-1};
std::atomic<int> received{0};
struct sigaction old_term;
struct sigaction old_int;

void OnSignal(int signal) {
  if (received.fetch_add(1) > 0) _exit(128 + signal);
  char byte = 0;
  ssize_t written = write(pipe_in.load(), &byte, 1);
  static_cast<void>(written);
}

}  // namespace

Signals::Signals(Loop& loop, std::function<void()> on_first)
    : pipe_(loop.io()) {
  int ends[2];
  MUSTER_CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  pipe_.assign(ends[0]);
  pipe_in = ends[1];
  received = 0;
  pipe_.async_read_some(
      asio::buffer(&byte_, 1),
      [on_first = std::move(on_first)](const std::error_code& error, size_t) {
        if (!error) on_first();
      });
  struct sigaction action {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, &old_term);
  sigaction(SIGINT, &action, &old_int);
}

Signals::~Signals() {
  sigaction(SIGTERM, &old_term, nullptr);
  sigaction(SIGINT, &old_int, nullptr);
  close(pipe_in.exchange(-1));
}

}  // namespace muster
