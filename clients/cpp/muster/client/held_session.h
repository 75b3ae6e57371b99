// A session that outlives its node: entries that stay tracked, wherever the
// session has to move, until Stop. Entries may be added, changed and removed
// while it runs.
//
//   open at a, track 3 entries --> a acknowledges 3 refs
//   Update(ann), Track(bob)          --> a acknowledges 2 refs
//   (a dies)
//   resume at b with the 4 refs --> b names the refs it has never heard of
//   track those again            --> all 4 are acknowledged
//
// With a grace, watchers see no leave while the session moves within it.
//
// Invariants
//   1. An entry is held if and only if the node that holds the session has
//      acknowledged it. An operation whose answer was lost counts as not made:
//      the resume undoes its effect, if it had one, and it is made again.
//      Requests made while the session has no node are carried out at the next.
//   2. One batch is on its way at a time. A batch has at most
//      `operations_per_message` and, unless it is a single operation,
//      `bytes_per_message`; less at a node that takes only smaller ones.
//   3. Only this object has the session's token. If the node says that the
//      session has moved, a late attempt of this object has won, and the
//      session resumes once more.
//   4. After Stop the session is closed, at another node if its own does not
//      answer: its entries leave at once.
//   5. An entry that an administrator has evicted is given up: no move of the
//      session and no Update brings it back, only another Track.
//
// Errors: the node's answer to the opening, if trying elsewhere cannot help;
// UNAVAILABLE if no node could be reached: at the start in one round, later for
// `give_up`, by default until Stop. A refused entry or change is reported, is
// not tried again, and does not end the session; the entry keeps its former
// meta. After Stop: UNAVAILABLE if no node could be told, so that the entries
// stay until their grace is over.
// Cost: memory for every entry. A resume names them all in one message, which
// a node must take (--max-message-bytes): a session should hold no more than
// about 10,000, with no more than 1 MiB of names.
// Threads: Run blocks, and has a thread of its own for what it writes. Track,
// Update, Untrack and Stop may be called from any thread, in observers too;
// they do not wait for the node.
#ifndef MUSTER_CLIENT_HELD_SESSION_H_
#define MUSTER_CLIENT_HELD_SESSION_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "muster/client/connection.h"
#include "muster/client/held_entries.h"
#include "muster/client/stream_runner.h"
#include "muster/v1/presence.grpc.pb.h"

namespace muster::client {

class HeldSession {
 public:
  struct Options {
    absl::Duration grace = absl::ZeroDuration();
    uint64_t epoch = 0;
    size_t operations_per_message = 500;
    // Counts names and metas.
    size_t bytes_per_message = 1 << 20;
    // How long to look for a node after the loss of one.
    absl::Duration give_up = absl::InfiniteDuration();
  };
  struct Observer {
    // All entries that are not refused are acknowledged as they now are: at
    // first, again after each move, and after changes. Each may be empty.
    std::function<void(size_t held)> on_held;
    std::function<void(const HeldEntry&, const absl::Status&)> on_refused;
    // An administrator has removed the entry, for this reason (may be empty).
    // The entry is not held any more, and not tracked again. `held` counts the
    // entries left. May be empty.
    std::function<void(const HeldEntry&, const std::string& reason,
                       size_t held)>
        on_evicted;
    // The session has lost its node and looks for one, or has found one; for
    // people.
    std::function<void(const std::string&)> on_note;
  };

  // `connection` outlives the session.
  HeldSession(Connection* connection, Options options,
              std::vector<HeldEntry> entries);
  ~HeldSession();

  // Returns OK after Stop.
  absl::Status Run(const Observer& observer);
  void Stop() { runner_.Stop(); }

  // Change the entries of the session, before Run or while it runs; the
  // observer hears the outcome. Topic and key name an entry. Errors:
  // ALREADY_EXISTS, NOT_FOUND: the session has, or has not, the entry;
  // INVALID_ARGUMENT: a name is not UTF-8; FAILED_PRECONDITION: Run has ended.
  // Track of a refused entry tries again, as does Update.
  absl::Status Track(HeldEntry entry);
  absl::Status Update(absl::string_view topic, absl::string_view key,
                      std::string meta);
  absl::Status Untrack(absl::string_view topic, absl::string_view key);

 private:
  using Stream =
      grpc::ClientReaderWriter<v1::SessionRequest, v1::SessionResponse>;

  // One stream: opens or resumes the session, sends the wanted entries, holds.
  absl::Status RunOnce(const std::shared_ptr<grpc::Channel>& channel,
                       grpc::ClientContext* context, const Observer& observer,
                       const StreamRunner::Served& served);
  bool Begin(Stream* stream, const Observer& observer);
  // Returns when the stream ends or the node says that it is going away.
  void Serve(Stream* stream, grpc::ClientContext* context,
             const Observer& observer, const StreamRunner::Served& served);
  // Sends batches until the stream is no longer open; on a thread of its own.
  void WriteBatches(Stream* stream);
  // Reads answers until the stream ends or its node is going away.
  void ReadAnswers(Stream* stream, const Observer& observer,
                   const StreamRunner::Served& served);
  void TakeAnswer(const v1::SessionResponse& response,
                  const Observer& observer);
  // Reports on_held if nothing is left to be sent or answered.
  void SayIfHeld(const Observer& observer, const StreamRunner::Served& served);
  // Whether the session can go on without the operation that was too large.
  bool RefuseTooLarge(const absl::Status& ended, const Observer& observer);
  // Whether smaller batches can help against the error.
  bool Shrink(const absl::Status& error);
  // Sends `request` and reads its answer; false if the stream has ended.
  bool Exchange(Stream* stream, v1::SessionRequest* request,
                v1::SessionResponse* response, const Observer& observer);
  // Gives up the entries that the message calls evicted.
  void TakeEvicted(const v1::SessionResponse& response,
                   const Observer& observer);
  // Closes the session, wherever it lives.
  absl::Status Close();
  absl::Status CloseAt(size_t address);
  // Takes the session over with nothing in it, and closes it.
  absl::Status TakeOverAndCloseAt(size_t address);
  absl::Status CheckRunning() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool WriterHasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !open_ || entries_.MaySend();
  }

  Connection* const connection_;
  const Options options_;
  StreamRunner runner_;

  mutable absl::Mutex mutex_;
  HeldEntries entries_ ABSL_GUARDED_BY(mutex_);
  HeldEntries::BatchSize batch_limit_ ABSL_GUARDED_BY(mutex_);
  uint64_t request_number_ ABSL_GUARDED_BY(mutex_) = 0;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;  // The stream takes batches.
  bool over_ ABSL_GUARDED_BY(mutex_) = false;  // Run has ended.

  // Run's only.
  HeldEntries::BatchSize last_batch_;  // On its way when the stream ended.
  size_t most_held_ = 0;
  bool ever_held_ = false;  // All of it, once.
  size_t home_ = 0;         // The address where it was last opened or resumed.
  std::string token_;       // Empty: not opened.
  uint64_t resume_number_ = 0;
  bool moving_ = false;  // The node of this stream is going away.
};

}  // namespace muster::client

#endif  // MUSTER_CLIENT_HELD_SESSION_H_
