#include "muster/client/failover.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace muster::client {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
constexpr absl::Duration kLongestPause = absl::Milliseconds(500);

// Another node, or the same node later, may well accept.
bool MayMove(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kOutOfRange:
      return false;
    default:
      return !IsMessageTooLarge(status);
  }
}

}  // namespace

// The code alone could also mean a quota of one node.
bool IsMessageTooLarge(const absl::Status& status) {
  return absl::IsResourceExhausted(status)
             ? absl::StrContains(status.message(), "message larger than max")
             : absl::IsInvalidArgument(status) &&
                   absl::StrContains(status.message(), "--max-message-bytes");
}

std::string ReasonOf(const absl::Status& status) {
  if (status.ok()) return "the node ended the stream";
  if (status.message().empty()) return absl::StatusCodeToString(status.code());
  return std::string(status.message());
}

Failover::Failover(Connection* connection, absl::Duration give_up)
    : connection_(connection),
      give_up_(give_up),
      current_(connection->preferred()),
      pause_(kFirstPause),
      last_served_(absl::Now()) {}

absl::Status Failover::Next(const absl::Status& status, Reach reach) {
  if (!MayMove(status)) return status;
  // A full node, unlike one that starts, is not about to serve.
  const bool full = IsNodeFull(status);
  ever_connected_ = ever_connected_ || (reach != Reach::kNothing && !full);
  if (reach == Reach::kServed) {
    ever_served_ = true;
    last_served_ = absl::Now();
    tried_ = 0;
    pause_ = kFirstPause;
  }
  const size_t failed = current_;
  current_ = (current_ + 1) % connection_->size();
  if (++tried_ % connection_->size() != 0) return absl::OkStatus();

  const absl::Duration patience = ever_served_ ? give_up_
                                  : ever_connected_
                                      ? connection_->options().patience
                                      : absl::ZeroDuration();
  if (absl::Now() - last_served_ >= patience) {
    const std::string text =
        absl::StrCat(connection_->address(failed), ": ", ReasonOf(status));
    // An error of a node that was reached keeps its own code.
    if (reach != Reach::kNothing && !absl::IsUnavailable(status) &&
        !absl::IsDeadlineExceeded(status) && !full && !status.ok()) {
      return absl::Status(status.code(), text);
    }
    return absl::UnavailableError(
        absl::StrCat("no node can be reached (", text, ")"));
  }
  absl::SleepFor(pause_);
  pause_ = std::min(pause_ * 1.5, kLongestPause);
  return absl::OkStatus();
}

}  // namespace muster::client
