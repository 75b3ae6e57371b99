// Frames of the keyspace as trace: as lines to read, and mixed into the hash.
#ifndef MUSTER_TESTS_SIM_KEYSPACE_TEXT_H_
#define MUSTER_TESTS_SIM_KEYSPACE_TEXT_H_

#include <cstddef>
#include <string>

#include "node/core/keyspace_frames.h"
#include "tests/sim/trace.h"

namespace muster::sim {

// "8@0102": the number, and the leader's life.
std::string TermText(const core::Term& term);
std::string KeyspaceText(const core::KvBody& body);
// What the text leaves out.
void MixKeyspace(const core::KvBody& body, Trace& trace);
// What a client is answered.
std::string KvAnswerText(const core::KvAnswer& answer);
// About how many bytes a frame takes on the wire.
size_t KeyspaceBytes(const core::KvBody& body);

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_KEYSPACE_TEXT_H_
