#include "tests/sim/scenario.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace muster::sim {

Cluster::Cluster(int nodes, Edit edit, uint64_t seed, SimTime latency)
    // MUSTER_SIM_TRACE=1 prints what happens.
    : trace(std::getenv("MUSTER_SIM_TRACE") != nullptr ? stdout : nullptr),
      world(seed, trace),
      clients(world, model),
      checks(world, model, clients),
      nodes_(nodes),
      edit_(std::move(edit)) {
  for (int i = 0; i <= nodes; ++i) {
    world.AddHost().clock.start = (i + 1) * 1000 * kSecond;
  }
  for (int a = 0; a <= nodes; ++a) {
    for (int b = 0; b <= nodes; ++b)
      world.network().path(a, b).latency = latency;
  }
  for (int i = 0; i < nodes; ++i) Start(i);
  Settle();
}

Cluster::~Cluster() { EXPECT_EQ(world.failure(), ""); }

core::Options Cluster::OptionsOf(int index) const {
  core::Options options;
  options.node = std::string(1, static_cast<char>('a' + index));
  for (int i = 0; i < nodes_; ++i) {
    options.join.push_back(AddressOf(i));
  }
  if (edit_ != nullptr) edit_(options);
  return options;
}

Process& Cluster::Start(int index, int on_host) {
  return checks.Start(host(on_host < 0 ? index : on_host), OptionsOf(index));
}

Session& Cluster::Open(int index, SimTime grace, int entries,
                       const std::string& prefix) {
  Session& session = clients.Open(node(index), true, 0, grace);
  world.RunFor(kMillisecond);
  TrackMany(session, entries, prefix);
  return session;
}

void Cluster::TrackMany(Session& session, int entries,
                        const std::string& prefix) {
  constexpr int kBatch = 500;
  for (int i = 0; i < entries;) {
    Batch batch;
    // The keys differ by their prefix.
    batch.allow_duplicate = true;
    for (int n = 0; n < kBatch && i < entries; ++n, ++i) {
      batch.track.push_back({"t", absl::StrCat(prefix, i), "{}"});
    }
    clients.Apply(session, std::move(batch));
    world.RunFor(kMillisecond);
  }
}

bool Cluster::Shows(int index, const std::string& key) {
  return !node(index).replica().Get("t", key).entries.empty();
}

uint64_t Cluster::Count(int index) {
  return node(index).replica().Count().entries;
}

size_t Cluster::Living(int index) {
  size_t living = 0;
  Process& process = node(index);
  for (const core::MemberView& member :
       process.replica().Members(process.Now())) {
    living += member.state == core::MemberState::kAlive ||
              member.state == core::MemberState::kSuspect;
  }
  return living;
}

SimTime Cluster::TimeUntil(const std::function<bool()>& done, SimTime limit) {
  const SimTime begun = world.now();
  if (!world.RunUntilTrue(done, limit, kMillisecond)) return -1;
  return world.now() - begun;
}

uint64_t CounterOf(Process& process, const std::string& counter) {
  for (const auto& [name, value] :
       process.replica().Status(process.Now()).counters) {
    if (name == counter) return value;
  }
  return UINT64_MAX;
}

}  // namespace muster::sim
