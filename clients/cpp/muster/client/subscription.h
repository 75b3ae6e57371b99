// A subscription that survives its node: it subscribes again at another node,
// and reports that messages may have been missed meanwhile.
//
//   Subscription listen(&connection, {.channels = {"news"}});
//   listen.Run({.on_message = [](const v1::PubSubMessage& m, uint64_t n) {…}});
//
//   subscribed at a --> messages 1 2 3 --(a dies)--> on_missed(unknown)
//   subscribed at b --> on_held --> messages 4 5 …
//
// Invariants
//   1. After on_held a message published at any node that is up finds the
//      subscription, until the subscription's own node is lost.
//   2. Messages are numbered 1, 2, 3, … over all nodes; a message comes once.
//   3. A gap is reported before the messages that come after it.
//
// Errors: as Watch; a name that a node refuses is reported and dropped, and
// does not end the subscription.
// Threads: Run blocks and calls the observer; the other methods may be called
// from any thread, also from within the observer.
#ifndef MUSTER_CLIENT_SUBSCRIPTION_H_
#define MUSTER_CLIENT_SUBSCRIPTION_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "muster/client/connection.h"
#include "muster/client/stream_runner.h"
#include "muster/v1/pubsub.grpc.pb.h"

namespace muster::client {

// A channel, or a pattern. Names are bytes.
struct SubscribedName {
  std::string name;
  bool pattern = false;
  auto operator<=>(const SubscribedName&) const = default;
};

class Subscription {
 public:
  struct Options {
    std::vector<std::string> channels;
    std::vector<std::string> patterns;
    // How long to look for a node after the loss of one.
    absl::Duration give_up = absl::InfiniteDuration();
  };
  struct Observer {
    // `number`: 1, 2, 3, … of this object.
    std::function<void(const v1::PubSubMessage&, uint64_t number)> on_message;
    // `count` messages, of whatever channels, were lost between nodes. Without
    // a count the node was lost: messages published until on_held may be
    // missed.
    std::function<void(std::optional<uint64_t> count)> on_missed;
    // All subscriptions asked for until a moment ago hold, except refused ones.
    std::function<void()> on_held;
    std::function<void(const SubscribedName&, const absl::Status&)> on_refused;
    // The node is lost, and the subscription looks for another; for people.
    std::function<void(const std::string&)> on_note;
  };

  // `connection` outlives the subscription.
  Subscription(Connection* connection, Options options);

  // Returns OK after Stop. Functions of the observer may be empty.
  absl::Status Run(const Observer& observer);
  void Stop() { runner_.Stop(); }

  void Add(const SubscribedName& name);
  void Remove(const SubscribedName& name);

 private:
  using Stream =
      grpc::ClientReaderWriter<v1::SubscribeRequest, v1::SubscribeResponse>;

  absl::Status RunOnce(const std::shared_ptr<grpc::Channel>& channel,
                       grpc::ClientContext* context, const Observer& observer,
                       const StreamRunner::Served& served);
  void Ask(v1::SubscribeRequest request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Sends a change to the node, if there is one.
  void Change(const SubscribedName& name, bool add)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Take(const v1::SubscribeResponse& response, const Observer& observer);
  void TakeAnswer(const v1::SubscribeResponse& response,
                  const Observer& observer);

  StreamRunner runner_;
  absl::Mutex mutex_;
  std::set<SubscribedName> names_ ABSL_GUARDED_BY(mutex_);
  Stream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;
  uint64_t last_request_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, v1::SubscribeRequest> asked_ ABSL_GUARDED_BY(mutex_);

  // Run's only.
  bool was_held_ = false;
  uint64_t last_number_ = 0;
};

}  // namespace muster::client

#endif  // MUSTER_CLIENT_SUBSCRIPTION_H_
