// A session that outlives its node: entries that stay tracked, wherever the
// session has to move, until Stop.
//
//   open at a, track 3 entries --> a acknowledges 3 refs
//   (a dies)
//   resume at b with the 3 refs --> b names the refs it has never heard of
//   track those again            --> all 3 are acknowledged
//
// With a grace, watchers see no leave while the session moves within it.
//
// Invariants
//   1. An entry is held if and only if the node that holds the session has
//      acknowledged it. An operation whose answer was lost counts as not made:
//      the resume drops what it may have left behind.
//   2. One batch is on its way at a time; a batch is at most
//      `operations_per_message` and, unless it is a single operation,
//      `bytes_per_message`; less at a node that takes only smaller ones.
//   3. Nobody else has its token: if its node says that it has moved, an
//      attempt of its own that was late has won, and it resumes once more.
//   4. After Stop the session is closed, at another node if its own does not
//      answer: its entries leave at once.
//   5. An entry that an administrator has evicted is given up: no move of the
//      session brings it back.
//
// Errors: what a node answered to the opening, if trying elsewhere cannot
// help; UNAVAILABLE if no node could be reached, at the start in one round,
// later for `give_up`. An entry that is refused is reported, is not tried
// again, and does not end the session. After Stop: UNAVAILABLE if no node
// could be told, so that the entries stay until their grace is over.
// Cost: memory for every entry. A resume names them all in one message, which
// a node must take (--max-message-bytes): a session should hold no more than
// about 10,000, with no more than 1 MiB of names.
// Threads: Run blocks; Stop may be called from any other thread.
#ifndef MUSTER_CLIENT_HELD_SESSION_H_
#define MUSTER_CLIENT_HELD_SESSION_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "muster/client/connection.h"
#include "muster/client/stream_runner.h"
#include "muster/v1/presence.grpc.pb.h"

namespace muster::client {

struct HeldEntry {
  std::string topic;
  std::string key;
  std::string meta;
  uint64_t id = 0;  // The caller's own: handed back with a refusal.
};

class HeldSession {
 public:
  struct Options {
    absl::Duration grace = absl::ZeroDuration();
    uint64_t epoch = 0;
    size_t operations_per_message = 500;
    // Of names and metas.
    size_t bytes_per_message = 1 << 20;
    absl::Duration give_up = absl::Seconds(30);
  };
  struct Observer {
    // All entries that are not refused are acknowledged: at first, and again
    // after each move.
    std::function<void(size_t held)> on_held;
    std::function<void(const HeldEntry&, const absl::Status&)> on_refused;
    // An administrator has removed the entry, for this reason (may be empty):
    // it is not held any more, and not tracked again. `held` is what is left.
    // May be null.
    std::function<void(const HeldEntry&, const std::string& reason,
                       size_t held)>
        on_evicted;
    // The session has lost its node and looks for another; for people.
    std::function<void(const std::string&)> on_note;
  };

  // `connection` outlives the session.
  HeldSession(Connection* connection, Options options,
              std::vector<HeldEntry> entries);
  ~HeldSession();

  // Returns OK after Stop.
  absl::Status Run(const Observer& observer);
  void Stop() { runner_.Stop(); }

 private:
  using Stream =
      grpc::ClientReaderWriter<v1::SessionRequest, v1::SessionResponse>;
  struct Slot {
    HeldEntry entry;
    std::string ref;  // Empty: not acknowledged.
    bool refused = false;
    bool evicted = false;
  };
  struct BatchSize {
    size_t operations = 0;
    size_t bytes = 0;  // Of names and metas.
  };

  // One stream: opens or resumes, tracks what is missing, holds.
  absl::Status RunOnce(const std::shared_ptr<grpc::Channel>& channel,
                       grpc::ClientContext* context, const Observer& observer,
                       bool* served);
  bool Begin(Stream* stream, const Observer& observer);
  // Returns when the stream ends or the node says that it is going away.
  void Serve(Stream* stream, const Observer& observer, bool* served);
  bool TrackMissing(Stream* stream, const Observer& observer, bool* served);
  // What is missing from slot `*next` on, as far as one message holds it.
  std::vector<Slot*> NextBatch(size_t* next, v1::SessionRequest* request);
  // Whether smaller batches can help against the error.
  bool Shrink(const absl::Status& error);
  // Sends `request` and reads its answer; false if the stream has ended.
  bool Exchange(Stream* stream, v1::SessionRequest* request,
                v1::SessionResponse* response, const Observer& observer);
  // Returns how many of the batch are tracked now.
  size_t Acknowledge(const std::vector<Slot*>& batch,
                     const v1::SessionResponse& response,
                     const Observer& observer);
  // Gives up what the message says was evicted.
  void TakeEvicted(const v1::SessionResponse& response,
                   const Observer& observer);
  // Closes the session, wherever it lives.
  absl::Status Close();
  absl::Status CloseAt(size_t address);
  // Takes the session over with nothing in it, and closes it.
  absl::Status TakeOverAndCloseAt(size_t address);
  size_t held() const;

  Connection* const connection_;
  const Options options_;
  StreamRunner runner_;

  // Run's only.
  std::vector<Slot> slots_;
  BatchSize batch_limit_;
  BatchSize last_batch_;  // Of this stream.
  size_t most_held_ = 0;
  size_t home_ = 0;    // The address where it was last opened or resumed.
  std::string token_;  // Empty: not opened.
  uint64_t resume_number_ = 0;
  uint64_t request_number_ = 0;
  bool moving_ = false;  // The node of this stream is going away.
};

}  // namespace muster::client

#endif  // MUSTER_CLIENT_HELD_SESSION_H_
