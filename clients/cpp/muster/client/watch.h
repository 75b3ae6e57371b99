// A watch that survives its node: it resumes with its version if it can, moves
// to another address if it must, and reports changes only (see Roll and
// KeyRoll).
//
// Errors: the node's answer, if trying elsewhere cannot help (a malformed
// request); UNAVAILABLE if no node could be reached: at the start in one round,
// later for `give_up`, by default until Stop.
// Threads: Run blocks; Stop may be called from any other thread.
#ifndef MUSTER_CLIENT_WATCH_H_
#define MUSTER_CLIENT_WATCH_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "muster/client/connection.h"
#include "muster/client/key_roll.h"
#include "muster/client/roll.h"
#include "muster/client/stream_runner.h"
#include "muster/v1/presence.pb.h"

namespace muster::client {

class Watch {
 public:
  struct Observer {
    // The changes of a message, or of a diff in several; never empty.
    std::function<void(const std::vector<Change>&)> on_changes;
    // The changes of a whole state or diff, by key; called after the last of
    // its on_changes, if it has any. Empty if a key came and went within it.
    // This function may be left out, as may on_changes, which WATCH_DETAIL_KEYS
    // calls only when the state is complete.
    std::function<void(const std::vector<KeyChange>&)> on_keys;
    // The watch has lost its node and looks for one, or has found one; for
    // people.
    std::function<void(const std::string&)> on_note;
  };

  // `connection` outlives the watch. `request` names the scope; its version
  // is left empty.
  Watch(Connection* connection, v1::WatchRequest request,
        absl::Duration give_up = absl::InfiniteDuration());

  // Returns OK after Stop.
  absl::Status Run(const Observer& observer);
  void Stop() { runner_.Stop(); }

 private:
  absl::Status RunOnce(const std::shared_ptr<grpc::Channel>& channel,
                       grpc::ClientContext* context, const Observer& observer,
                       const StreamRunner::Served& served);

  void Report(const v1::WatchResponse& message, const Observer& observer);

  StreamRunner runner_;
  v1::WatchRequest request_;  // Run's only, as is the roll.
  Roll roll_;
  KeyRoll keys_;
};

}  // namespace muster::client

#endif  // MUSTER_CLIENT_WATCH_H_
