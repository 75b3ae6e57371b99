// The entries of a held session, and whether its node has acknowledged each:
// the state of HeldSession without its streams.
//
//   Track(room, ann)        --> a batch: track room ann
//   the answer: ref 1       --> ann is held
//   Update(room, ann, {})   --> a batch: update ref 1; the answer: ref 2
//   the stream ends, the session resumes with ref 2: "missing"
//                           --> a batch: track room ann {}
//
// Invariants
//   1. One batch is on its way at a time. An operation whose answer was lost
//      counts as not made. The resume makes a lost untrack, as it does not name
//      the entry; a track or an update is sent again.
//   2. An entry is untracked before another of its topic and key is tracked.
//   3. An entry that is refused is not sent again until it is changed.
//
// Cost: O(log n) an operation, O(n) a stream; memory for every entry.
// Threads: none; one caller at a time.
#ifndef MUSTER_CLIENT_HELD_ENTRIES_H_
#define MUSTER_CLIENT_HELD_ENTRIES_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "muster/v1/presence.pb.h"

namespace muster::client {

struct HeldEntry {
  std::string topic;
  std::string key;
  std::string meta;
  uint64_t id = 0;  // The caller's own: handed back with a refusal.
};

class HeldEntries {
 public:
  struct BatchSize {
    size_t operations = 0;
    size_t bytes = 0;  // Of names and metas.
  };
  struct Refusal {
    HeldEntry entry;  // With the meta that was refused.
    absl::Status status;
  };

  // Two entries of one topic and key are both sent: the node refuses the
  // second.
  explicit HeldEntries(std::vector<HeldEntry> entries);
  HeldEntries(const HeldEntries&) = delete;
  HeldEntries& operator=(const HeldEntries&) = delete;

  // Change the set of wanted entries. ALREADY_EXISTS, NOT_FOUND: the set has,
  // or has no, entry of the topic and key; INVALID_ARGUMENT: a name is not
  // UTF-8.
  absl::Status Track(HeldEntry entry);
  absl::Status Update(absl::string_view topic, absl::string_view key,
                      std::string meta);
  absl::Status Untrack(absl::string_view topic, absl::string_view key);

  // Fills the next message, at most `limit` unless it has a single operation.
  // False if there is nothing to send. REQUIRES: no batch is on its way.
  bool NextBatch(const BatchSize& limit, v1::SessionRequest* request);
  // The answer to the batch on its way.
  std::vector<Refusal> Acknowledge(const v1::SessionResponse& response);
  // The batch on its way is one operation, and no message can hold it.
  Refusal RefuseBatch(const absl::Status& status);
  // The node has removed the entry: it is no longer wanted, and only another
  // Track brings it back. Absent if no entry has this ref. Cost: O(entries).
  std::optional<HeldEntry> GiveUp(absl::string_view ref);

  // Names the wanted entries, for the start of a stream.
  void FillResume(v1::ResumeRequest* resume);
  // A stream has begun. Of the refs that the resume named, the node does not
  // have the missing ones.
  void StreamBegun(const v1::ResumeResponse& resumed);
  void StreamEnded();
  // The session is over: nothing is held.
  void SessionEnded();

  // There may be something to send, and no batch is on its way.
  bool MaySend() const { return !in_flight() && !work_.empty(); }
  bool in_flight() const { return batch_size_.operations > 0; }
  // The size of the batch on its way.
  const BatchSize& batch_size() const { return batch_size_; }
  // All entries that are wanted, and not refused, are acknowledged.
  bool Settled();
  // Entries that are wanted and acknowledged.
  size_t held() const { return held_; }

 private:
  struct Slot {
    HeldEntry entry;  // Its meta is what the node has, or will be given first.
    std::string ref;  // Empty: not acknowledged.
    std::optional<std::string> new_meta;   // To be sent.
    std::optional<std::string> sent_meta;  // On its way.
    bool refused = false;
    bool gone = false;  // To be untracked; in no index.
    bool queued = false;
    bool in_flight = false;
    std::list<Slot>::iterator self;
  };
  using Slots = std::list<Slot>;
  using Name = std::pair<std::string, std::string>;

  Slot* Add(HeldEntry entry);
  Slot* Find(absl::string_view topic, absl::string_view key);
  void Erase(Slot* slot) { slots_.erase(slot->self); }
  void Queue(Slot* slot);
  // Takes slots that need no message off the front.
  void DropIdle();
  void Append(Slot* slot, v1::SessionRequest* request);
  // The node does not have the entry, or has refused it.
  void Refuse(Slot* slot);
  void TakeUntracks();
  void TakeUpdates(const v1::SessionResponse& response,
                   std::vector<Refusal>* refusals);
  void TakeTracks(const v1::SessionResponse& response,
                  std::vector<Refusal>* refusals);
  void Landed(Slot* slot);

  Slots slots_;
  std::map<Name, Slot*> index_;
  std::deque<Slot*> work_;
  size_t held_ = 0;

  BatchSize batch_size_;  // Of the batch on its way; none: no operations.
  std::vector<Slot*> untracks_;
  std::vector<Slot*> updates_;
  std::vector<Slot*> tracks_;
};

}  // namespace muster::client

#endif  // MUSTER_CLIENT_HELD_ENTRIES_H_
