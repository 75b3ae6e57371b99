// The terminal while a command has it: a screen of its own without a cursor,
// and keys that arrive without Enter. Without a terminal, lines as they come.
//
// The destructor restores the terminal's former state, and so does Restore if
// the process ends without the destructor.
// Threads: one caller at a time, one Screen at a time; Restore from any.
#ifndef MUSTER_NODE_CLI_SCREEN_H_
#define MUSTER_NODE_CLI_SCREEN_H_

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "node/cli/interrupt.h"
#include "node/cli/top_view.h"

namespace muster::cli {

class Screen {
 public:
  // `out` is standard output.
  explicit Screen(std::ostream& out);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  bool is_terminal() const { return terminal_; }
  // Asked anew for each frame, so a resize needs no signal.
  ScreenSize size() const;
  void Show(const std::vector<std::string>& lines);

  // Does nothing if there is nothing to restore.
  static void Restore();

 private:
  std::ostream& out_;
  const bool terminal_;
};

// The end of a command that has the terminal: q, Ctrl-C or a signal. Takes the
// interrupt for as long as it lives.
class Quit {
 public:
  explicit Quit(Interrupt& interrupt);
  ~Quit();
  Quit(const Quit&) = delete;
  Quit& operator=(const Quit&) = delete;

  // True as soon as the end has come; false after `time`.
  bool Wait(absl::Duration time);

 private:
  const int event_;                          // Readable once interrupted.
  std::optional<OnInterrupt> on_interrupt_;  // Ends before `event_` is closed.
};

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_SCREEN_H_
