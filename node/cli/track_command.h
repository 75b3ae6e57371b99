// What `muster track` holds: from its arguments, or lines of standard input.
#ifndef MUSTER_NODE_CLI_TRACK_COMMAND_H_
#define MUSTER_NODE_CLI_TRACK_COMMAND_H_

#include <istream>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "muster/client/held_session.h"

namespace muster::cli {

// Lines topic<TAB>key<TAB>meta; the second tab and the meta may be left out,
// and a meta may hold tabs. Empty lines are skipped. Errors: INVALID_ARGUMENT
// with the number of the line.
absl::StatusOr<std::vector<client::HeldEntry>> ReadEntries(std::istream& in);

// A convention only: Muster does not look into a meta.
bool IsJson(absl::string_view meta);

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_TRACK_COMMAND_H_
