// Open files, of which every connection is one.
//
//   files of the process:  | own | guests | peers | clients |
//
// Where they do not suffice for all, clients get fewer places than
// --max-connections says, and peers keep theirs: else a cluster whose clients
// are many would take no new node.
#ifndef MUSTER_NODE_LISTENER_FILE_LIMIT_H_
#define MUSTER_NODE_LISTENER_FILE_LIMIT_H_

#include <cstddef>

namespace muster {

// A process is often given 1,024 to begin with and may have many more: takes
// what it may. Returns how many that is.
size_t RaiseFileLimit();

// How many of the `wanted` connections of clients may be open at once, at least
// one. Peers are kept two files for each of `max_members`, but no more than
// half of what there is. Warns if it is fewer than wanted.
size_t ClientPlaces(size_t wanted, size_t files, size_t max_members);

}  // namespace muster

#endif  // MUSTER_NODE_LISTENER_FILE_LIMIT_H_
