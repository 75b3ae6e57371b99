#include "node/cli/interruptible_input.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace muster::cli {

InterruptibleInput::InterruptibleInput(Interrupt& interrupt)
    : event_(eventfd(0, EFD_CLOEXEC)) {
  on_interrupt_.emplace(interrupt, [this] {
    interrupted_ = true;
    eventfd_write(event_, 1);
  });
}

InterruptibleInput::~InterruptibleInput() {
  on_interrupt_.reset();
  close(event_);
}

std::string InterruptibleInput::ReadAll(int fd) {
  std::string text;
  std::array<char, 1 << 16> buffer;
  while (!interrupted_) {
    std::array<pollfd, 2> ready = {{{fd, POLLIN, 0}, {event_, POLLIN, 0}}};
    if (poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) break;
    if (ready[0].revents == 0) continue;
    const ssize_t size = read(fd, buffer.data(), buffer.size());
    if (size > 0) {
      text.append(buffer.data(), static_cast<size_t>(size));
    } else if (size == 0 || (errno != EINTR && errno != EAGAIN)) {
      break;
    }
  }
  return text;
}

}  // namespace muster::cli
