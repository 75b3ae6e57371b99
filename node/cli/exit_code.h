// The exit codes of `muster`.
#ifndef MUSTER_NODE_CLI_EXIT_CODE_H_
#define MUSTER_NODE_CLI_EXIT_CODE_H_

#include "absl/status/status.h"

namespace muster::cli {

enum ExitCode : int {
  kDone = 0,
  kAnswerIsNo = 1,  // Not found, refused; of `serve`: the node cannot run.
  kBadUsage = 2,    // A flag, a name or a file is wrong.
  kUnreachable = 3,
};

inline ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kDone;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return kBadUsage;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return kUnreachable;
    default:
      return kAnswerIsNo;
  }
}

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_EXIT_CODE_H_
