// One input of the core as the parts of Membership see it: its time, and where
// its output goes.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_STEP_CONTEXT_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_STEP_CONTEXT_H_

#include "node/core/output.h"
#include "node/core/time.h"

namespace muster::core {

struct StepContext {
  Now now;
  Output& out;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_STEP_CONTEXT_H_
