// track: hold entries until interrupted.
#include "node/cli/track_command.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "node/cli/client_command.h"
#include "node/cli/text.h"
#include "node/mutex.h"

namespace muster::cli {
namespace {

using client::HeldEntry;
using client::HeldSession;

// A resume names all entries of a session in one message.
constexpr size_t kEntriesPerSession = 10'000;

// Holds any number of entries in as many sessions as they need, each on its
// own thread.
class Holder {
 public:
  Holder(const ClientCommand& command, std::vector<HeldEntry> entries)
      : command_(command) {
    HeldSession::Options options;
    options.grace = absl::Milliseconds(command.line.grace_ms);
    for (size_t begin = 0; begin < entries.size();
         begin += kEntriesPerSession) {
      const size_t end = std::min(begin + kEntriesPerSession, entries.size());
      sessions_.push_back(std::make_unique<HeldSession>(
          &command.connection, options,
          std::vector<HeldEntry>(
              std::make_move_iterator(entries.begin() + begin),
              std::make_move_iterator(entries.begin() + end))));
    }
    held_.assign(sessions_.size(), kNotYet);
  }

  // Returns when interrupted, or when a session cannot be held, or when no
  // entry is accepted.
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
      command_.err << "muster: " << Printable(entry.topic) << "  "
                   << Printable(entry.key) << ": " << status.message()
                   << std::endl;
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

}  // namespace

absl::StatusOr<std::vector<HeldEntry>> ReadEntries(std::istream& in) {
  std::vector<HeldEntry> entries;
  std::string line;
  for (size_t number = 1; std::getline(in, line); ++number) {
    if (line.empty()) continue;
    const size_t tab = line.find('\t');
    if (tab == std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("standard input, line ", number,
                       ": no tab; a line is topic<TAB>key<TAB>meta"));
    }
    const size_t second = line.find('\t', tab + 1);
    HeldEntry entry;
    entry.topic = line.substr(0, tab);
    entry.key =
        line.substr(tab + 1, second == std::string::npos ? std::string::npos
                                                         : second - tab - 1);
    if (second != std::string::npos) entry.meta = line.substr(second + 1);
    entries.push_back(std::move(entry));
  }
  return entries;
}

bool IsJson(absl::string_view meta) {
  google::protobuf::Value value;
  return google::protobuf::util::JsonStringToMessage({meta.data(), meta.size()},
                                                     &value)
      .ok();
}

ExitCode RunTrack(const ClientCommand& command) {
  std::vector<HeldEntry> entries;
  if (command.line.topic.empty()) {
    absl::StatusOr<std::vector<HeldEntry>> read = ReadEntries(std::cin);
    if (!read.ok()) return Report(read.status(), command.err);
    entries = *std::move(read);
  } else {
    entries.push_back(
        {command.line.topic, command.line.key, command.line.meta});
  }
  if (entries.empty()) {
    command.out << "tracked 0" << std::endl;
    return kDone;
  }
  WarnOfMetas(entries, command.err);
  return Holder(command, std::move(entries)).Run();
}

}  // namespace muster::cli
