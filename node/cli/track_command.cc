// track: hold entries until interrupted.
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "node/cli/client_command.h"
#include "node/cli/interruptible_input.h"
#include "node/cli/text.h"
#include "node/cli/track_input.h"
#include "node/mutex.h"

namespace muster::cli {
namespace {

using client::HeldEntry;
using client::HeldSession;

// Holds any number of entries in as many sessions as they need, each on its
// own thread.
class Holder {
 public:
  Holder(const ClientCommand& command, std::vector<HeldEntry> entries)
      : command_(command) {
    HeldSession::Options options;
    options.grace = absl::Milliseconds(command.line.grace_ms);
    options.give_up = GiveUp(command.line);
    for (std::vector<HeldEntry>& some : SplitBySession(std::move(entries))) {
      sessions_.push_back(std::make_unique<HeldSession>(
          &command.connection, options, std::move(some)));
    }
    held_.assign(sessions_.size(), kNotYet);
  }

  // Returns when interrupted, or when a session cannot be held, or when no
  // entry is accepted, or when the last one was evicted.
  ExitCode Run() {
    OnInterrupt on_interrupt(command_.interrupt, [this] { StopAll(); });
    std::vector<std::thread> threads;
    threads.reserve(sessions_.size());
    for (size_t i = 0; i < sessions_.size(); ++i) {
      threads.emplace_back([this, i] { RunSession(i); });
    }
    for (std::thread& thread : threads) thread.join();
    MutexLock lock(mutex_);
    if (!error_.ok()) return Report(error_, command_.err);
    return ExitCodeOf(refusal_);
  }

 private:
  static constexpr size_t kNotYet = static_cast<size_t>(-1);

  void StopAll() {
    for (const auto& session : sessions_) session->Stop();
  }

  void RunSession(size_t i) {
    HeldSession::Observer observer;
    observer.on_held = [this, i](size_t held) { OnHeld(i, held); };
    observer.on_refused = [this](const HeldEntry& entry,
                                 const absl::Status& status) {
      MutexLock lock(mutex_);
      refusal_ = status;
      command_.err << "muster: " << RefusalText(entry, status) << std::endl;
    };
    observer.on_evicted = [this, i](const HeldEntry& entry,
                                    const std::string& reason, size_t held) {
      OnEvicted(i, entry, reason, held);
    };
    observer.on_note = [this](const std::string& note) {
      MutexLock lock(mutex_);
      command_.err << "muster: " << note << std::endl;
    };
    const absl::Status status = sessions_[i]->Run(observer);
    if (status.ok()) return;
    {
      MutexLock lock(mutex_);
      if (error_.ok()) error_ = status;
    }
    StopAll();
  }

  void OnHeld(size_t i, size_t held) {
    size_t total = 0;
    {
      MutexLock lock(mutex_);
      const bool again = held_[i] != kNotYet;
      held_[i] = held;
      if (again) {
        command_.err << "muster: holding " << held << " again" << std::endl;
        return;
      }
      for (const size_t of_session : held_) {
        if (of_session == kNotYet) return;
        total += of_session;
      }
      if (total > 0 || refusal_.ok()) {
        command_.out << "tracked " << total << std::endl;
        return;
      }
    }
    StopAll();  // Every entry was refused.
  }

  void OnEvicted(size_t i, const HeldEntry& entry, const std::string& reason,
                 size_t held) {
    {
      MutexLock lock(mutex_);
      refusal_ = absl::AbortedError("evicted");
      command_.err << "muster: evicted: " << Printable(entry.key) << " in "
                   << Printable(entry.topic) << (reason.empty() ? "" : ": ")
                   << Printable(reason) << std::endl;
      if (held_[i] != kNotYet) held_[i] = held;
      for (const size_t of_session : held_) {
        if (of_session != 0) return;
      }
    }
    StopAll();  // Nothing is left to hold.
  }

  const ClientCommand& command_;
  std::vector<std::unique_ptr<HeldSession>> sessions_;

  Mutex mutex_;
  std::vector<size_t> held_ ABSL_GUARDED_BY(mutex_);
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);
};

void WarnOfMetas(const std::vector<HeldEntry>& entries, std::ostream& err) {
  const auto is_odd = [](const HeldEntry& entry) {
    return !entry.meta.empty() && !IsJson(entry.meta);
  };
  const auto first = std::find_if(entries.begin(), entries.end(), is_odd);
  if (first == entries.end()) return;
  const auto others = std::count_if(first + 1, entries.end(), is_odd);
  err << "muster: warning: meta " << Printable(first->meta)
      << " is not JSON; it is kept as it is";
  if (others > 0) err << " (and " << others << " others)";
  err << std::endl;
}

// The entries to be held. Errors: CANCELLED if interrupted meanwhile.
absl::StatusOr<std::vector<HeldEntry>> EntriesOf(const ClientCommand& command) {
  const CommandLine& line = command.line;
  std::vector<HeldEntry> entries;
  if (!line.topic.empty()) {
    entries.push_back({line.topic, line.key, line.meta});
    WarnOfMetas(entries, command.err);
    return entries;
  }
  if (command.in_is_terminal) {
    command.err << "Type lines topic<TAB>key<TAB>meta; Ctrl-D after the last, "
                   "then Ctrl-C to leave."
                << std::endl;
  }
  InterruptibleInput input(command.interrupt);
  std::istringstream text(input.ReadAll(STDIN_FILENO));
  if (!input.interrupted()) {
    absl::StatusOr<std::vector<HeldEntry>> read = ReadEntries(text);
    if (!read.ok()) return read;
    entries = *std::move(read);
    WarnOfMetas(entries, command.err);
  }
  if (input.interrupted()) return absl::CancelledError();
  return entries;
}

}  // namespace

ExitCode RunTrack(const ClientCommand& command) {
  absl::StatusOr<std::vector<HeldEntry>> entries = EntriesOf(command);
  if (absl::IsCancelled(entries.status())) return kDone;  // Nothing is held.
  if (!entries.ok()) return Report(entries.status(), command.err);
  if (entries->empty()) {
    command.out << "tracked 0" << std::endl;
    return kDone;
  }
  return Holder(command, *std::move(entries)).Run();
}

}  // namespace muster::cli
