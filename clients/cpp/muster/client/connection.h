// A client's connection to a cluster: the addresses of several nodes, any of
// which will do.
//
// A call goes to the address that answered last. If that node cannot be
// reached, answers UNAVAILABLE (it drains, or has not caught up), or is full
// (IsNodeFull), the call goes to the next address, until one round is over.
// Unless every address refused or is full, rounds go on until `patience` is
// used up: a node that has just started, or is very busy, answers soon.
//
// Errors: what the node answered, as an absl::Status of the same code and
// text; UNAVAILABLE naming every address if none could be reached.
// Limits: answers of at most kMaxAnswerBytes.
// Threads: safe to be used by several at once; calls block.
#ifndef MUSTER_CLIENT_CONNECTION_H_
#define MUSTER_CLIENT_CONNECTION_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "muster/client/address.h"

namespace muster::client {

inline constexpr int kMaxAnswerBytes = 64 << 20;

struct ConnectionOptions {
  // HOST:PORT each (ParseAddresses); tried in this order. At least one.
  std::vector<std::string> addresses;
  // Limit of a TCP connection and its first bytes.
  absl::Duration connect_timeout = absl::Seconds(1);
  // Limit of one unary call.
  absl::Duration call_timeout = absl::Seconds(10);
  // See above.
  absl::Duration patience = absl::Seconds(5);
  // Sent with every call as `authorization: Bearer …`, which a node with
  // --admin-token requires of administrative calls; empty: not sent.
  std::string bearer_token;
};

// A call that is more than one read.
struct CallPolicy {
  // Limit of the call at one node; infinite for one that waits.
  absl::Duration timeout = absl::Seconds(10);
  // To be sent again where it may have been executed: its connection broke, or
  // it took too long. Without, that is ABORTED "the outcome is unknown".
  bool repeat = true;
};

// The same code and text.
absl::Status FromGrpc(const grpc::Status& status);

// The node has no place for one more connection (--max-connections). It hangs
// up after two seconds.
bool IsNodeFull(const absl::Status& status);

class Connection {
 public:
  explicit Connection(ConnectionOptions options);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Calls `method` as described above:
  //   connection.Call(&muster::v1::Presence::Stub::List, request, &response)
  template <typename Stub, typename Request, typename Response>
  absl::Status Call(grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                 const Request&, Response*),
                    const Request& request, Response* response) {
    return CallAny(
        [&](const std::shared_ptr<grpc::Channel>& channel,
            grpc::ClientContext* context) {
          Stub stub(channel);
          return (stub.*method)(context, request, response);
        },
        {.timeout = options_.call_timeout});
  }

  // The same in general: `call` makes one attempt.
  using AnyCall = std::function<grpc::Status(
      const std::shared_ptr<grpc::Channel>&, grpc::ClientContext*)>;
  absl::Status CallAny(const AnyCall& call, const CallPolicy& policy);

  size_t size() const { return channels_.size(); }
  const std::string& address(size_t i) const { return options_.addresses[i]; }
  const std::shared_ptr<grpc::Channel>& channel(size_t i) const {
    return channels_[i];
  }
  const ConnectionOptions& options() const { return options_; }

  // The address of the next call: the one that answered last.
  size_t preferred() const { return preferred_; }
  void Prefer(size_t i) { preferred_ = i % channels_.size(); }

  // Adds the bearer token to a context. Call does so itself; a caller that
  // opens a stream of its own should do so.
  void Prepare(grpc::ClientContext* context) const;

  // Waits until address `i` is connected, at most `connect_timeout`. Errors:
  // UNAVAILABLE at once if the address refuses, DEADLINE_EXCEEDED if it is
  // silent.
  absl::Status WaitConnected(size_t i) const;

 private:
  const ConnectionOptions options_;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;  // Fixed at start.
  std::atomic<size_t> preferred_ = 0;
};

}  // namespace muster::client

#endif  // MUSTER_CLIENT_CONNECTION_H_
