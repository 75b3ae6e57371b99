// The roll as one watch shows it: turns the messages of a Watch stream into
// changes, also across a move to another node.
//
//   roll.Apply(state of room: u1, u2)        -> present u1, present u2
//   roll.Apply(diff of room: join u3)        -> join u3
//   (the node dies; another answers with a fresh state marked `reset`)
//   roll.Apply(reset, state of room: u2, u4) -> nothing yet
//   roll.Apply(state_complete)               -> leave u1, leave u3, join u4
//
// It is a roll of entries: one that is untracked and tracked again is a join
// and a leave. For the roll of keys see key_roll.h.
//
// Invariants
//   1. The changes reported, applied in order, always give the roll.
//   2. A fresh state is compared with what was known and only the difference
//      is reported, once it is complete. Entries are the same if they have
//      the same ref. Of what is left, an old and a new entry of one key are
//      reported as one update, not as a leave and a join.
//   3. Changes are in the order of the stream; a difference is in the order
//      of (topic, ref).
//   4. Once a state is complete, a diff of several messages is applied with the
//      last of them, or if that does not come, not at all: version() is always
//      that of the roll. We used to apply each as it came; those of a diff that
//      broke off came again, and were reported twice.
//
// Cost: O(log n) a change; memory for every entry of the scope, and for a diff
// until it is complete.
// Threads: none; one caller at a time.
#ifndef MUSTER_CLIENT_ROLL_H_
#define MUSTER_CLIENT_ROLL_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "muster/v1/presence.pb.h"

namespace muster::client {

struct Change {
  enum class Kind {
    kPresent,  // It was there when the watch began.
    kJoin,
    kUpdate,  // `entry.ref_prev` is what it replaces.
    kLeave,
    kCount,   // `count` is what the topic has now.
    kSynced,  // The state is complete: changes follow.
  };
  Kind kind = Kind::kPresent;
  v1::Entry entry;  // With its topic. Not for kCount, kSynced.
  v1::TopicCount count;
};

class Roll {
 public:
  std::vector<Change> Apply(const v1::WatchResponse& message);

  // The connection broke. A state or diff that was not complete is forgotten.
  void Disconnected();

  // With it a watch can go on; empty if a fresh state is needed.
  const std::string& version() const { return version_; }

  // Entries by topic and ref.
  using Entries = std::map<std::string, std::map<std::string, v1::Entry>>;
  const Entries& entries() const { return entries_; }

 private:
  using Counts = std::map<std::string, v1::TopicCount>;

  void ApplyStates(const v1::WatchResponse& message,
                   std::vector<Change>* changes);
  void ApplyDiffs(const v1::WatchResponse& message,
                  std::vector<Change>* changes);
  void ApplyCounts(const v1::WatchResponse& message,
                   std::vector<Change>* changes);
  void Compare(std::vector<Change>* changes);

  std::vector<Change> ApplyNow(const v1::WatchResponse& message);

  std::string version_;
  bool in_state_ = true;  // It is arriving: what comes is not held back.
  // Of a diff that is not complete.
  std::vector<v1::WatchResponse> parts_;
  Entries entries_;
  Counts counts_;
  // While a fresh state arrives that is to be compared with what is known.
  bool comparing_ = false;
  bool known_ = false;  // kSynced has been reported.
  Entries fresh_;
  Counts fresh_counts_;
};

}  // namespace muster::client

#endif  // MUSTER_CLIENT_ROLL_H_
