// What one seed means: the cluster's size and options, the network's nature,
// and how often each thing happens. All of it is drawn from the seed; the
// weights differ so much between seeds that most runs do a few things often
// (swarm testing: Groce et al., 2012).
#ifndef MUSTER_TESTS_SIM_PLAN_H_
#define MUSTER_TESTS_SIM_PLAN_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "node/core/options.h"
#include "tests/sim/rng.h"
#include "tests/sim/world.h"

namespace muster::sim {

enum class Op : uint8_t {
  // Work.
  kOpen,
  kTrack,
  kUpdate,
  kUntrack,
  kClose,
  kDisconnect,
  kResumeHere,
  kResumeElsewhere,
  kRaiseEpoch,
  kSecondClient,
  kWatch,
  kEndWatch,
  kWatchOn,
  kLag,
  // Faults.
  kCut,
  kCutOneWay,
  kCutReset,
  kPartition,
  kMend,
  kMendAll,
  kBreak,
  kFreeze,
  kThaw,
  kKill,
  kPowerOff,
  kRestart,
  kTwin,
  kDrain,
  kSlowPath,
  kWallJump,
  kSlowNode,
  // Since the second plan.
  kBurst,
  kSuspend,
  kIslands,
  kSplitOneWay,
  kNarrow,
  kInRebase,
  kWriteInRebase,
  // Of the plan with evictions.
  kEvict,
  // Of the plan with pub/sub.
  kSubscriber,
  kChangeNames,
  kCloseSubscriber,
  kPublish,
  kPublishMany,
  kRest,
  kForgetMember,
  // Of the plan with the keyspace.
  kCall,
  kCallMany,
  kBlockingPop,
  kWithdraw,
  kConnection,
  kWriteAndPublish,
  kWhole,
  kLoneKill,
  kInExchange,
  kCount,
};
inline constexpr size_t kOps = static_cast<size_t>(Op::kCount);
inline constexpr size_t kFirstFault = static_cast<size_t>(Op::kCut);
const char* Name(Op op);

// The first plan is kept for the seeds that failed with it: each later one
// draws as it does, and then what is new.
inline constexpr int kFirstPlan = 1;
inline constexpr int kLatestPlan = 2;
// Not a later one: each seed is a property run of 7 nodes and 1,000 operations,
// compared whole after each hundred.
inline constexpr int kPropertyPlan = 3;
// The second plan, and administrators who evict.
inline constexpr int kEvictionPlan = 4;
// The second plan, and clients of pub/sub; its nodes are of the feature level
// that brought it, or become so one by one. Those of the other plans are of the
// one before: their seeds keep their traces.
inline constexpr int kPubSubPlan = 5;
// The plan with pub/sub, and clients of the keyspace.
inline constexpr int kKeyspacePlan = 6;

struct Plan {
  explicit Plan(uint64_t seed, int version = kLatestPlan);
  // One line, for the head of a run.
  std::string Text() const;
  core::Options NodeOptions(int node, int hosts) const;

  uint64_t seed;
  int version;
  int nodes = 3;
  int phases = 2;
  int ops = 100;         // Of a phase.
  SimTime gap = 50'000;  // Between two, on average.
  std::vector<uint32_t> weights = std::vector<uint32_t>(kOps);
  int topics = 4;
  int keys = 20;
  int batch = 4;  // Operations of one batch, at most.
  SimTime latency = 200;
  SimTime jitter = 100;
  uint32_t datagram_loss_ppm = 0;
  uint32_t tail_ppm = 0;
  uint32_t segment_loss_ppm = 0;
  uint32_t hostile_ppm = 0;
  int64_t bytes_per_second = 0;
  size_t log_bytes = 24 << 20;
  size_t window_bytes = 256 << 10;
  size_t frame_bytes = 64 << 10;
  size_t history = 16'384;
  size_t max_queued = 64;
  size_t bulk_queue_bytes = 8 << 20;
  bool join_all = true;       // Else only the first two hosts.
  bool long_silence = false;  // Ends with the time of forgetting.
  SimTime drift_ppm = 0;
  SimTime wall_jump = 3600 * kSecond;  // At most, either way.
  int crowd = 0;                       // Entries tracked at first.
  bool counts = false;                 // Some watches are of counts only.
  // ---- of kPubSubPlan ----
  int channels = 4;
  int old_nodes = 0;  // The first ones, until they start again.
  uint32_t echo_ppm = 0;
  bool tight = false;  // Mail is dropped where a little of it waits.
  core::MailOptions mail;
  // ---- of kKeyspacePlan ----
  core::KeyspaceOptions keyspace;
};

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_PLAN_H_
