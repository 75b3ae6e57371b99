// The roll of one watch: turns the messages of a Watch stream into changes,
// also across a move to another node.
//
//   roll.Apply(state of room: u1, u2)        -> present u1, present u2
//   roll.Apply(diff of room: join u3)        -> join u3
//   (the node dies; another answers with a fresh state marked `reset`)
//   roll.Apply(reset, state of room: u2, u4) -> nothing yet
//   roll.Apply(state_complete)               -> leave u1, leave u3, join u4
//
// The roll is one of entries: an entry that is untracked and tracked again is a
// join and a leave. key_roll.h has the roll of keys.
//
// Invariants
//   1. The changes reported, applied in order, always give the roll.
//   2. A complete fresh state is compared with the roll, and only the
//      difference is reported. Entries are the same if they have the same ref.
//      Of the others, an old and a new entry of one key are reported as one
//      update, not as a leave and a join.
//   3. Changes are in the order of the stream; a difference is in the order
//      of (topic, ref).
//   4. Once a state is complete, a diff of several messages is applied with the
//      last of them, or, if that does not come, not at all: version() is always
//      that of the roll. We used to apply each message as it came; the messages
//      of a diff that broke off came again, and were reported twice.
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

  // The version with which a watch resumes; empty if it needs a fresh state.
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
  // The messages of a diff that is not complete.
  std::vector<v1::WatchResponse> parts_;
  Entries entries_;
  Counts counts_;
  // A fresh state is arriving, to be compared with the roll.
  bool comparing_ = false;
  bool known_ = false;  // kSynced has been reported.
  Entries fresh_;
  Counts fresh_counts_;
};

}  // namespace muster::client

#endif  // MUSTER_CLIENT_ROLL_H_
