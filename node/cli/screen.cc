#include "node/cli/screen.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"

namespace muster::cli {
namespace {

constexpr absl::string_view kEnter = "\033[?1049h\033[?25l";
constexpr absl::string_view kLeave = "\033[?25h\033[?1049l";

// There is one terminal, and the code that ends the process must restore it.
std::atomic<bool> has_screen = false;
std::atomic<bool> has_keys = false;
termios modes_before;

// Keys without Enter and echo. Ctrl-C stays a signal; Ctrl-Z would leave the
// shell with this screen, and does nothing.
void TakeKeys() {
  // A background process does not own the terminal.
  if (isatty(STDIN_FILENO) != 1 || tcgetpgrp(STDIN_FILENO) != getpgrp()) {
    return;
  }
  if (tcgetattr(STDIN_FILENO, &modes_before) != 0) return;
  termios modes = modes_before;
  modes.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  modes.c_cc[VMIN] = 1;
  modes.c_cc[VTIME] = 0;
  modes.c_cc[VSUSP] = _POSIX_VDISABLE;
  has_keys = tcsetattr(STDIN_FILENO, TCSANOW, &modes) == 0;
}

bool IsQuitKey(absl::string_view typed) {
  return typed.find_first_of("qQ") != absl::string_view::npos;
}

}  // namespace

Screen::Screen(std::ostream& out)
    : out_(out), terminal_(isatty(STDOUT_FILENO) == 1) {
  if (!terminal_) return;
  TakeKeys();
  has_screen = true;
  out_ << kEnter << std::flush;
}

Screen::~Screen() { Restore(); }

void Screen::Restore() {
  if (has_screen.exchange(false)) {
    [[maybe_unused]] const ssize_t written =
        write(STDOUT_FILENO, kLeave.data(), kLeave.size());
  }
  if (has_keys.exchange(false)) {
    tcsetattr(STDIN_FILENO, TCSANOW, &modes_before);
  }
}

ScreenSize Screen::size() const {
  winsize window{};
  if (!terminal_ || ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 ||
      window.ws_row == 0 || window.ws_col == 0) {
    return {200, 1000};
  }
  return {window.ws_col, window.ws_row};
}

void Screen::Show(const std::vector<std::string>& lines) {
  if (!terminal_) {
    for (const std::string& line : lines) out_ << line << '\n';
    out_ << std::flush;
    return;
  }
  out_ << "\033[H";
  for (size_t i = 0; i < lines.size(); ++i) {
    out_ << (i > 0 ? "\r\n" : "") << lines[i] << "\033[K";
  }
  out_ << "\033[J" << std::flush;
}

Quit::Quit(Interrupt& interrupt)
    : event_(eventfd(0, EFD_CLOEXEC)),
      on_interrupt_(
          std::in_place, interrupt, [this] { eventfd_write(event_, 1); },
          &Screen::Restore) {}

Quit::~Quit() {
  on_interrupt_.reset();
  close(event_);
}

bool Quit::Wait(absl::Duration time) {
  const absl::Time end = absl::Now() + time;
  while (true) {
    const absl::Duration left =
        absl::Ceil(end - absl::Now(), absl::Milliseconds(1));
    if (left <= absl::ZeroDuration()) return false;
    // Without keys only the event is looked at.
    std::array<pollfd, 2> ready = {
        {{event_, POLLIN, 0}, {has_keys ? STDIN_FILENO : -1, POLLIN, 0}}};
    poll(ready.data(), ready.size(),
         static_cast<int>(absl::ToInt64Milliseconds(left)));
    if (ready[0].revents != 0) return true;
    if (ready[1].revents == 0) continue;
    std::array<char, 64> typed;
    const ssize_t size = read(STDIN_FILENO, typed.data(), typed.size());
    // The end of input is the end of the terminal.
    if (size <= 0) return true;
    if (IsQuitKey({typed.data(), static_cast<size_t>(size)})) return true;
  }
}

}  // namespace muster::cli
