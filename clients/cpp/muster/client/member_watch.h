// Follows the members of a cluster, as one of its nodes sees them. When that
// node is lost, another node's view takes over.
//
// Errors and threads: as Watch.
#ifndef MUSTER_CLIENT_MEMBER_WATCH_H_
#define MUSTER_CLIENT_MEMBER_WATCH_H_

#include <functional>
#include <string>

#include "muster/client/connection.h"
#include "muster/client/stream_runner.h"
#include "muster/v1/cluster.pb.h"

namespace muster::client {

class MemberWatch {
 public:
  struct Observer {
    std::function<void(const v1::WatchMembersResponse&)> on_members;
    // For people.
    std::function<void(const std::string&)> on_note;
  };

  // `connection` outlives the watch.
  explicit MemberWatch(Connection* connection,
                       absl::Duration give_up = absl::InfiniteDuration());

  // Returns OK after Stop.
  absl::Status Run(const Observer& observer);
  void Stop() { runner_.Stop(); }

 private:
  StreamRunner runner_;
};

}  // namespace muster::client

#endif  // MUSTER_CLIENT_MEMBER_WATCH_H_
