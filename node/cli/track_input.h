// The entries that `muster track` reads from lines of standard input.
#ifndef MUSTER_NODE_CLI_TRACK_INPUT_H_
#define MUSTER_NODE_CLI_TRACK_INPUT_H_

#include <istream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "muster/client/held_session.h"

namespace muster::cli {

// Lines topic<TAB>key<TAB>meta; the second tab and the meta may be left out,
// and a meta may hold tabs. Empty lines are skipped, as are what Windows adds:
// a carriage return at the end of a line, a byte order mark before the first.
// Errors: INVALID_ARGUMENT with the number of the line. The id of an entry is
// that number.
absl::StatusOr<std::vector<client::HeldEntry>> ReadEntries(std::istream& in);

// JSON is a convention only: Muster does not look into a meta.
bool IsJson(absl::string_view meta);

// Groups of entries, in order, each for one session.
std::vector<std::vector<client::HeldEntry>> SplitBySession(
    std::vector<client::HeldEntry> entries);

// Why an entry is not held, for people.
std::string RefusalText(const client::HeldEntry& entry,
                        const absl::Status& status);

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_TRACK_INPUT_H_
