// The rows of the main table: from an empty pair of nodes to a million
// entries, a third node, a frozen one and a dead one.
#ifndef MUSTER_BENCH_PRESENCE_ROWS_H_
#define MUSTER_BENCH_PRESENCE_ROWS_H_

#include "bench/cluster.h"
#include "bench/report.h"

namespace muster::bench {

// One run with each number of entries, as often as `settings.runs`.
void MeasurePresence(const Settings& settings, Report& report);

// Only the load of it: what there is to look at in a profile.
void MeasureLoad(const Settings& settings, Report& report);

}  // namespace muster::bench

#endif  // MUSTER_BENCH_PRESENCE_ROWS_H_
