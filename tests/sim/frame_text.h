// A replica's output as trace: mixed into the hash, and as lines to read.
#ifndef MUSTER_TESTS_SIM_FRAME_TEXT_H_
#define MUSTER_TESTS_SIM_FRAME_TEXT_H_

#include <string>
#include <vector>

#include "node/core/output.h"
#include "tests/sim/trace.h"

namespace muster::sim {

void MixOutput(const core::Output& output, Trace& trace);
// Beats are left out: there are too many to read.
std::vector<std::string> OutputText(const core::Output& output);
std::string RefText(const crdt::Ref& ref);

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_FRAME_TEXT_H_
