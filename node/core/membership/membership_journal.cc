#include "node/core/membership/membership_journal.h"

namespace muster::core {
namespace {

constexpr std::array<const char*, static_cast<size_t>(Counter::kCount)>
    kCounterNames = {
        "datagrams_sent",
        "datagrams_received",
        "datagrams_unknown",
        "suspicions",
        "suspicions_averted",
        "downs",
        "downs_by_refusal",
        "returns",
        "asks_sent",
        "asks_answered",
        "pings_sent",
        "connect_probes",
        "hello_probes",
        "stalls",
        "links_replaced",
        "links_stalled",
        "links_to_self",
        "members_refused",
        "members_ended",
        "members_forgotten",
        "member_contradictions",
};

}  // namespace

void MembershipJournal::Emit(MembershipEvent event, StepContext& step) {
  events_.push_back(std::move(event));
  step.out.members_changed = true;
}

std::vector<MembershipEvent> MembershipJournal::TakeEvents() {
  return std::exchange(events_, {});
}

std::vector<std::pair<std::string, uint64_t>> MembershipJournal::Counters()
    const {
  std::vector<std::pair<std::string, uint64_t>> counters;
  for (size_t i = 0; i < counts_.size(); ++i) {
    counters.emplace_back(kCounterNames[i], counts_[i]);
  }
  return counters;
}

void MembershipJournal::Log(LogLine::Level level, std::string text,
                            StepContext& step) {
  step.out.log.push_back({level, std::move(text)});
}

}  // namespace muster::core
