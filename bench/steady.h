// What nodes do to those who use them while something big goes on.
#ifndef MUSTER_BENCH_STEADY_H_
#define MUSTER_BENCH_STEADY_H_

#include "bench/cluster.h"
#include "bench/report.h"

namespace muster::bench {

// Tracks and reads on two full nodes while an empty third catches up, and how
// much memory that takes of the two.
void MeasureCatchup(const Settings& settings, Report& report);

// One topic of 100,000 entries, read, watched and counted while 10,000 tracks
// a second go into it.
void MeasureRoom(const Settings& settings, Report& report);

// A watcher that never reads beside 1,000 that do.
void MeasureWatchers(const Settings& settings, Report& report);

// Honest clients beside hostile ones, one kind after the other.
void MeasureHostile(const Settings& settings, Report& report);

}  // namespace muster::bench

#endif  // MUSTER_BENCH_STEADY_H_
