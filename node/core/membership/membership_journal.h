// What membership tells of itself: events to the replica, counters to Status,
// and lines to the log.
//
// Internal to membership.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_MEMBERSHIP_JOURNAL_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_MEMBERSHIP_JOURNAL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "node/core/membership/membership_event.h"
#include "node/core/membership/step_context.h"
#include "node/core/output.h"

namespace muster::core {

// In the order of Counters(); names in membership_journal.cc.
enum class Counter {
  kDatagramsSent,
  kDatagramsReceived,
  kDatagramsUnknown,
  kSuspicions,
  kSuspicionsAverted,
  kDowns,
  kDownsByRefusal,
  kReturns,
  kAsksSent,
  kAsksAnswered,
  kPingsSent,
  kConnectProbes,
  kHelloProbes,
  kStalls,
  kLinksReplaced,
  kLinksStalled,
  kLinksToSelf,
  kMembersRefused,
  kMembersEnded,
  kMembersForgotten,
  kContradictions,
  kCount,
};

class MembershipJournal {
 public:
  void Emit(MembershipEvent event, StepContext& step);
  std::vector<MembershipEvent> TakeEvents();

  void Add(Counter counter) { ++counts_[static_cast<size_t>(counter)]; }
  // Name and value.
  std::vector<std::pair<std::string, uint64_t>> Counters() const;

  static void Log(LogLine::Level level, std::string text, StepContext& step);

 private:
  std::vector<MembershipEvent> events_;
  std::array<uint64_t, static_cast<size_t>(Counter::kCount)> counts_ = {};
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_MEMBERSHIP_JOURNAL_H_
