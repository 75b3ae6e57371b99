#include "tests/sim/plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace muster::sim {
namespace {

constexpr std::array<const char*, kOps> kNames = {
    "open",          "track",
    "update",        "untrack",
    "close",         "disconnect",
    "resume_here",   "resume_elsewhere",
    "raise_epoch",   "second_client",
    "watch",         "end_watch",
    "watch_on",      "lag",
    "cut",           "cut_one_way",
    "cut_reset",     "partition",
    "mend",          "mend_all",
    "break",         "freeze",
    "thaw",          "kill",
    "power_off",     "restart",
    "twin",          "drain",
    "slow_path",     "wall_jump",
    "slow_node",     "burst",
    "suspend",       "islands",
    "split_one_way", "narrow",
    "in_rebase",     "write_in_rebase",
    "evict",         "subscriber",
    "change_names",  "close_subscriber",
    "publish",       "publish_many",
    "rest",          "forget_member",
    "call",          "call_many",
    "blocking_pop",  "withdraw",
    "connection",    "write_and_publish",
    "whole",         "lone_kill",
    "in_exchange"};

constexpr size_t kFirstOfSecondPlan = static_cast<size_t>(Op::kBurst);
constexpr size_t kDirected = static_cast<size_t>(Op::kWriteInRebase);

// Work that makes what other work needs.
constexpr std::array<uint32_t, kFirstFault> kWork = {6, 20, 8, 8, 2, 3, 2,
                                                     4, 1,  1, 1, 1, 1, 1};

// A third of them, each with a weight of its own.
void DrawFaults(Plan& plan, Rng& rng, size_t begin, size_t end, bool calm) {
  for (size_t i = begin; i < end; ++i) {
    const uint32_t weight = static_cast<uint32_t>(rng.Range(1, 6));
    const bool out = rng.Below(3) != 0;
    if (!calm && !out) plan.weights[i] = weight;
  }
}

void DrawWeights(Plan& plan, Rng& rng) {
  for (size_t i = 0; i < kFirstFault; ++i) {
    plan.weights[i] = kWork[i] * static_cast<uint32_t>(rng.Range(1, 4));
    if (i > 1 && rng.OneIn(4)) plan.weights[i] = 0;
  }
  // A fifth of the seeds has no fault, most have a few kinds of them.
  const bool calm = rng.OneIn(5);
  DrawFaults(plan, rng, kFirstFault, kFirstOfSecondPlan, calm);
  auto weight = [&plan](Op op) -> uint32_t& {
    return plan.weights[static_cast<size_t>(op)];
  };
  // What ends a state comes with what begins it, or the run says little.
  if (!calm &&
      weight(Op::kKill) + weight(Op::kPowerOff) + weight(Op::kDrain) > 0) {
    weight(Op::kRestart) += 6;
  }
  if (!calm && weight(Op::kFreeze) > 0) weight(Op::kThaw) += 6;
}

void DrawNetwork(Plan& plan, Rng& rng) {
  plan.latency = rng.Pick<SimTime>({100, 200, 200, 1000, 20'000, 80'000});
  plan.jitter = plan.latency / 2;
  if (rng.OneIn(4)) {
    plan.datagram_loss_ppm = static_cast<uint32_t>(rng.Range(0, 100'000));
  }
  if (rng.OneIn(8)) plan.tail_ppm = 20'000;
  if (rng.OneIn(4)) plan.segment_loss_ppm = 10'000;
  if (rng.OneIn(10)) plan.hostile_ppm = 20'000;
  if (rng.OneIn(6)) plan.bytes_per_second = rng.Range(20'000, 2'000'000);
  if (rng.OneIn(6)) plan.bulk_queue_bytes = 4000;
}

void DrawLimits(Plan& plan, Rng& rng) {
  plan.log_bytes = rng.Pick<size_t>({24 << 20, 24 << 20, 4096, 1024, 256});
  plan.window_bytes = rng.Pick<size_t>({256 << 10, 256 << 10, 2048});
  plan.history = rng.Pick<size_t>({16'384, 100, 8});
  plan.max_queued = rng.Pick<size_t>({64, 4});
  plan.join_all = !rng.OneIn(3);
  if (rng.OneIn(3)) plan.drift_ppm = 100;
}

// Seldom a big cluster or a crowd, and then little else: a run is to cost
// about a second at most.
void DrawSize(Plan& plan, Rng& rng) {
  if (rng.OneIn(1000)) {
    plan.nodes = 50;
    plan.phases = 1;
    plan.ops = std::min(plan.ops, 40);
    plan.gap = std::min<SimTime>(plan.gap, 100'000);
    plan.long_silence = false;
  } else if (rng.OneIn(60)) {
    plan.crowd =
        rng.OneIn(12) ? 100'000 : static_cast<int>(rng.Range(2'000, 10'000));
    plan.nodes = std::min(plan.nodes, plan.crowd == 100'000 ? 2 : 4);
    plan.phases = 1;
    plan.ops = std::min(plan.ops, 60);
    plan.bytes_per_second = 0;
    // In little windows and frames it would take minutes.
    plan.window_bytes = 256 << 10;
    plan.frame_bytes = std::max<size_t>(plan.frame_bytes, 1024);
    plan.hostile_ppm = 0;
    plan.long_silence = false;
  }
}

// What is in a rebase changes while it is under way: peers fall behind a small
// log often, and small frames and windows make each rebase long.
void DrawWritesInRebase(Plan& plan, Rng& rng) {
  if (!rng.OneIn(12) || plan.nodes < 2 || plan.crowd > 0) return;
  plan.log_bytes = rng.Pick<size_t>({256, 1024});
  plan.window_bytes = 64;
  plan.frame_bytes = 64;
  plan.latency = std::min<SimTime>(plan.latency, 1000);
  plan.jitter = plan.latency / 2;
  plan.bytes_per_second = 0;
  for (Op op : {Op::kWriteInRebase, Op::kBurst, Op::kBreak}) {
    plan.weights[static_cast<size_t>(op)] = 8;
  }
}

void DrawSecondPlan(Plan& plan, Rng& rng) {
  const auto faults = plan.weights.begin() + kFirstFault;
  const bool calm = std::all_of(faults, plan.weights.end(),
                                [](uint32_t weight) { return weight == 0; });
  DrawFaults(plan, rng, kFirstOfSecondPlan, kDirected, calm);
  // Small frames make the middle of a rebase long.
  if (rng.OneIn(2)) plan.frame_bytes = rng.Pick<size_t>({4096, 512, 128, 64});
  const bool near = plan.latency <= 1000 && plan.bytes_per_second == 0;
  if (near && plan.crowd == 0 && rng.OneIn(4)) {
    plan.window_bytes = rng.Pick<size_t>({512, 64});
  }
  if (rng.OneIn(12)) plan.drift_ppm = 1000;
  if (rng.OneIn(4)) plan.wall_jump = 365 * 24 * 3600 * kSecond;
  plan.counts = rng.OneIn(3);
  DrawSize(plan, rng);
  DrawWritesInRebase(plan, rng);
}

// What people do to a cluster, on a network without malice.
void DrawProperty(Plan& plan, Rng& rng) {
  plan.nodes = 7;
  plan.phases = 10;
  plan.ops = 100;
  plan.gap = rng.Pick<SimTime>({20'000, 100'000, 400'000});
  plan.batch = 3;
  plan.tail_ppm = 0;
  plan.hostile_ppm = 0;
  plan.bytes_per_second = 0;
  plan.long_silence = false;
  plan.join_all = true;
  plan.latency = std::min<SimTime>(plan.latency, 20'000);
  plan.jitter = plan.latency / 2;
  plan.weights.assign(kOps, 0);
  for (Op op :
       {Op::kOpen, Op::kTrack, Op::kUpdate, Op::kUntrack, Op::kDisconnect,
        Op::kResumeElsewhere, Op::kFreeze, Op::kThaw, Op::kKill, Op::kDrain,
        Op::kPartition, Op::kCut, Op::kMendAll}) {
    plan.weights[static_cast<size_t>(op)] =
        static_cast<uint32_t>(rng.Range(1, 4));
  }
  plan.weights[static_cast<size_t>(Op::kTrack)] += 6;
  plan.weights[static_cast<size_t>(Op::kRestart)] =
      static_cast<uint32_t>(rng.Range(4, 10));
}

// Subscribers, publishers, and little room for what is on its way.
void DrawPubSub(Plan& plan, Rng& rng) {
  const auto set = [&](Op op, int64_t low, int64_t high) {
    plan.weights[static_cast<size_t>(op)] =
        static_cast<uint32_t>(rng.Range(low, high));
  };
  set(Op::kSubscriber, 3, 10);
  set(Op::kChangeNames, 3, 15);
  set(Op::kCloseSubscriber, 0, 3);
  set(Op::kPublish, 10, 40);
  set(Op::kPublishMany, 0, 6);
  if (rng.OneIn(2)) set(Op::kRest, 1, 4);
  const bool forgets = rng.OneIn(5);
  if (forgets) set(Op::kForgetMember, 4, 12);
  plan.channels = static_cast<int>(rng.Range(1, 6));
  if (rng.OneIn(8)) plan.old_nodes = static_cast<int>(rng.Range(1, plan.nodes));
  if (rng.OneIn(3)) plan.echo_ppm = 50'000;
  // What comes late is of mail that is over.
  if (forgets) plan.echo_ppm = 300'000;
  plan.tight = rng.OneIn(6);
  if (plan.tight) {
    plan.mail.window_bytes = rng.Pick<size_t>({1, 64, 300});
    plan.mail.max_bytes = rng.Pick<size_t>({50, 200, 1000});
  }
  if (rng.OneIn(3)) plan.mail.frame_bytes = rng.Pick<size_t>({1, 40, 200});
  // These have seeds of their own in the second plan.
  plan.crowd = 0;
  plan.nodes = std::min(plan.nodes, 12);
}

// Clients of the keyspace, beside few of everything else; small logs, frames
// and windows make exchanges, and long ones.
void DrawKeyspace(Plan& plan, Rng& rng) {
  const auto set = [&](Op op, int64_t low, int64_t high) {
    plan.weights[static_cast<size_t>(op)] =
        static_cast<uint32_t>(rng.Range(low, high));
  };
  for (size_t i = 0; i < kFirstFault; ++i) plan.weights[i] /= 4;
  for (Op op : {Op::kChangeNames, Op::kPublish, Op::kPublishMany}) {
    plan.weights[static_cast<size_t>(op)] /= 4;
  }
  set(Op::kCall, 20, 80);
  set(Op::kCallMany, 2, 12);
  set(Op::kBlockingPop, 0, 12);
  set(Op::kWithdraw, 0, 3);
  set(Op::kConnection, 0, 8);
  set(Op::kWriteAndPublish, 2, 12);
  const auto faults = plan.weights.begin() + kFirstFault;
  const bool calm = std::all_of(faults, faults + (kDirected - kFirstFault),
                                [](uint32_t weight) { return weight == 0; });
  if (calm && rng.OneIn(2)) {
    set(Op::kLoneKill, 4, 10);
    set(Op::kRestart, 6, 10);
  } else if (!calm && rng.OneIn(3)) {
    set(Op::kWhole, 1, 3);
  }
  if (!calm && rng.OneIn(2)) set(Op::kInExchange, 2, 8);
  core::KeyspaceOptions& keyspace = plan.keyspace;
  keyspace.log_bytes = rng.Pick<size_t>({1 << 20, 1 << 20, 2000, 400});
  keyspace.window_bytes = rng.Pick<size_t>({1 << 20, 1 << 20, 400, 64});
  keyspace.frame_bytes = rng.Pick<size_t>({64 << 10, 64 << 10, 200, 64});
  keyspace.leader_reads = rng.OneIn(10);
  if (rng.OneIn(8)) keyspace.ack = core::KvAckPolicy::kMajority;
  if (rng.OneIn(12)) keyspace.ack = core::KvAckPolicy::kLocal;
  plan.batch = std::min(plan.batch, 10);
  plan.nodes = std::min(plan.nodes, 7);
  plan.phases = std::min(plan.phases, 2);
}

}  // namespace

const char* Name(Op op) { return kNames[static_cast<size_t>(op)]; }

Plan::Plan(uint64_t seed, int version) : seed(seed), version(version) {
  Rng rng(seed);
  nodes = rng.Pick<int>({1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 4, 4, 5, 5, 6, 7});
  if (rng.OneIn(50)) nodes = static_cast<int>(rng.Range(8, 20));
  phases = static_cast<int>(rng.Range(1, 3));
  ops = static_cast<int>(rng.Range(10, 150));
  gap = rng.Pick<SimTime>({2'000, 20'000, 100'000, 100'000, 400'000});
  topics = static_cast<int>(rng.Range(1, 6));
  keys = static_cast<int>(rng.Range(1, 40));
  batch = rng.Pick<int>({1, 3, 3, 10});
  if (rng.OneIn(30)) batch = 300;
  DrawWeights(*this, rng);
  DrawNetwork(*this, rng);
  DrawLimits(*this, rng);
  long_silence = nodes <= 4 && rng.OneIn(25);
  if (version == kPropertyPlan) {
    DrawProperty(*this, rng);
  } else if (version > kFirstPlan) {
    DrawSecondPlan(*this, rng);
  }
  if (version == kEvictionPlan) {
    weights[static_cast<size_t>(Op::kEvict)] =
        static_cast<uint32_t>(rng.Range(2, 12));
  }
  if (version >= kPubSubPlan) DrawPubSub(*this, rng);
  if (version == kKeyspacePlan) DrawKeyspace(*this, rng);
}

std::string Plan::Text() const {
  std::string text = absl::StrCat(
      "seed=", seed, " plan=", version, " nodes=", nodes, " phases=", phases,
      " ops=", ops, " gap=", gap, "us latency=", latency,
      "us loss=", datagram_loss_ppm, "/", segment_loss_ppm,
      "ppm hostile=", hostile_ppm, "ppm rate=", bytes_per_second,
      "B/s log=", log_bytes, "B window=", window_bytes, "B frame=", frame_bytes,
      "B history=", history, " queued=", max_queued, " batch=", batch,
      long_silence ? " long" : "",
      crowd > 0 ? absl::StrCat(" crowd=", crowd) : "",
      old_nodes > 0 ? absl::StrCat(" old=", old_nodes) : "",
      echo_ppm > 0 ? " echo" : "", tight ? " tight" : "",
      version == kKeyspacePlan
          ? absl::StrCat(" kv log=", keyspace.log_bytes,
                         "B window=", keyspace.window_bytes,
                         "B frame=", keyspace.frame_bytes,
                         "B ack=", static_cast<int>(keyspace.ack))
          : "",
      " faults:");
  for (size_t i = kFirstFault; i < kOps; ++i) {
    if (weights[i] == 0) continue;
    absl::StrAppend(&text, " ", kNames[i], "*", weights[i]);
  }
  return text;
}

core::Options Plan::NodeOptions(int node, int hosts) const {
  core::Options options;
  options.node = absl::StrCat("n", node);
  options.replication.log_bytes = log_bytes;
  options.replication.window_bytes = window_bytes;
  options.replication.frame_bytes = frame_bytes;
  options.watch.history = history;
  options.watch.max_queued = max_queued;
  options.pubsub.mail = mail;
  if (version >= kPubSubPlan) options.pubsub.log_bytes = log_bytes;
  options.keyspace = keyspace;
  const int named = join_all ? hosts : std::min(hosts, 2);
  for (int i = 0; i < named; ++i) {
    options.join.push_back(AddressOf(i));
  }
  return options;
}

}  // namespace muster::sim
