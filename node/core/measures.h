// What a replica measures of itself, for metrics: a copy, made on the loop and
// read elsewhere. Everything in it is counted all the time; to copy it costs
// O(members + streams).
#ifndef MUSTER_NODE_CORE_MEASURES_H_
#define MUSTER_NODE_CORE_MEASURES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "crdt/presence_store.h"
#include "node/core/client.h"
#include "node/core/frames.h"
#include "node/core/histogram.h"

namespace muster::core {

// A link in use.
struct LinkMeasure {
  std::string peer;
  LinkId id = 0;
  // The longest of late; zero until bulk was acknowledged.
  absl::Duration round_trip;
  // Bulk sent and not acknowledged.
  uint64_t unacked_bytes = 0;
};

struct Measures {
  StatusView status;
  std::vector<MemberView> members;
  std::vector<LinkMeasure> links;
  // From the last advance of a node's beat number to `down`, less the time that
  // this node itself stood still.
  DeathTimes death_times{kDeathBounds};

  crdt::PresenceStore::Memory store;
  uint64_t log_budget_bytes = 0;

  // Queues, by what waits in them.
  uint64_t watch_changes = 0;    // Changes that a watcher is still to be told.
  uint64_t visibility_jobs = 0;  // Sessions and streams to be shown or hidden.
  uint64_t session_ends = 0;     // Sessions whose entries are being removed.
  uint64_t resumes = 0;          // Sessions that are being adopted.
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEASURES_H_
