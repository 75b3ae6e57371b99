// What nodes say to each other of the keyspace, and what clients are answered,
// as lines of a trace.
#ifndef MUSTER_TESTS_SIM_KEYSPACE_TEXT_H_
#define MUSTER_TESTS_SIM_KEYSPACE_TEXT_H_

#include <cstddef>
#include <string>

#include "node/core/keyspace_frames.h"
#include "tests/sim/trace.h"

namespace muster::sim {

std::string KvText(const core::KvBody& body);
std::string KvText(const core::KvAnswer& answer);
// All of it, bytes and contexts too.
void MixKv(const core::KvBody& body, Trace& trace);
// About how many bytes it takes on the wire.
size_t KvBytes(const core::KvBody& body);
// The commands of a list, one after the other.
std::string CommandsText(const commands::CommandList& list);

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_KEYSPACE_TEXT_H_
