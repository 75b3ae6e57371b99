// Failover of a long-lived stream: the address it goes to when it ends, and
// when it gives up.
//
// Addresses are tried in turn, starting with the one that answered last. At the
// start the stream fails if every address refuses or is full. It waits for a
// node that is silent, or answers but does not serve yet, as long as
// ConnectionOptions::patience. A stream that has once been served looks for a
// node for `give_up`, in rounds that are 0.1 s apart at first and 0.5 s at
// most. A message that is too large for one node is too large for all.
//
// Threads: none; one caller at a time.
#ifndef MUSTER_CLIENT_FAILOVER_H_
#define MUSTER_CLIENT_FAILOVER_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "muster/client/connection.h"

namespace muster::client {

// How far one stream came. kConnected: at least the address did not refuse.
enum class Reach { kNothing, kConnected, kServed };

class Failover {
 public:
  Failover(Connection* connection, absl::Duration give_up);

  // The address to use now.
  size_t current() const { return current_; }

  // The stream at current() ended with `status`. OK: try current(), which is
  // now another address. Else the error to end with. Sleeps a little after each
  // round.
  absl::Status Next(const absl::Status& status, Reach reach);

 private:
  Connection* const connection_;
  const absl::Duration give_up_;
  size_t current_;
  size_t tried_ = 0;  // Since a stream was served.
  absl::Duration pause_;
  bool ever_served_ = false;
  bool ever_connected_ = false;
  absl::Time last_served_;
};

// A message of this client was refused for its size: by gRPC, or by the node
// itself (--max-message-bytes).
bool IsMessageTooLarge(const absl::Status& status);

// The reason of `status`, for people; also of a stream that ended with OK.
std::string ReasonOf(const absl::Status& status);

}  // namespace muster::client

#endif  // MUSTER_CLIENT_FAILOVER_H_
