#include "muster/client/connection.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"

namespace muster::client {
namespace {

constexpr absl::Duration kRetryWait = absl::Milliseconds(200);

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(kMaxAnswerBytes);
  // Without these a channel answers from its back-off long after the node is
  // back.
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
  // In spite of its name, this is the time limit of one attempt. It ends after
  // ours, so that a slow node is not taken for one that refuses.
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10'000);
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // A frozen node or a cut is noticed on an open stream within 6 s, so that a
  // session can move within a grace of 10 s. Nodes close connections that ping
  // more often than every second.
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 3'000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3'000);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A page of 1,000 entries is 100 KiB: one frame, not seven.
  args.SetInt(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, 1 << 20);
  // With a scheme: a host's name may be that of a scheme, "dns" or "unix".
  return grpc::CreateCustomChannel(
      absl::StrCat("dns:///", absl::StrReplaceAll(address, {{"%", "%25"}})),
      grpc::InsecureChannelCredentials(), args);
}

// Whether a node may have executed the call. A node that says UNAVAILABLE has
// not, and says when to try again; gRPC itself says so of a connection that
// broke.
bool MayHaveRun(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED ||
         (status.error_code() == grpc::StatusCode::UNAVAILABLE &&
          status.error_details().empty());
}

bool MayTryNext(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
         IsNodeFull(status);
}

}  // namespace

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

// The code alone could also mean a quota, or a message that is too large.
bool IsNodeFull(const absl::Status& status) {
  return absl::IsResourceExhausted(status) &&
         absl::StrContains(status.message(), "--max-connections");
}

Connection::Connection(ConnectionOptions options)
    : options_(std::move(options)) {
  channels_.reserve(options_.addresses.size());
  for (const std::string& address : options_.addresses) {
    channels_.push_back(MakeChannel(address));
  }
}

void Connection::Prepare(grpc::ClientContext* context) const {
  if (options_.bearer_token.empty()) return;
  context->AddMetadata("authorization",
                       absl::StrCat("Bearer ", options_.bearer_token));
}

absl::Status Connection::WaitConnected(size_t i) const {
  const absl::Time start = absl::Now();
  const auto deadline = absl::ToChronoTime(start + options_.connect_timeout);
  grpc::Channel& channel = *channels_[i];
  grpc_connectivity_state state = channel.GetState(/*try_to_connect=*/true);
  // The channel failed before, and tries again by itself. It does so only while
  // a caller waits for it, as nothing else polls its socket.
  if (state == GRPC_CHANNEL_TRANSIENT_FAILURE) {
    channel.WaitForStateChange(state, absl::ToChronoTime(start + kRetryWait));
    state = channel.GetState(/*try_to_connect=*/true);
  }
  while (state != GRPC_CHANNEL_READY) {
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE ||
        state == GRPC_CHANNEL_SHUTDOWN) {
      return absl::UnavailableError("cannot connect");
    }
    if (!channel.WaitForStateChange(state, deadline)) {
      return absl::DeadlineExceededError(absl::StrCat(
          "no answer within ", absl::FormatDuration(options_.connect_timeout)));
    }
    state = channel.GetState(/*try_to_connect=*/true);
  }
  return absl::OkStatus();
}

absl::Status Connection::CallAny(const AnyCall& call,
                                 const CallPolicy& policy) {
  const absl::Time give_up = absl::Now() + options_.patience;
  while (true) {
    std::vector<std::string> failures;
    bool may_come = false;
    const size_t first = preferred_;
    for (size_t n = 0; n < channels_.size(); ++n) {
      const size_t i = (first + n) % channels_.size();
      const absl::Status connected = WaitConnected(i);
      if (!connected.ok()) {
        may_come = may_come || absl::IsDeadlineExceeded(connected);
        failures.push_back(absl::StrCat(address(i), ": ", connected.message()));
        continue;
      }
      grpc::ClientContext context;
      Prepare(&context);
      if (policy.timeout != absl::InfiniteDuration()) {
        context.set_deadline(absl::ToChronoTime(absl::Now() + policy.timeout));
      }
      const grpc::Status answer = call(channels_[i], &context);
      const absl::Status status = FromGrpc(answer);
      if (!policy.repeat && MayHaveRun(answer)) {
        return absl::AbortedError(absl::StrCat(
            "the outcome is unknown: ", address(i), ": ", status.message()));
      }
      if (!MayTryNext(status)) {
        preferred_ = i;
        return status;
      }
      may_come = may_come || absl::IsUnavailable(status);
      failures.push_back(absl::StrCat(address(i), ": ", status.message()));
    }
    if (!may_come || absl::Now() >= give_up) {
      return absl::UnavailableError(absl::StrCat(
          "no node can be reached (", absl::StrJoin(failures, "; "), ")"));
    }
    absl::SleepFor(absl::Milliseconds(100));
  }
}

}  // namespace muster::client
