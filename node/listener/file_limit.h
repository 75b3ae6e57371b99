// Open files, of which every connection is one.
//
//   files of the process:  | own | guests | peers | clients |
//
// If there are too few files for all, clients get fewer places than
// --max-connections says, and peers keep theirs: else a cluster with many
// clients would take no new node.
#ifndef MUSTER_NODE_LISTENER_FILE_LIMIT_H_
#define MUSTER_NODE_LISTENER_FILE_LIMIT_H_

#include <cstddef>

namespace muster {

// Raises the soft limit of open files, often 1,024, to the hard limit. Returns
// the limit in force.
size_t RaiseFileLimit();

// How many of the `wanted` connections of clients may be open at once, at least
// one. Two files for each of `max_members` are kept for peers, but no more than
// half of all. Warns if the result is less than `wanted`.
size_t ClientPlaces(size_t wanted, size_t files, size_t max_members);

}  // namespace muster

#endif  // MUSTER_NODE_LISTENER_FILE_LIMIT_H_
