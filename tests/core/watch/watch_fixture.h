// A store with a watch hub, and clients that believe only what they are sent.
#ifndef MUSTER_TESTS_CORE_WATCH_WATCH_FIXTURE_H_
#define MUSTER_TESTS_CORE_WATCH_WATCH_FIXTURE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "crdt/presence_store.h"
#include "node/core/client.h"
#include "node/core/options.h"
#include "node/core/output.h"
#include "node/core/time.h"
#include "node/core/watch/watch_hub.h"

namespace muster::core {

inline constexpr crdt::LifeId kSelf{7, 9};

// An entry as a client knows it.
struct Seen {
  std::string topic;
  std::string key;
  std::string meta;
  auto operator<=>(const Seen&) const = default;
};
using Roster = std::map<crdt::Ref, Seen>;
using Counts = std::map<std::string, std::pair<uint64_t, uint64_t>>;
// Entries of a key in a topic, if there are any.
using KeyRoster = std::map<std::pair<std::string, std::string>, uint64_t>;

WatchRequest Topics(std::vector<std::string> topics);
WatchRequest Prefix(std::string prefix);
WatchRequest Keys(std::vector<std::string> keys);
WatchRequest CountsOf(WatchRequest request,
                      absl::Duration interval = absl::Seconds(1));
WatchRequest Detailed(WatchRequest request, WatchDetail detail);
KeyRoster KeysOf(const Roster& roster);

// Applies batches as the protocol says, and fails the test if one does not
// fit: a join of what is there, an update or leave of what is not, a version
// that falls, a state where none was begun; a key that is told of with a number
// that it had, comes in while it is there or goes while it is not.
class TestClient {
 public:
  explicit TestClient(WatchRequest request) : request(std::move(request)) {}

  void Receive(std::shared_ptr<const WatchBatch> batch) {
    queue.push_back(std::move(batch));
  }
  // Applies the oldest batch that it has not read.
  void ReadOne();

  WatchRequest request;
  WatchId id = 0;
  bool open = false;
  std::deque<std::shared_ptr<const WatchBatch>> queue;

  Roster roster;
  // By what was said of keys; where entries are told of, too, from the state
  // that these made on.
  KeyRoster keys;
  Counts counts;
  uint64_t version = 0;
  bool at_version = false;  // The roster is that of `version`.
  bool complete = false;    // It is live.
  std::vector<std::shared_ptr<const WatchBatch>> read;  // All of them.
  size_t resets = 0;
  size_t states = 0;  // Messages with a part of a state.

 private:
  void ApplyState(const WatchBatch& batch);
  void ApplyDiffs(const WatchBatch& batch);
  void ApplyKeys(absl::string_view topic, const std::vector<KeyChange>& changes,
                 bool in_state);
  void CheckKeys(const WatchBatch& batch);

  bool in_state_ = false;  // A state was begun and is not complete.
};

class WatchWorld {
 public:
  explicit WatchWorld(WatchOptions options = {}, uint64_t seed = 1,
                      WatchStep step = {});

  // ---- what is shown ----
  // `copy` is which of two copies of the session has the entry.
  crdt::RowIdx Add(const std::string& topic, const std::string& key,
                   const std::string& meta = "m", bool show = true,
                   int copy = 0, crdt::Ref ref = {});
  void Update(crdt::RowIdx row, const std::string& meta);
  void Remove(crdt::RowIdx row) { store.RemoveEntry(row); }

  // ---- clients ----
  // The watch must be accepted.
  TestClient& Open(WatchRequest request);
  // Opens the watch again from its last version. What it has not read is lost.
  void Reopen(TestClient& client);
  void Close(TestClient& client);
  // Hands out what the hub has sent.
  void Deliver();
  // The client reads what it has been given, and the hub is told.
  void Read(TestClient& client, size_t batches = SIZE_MAX);
  void ReadAll();

  void Flush();
  bool RunSlice();
  void Tick(absl::Duration later = absl::Milliseconds(10));
  // Until nothing is left to do; everybody reads.
  void Settle();

  // What is shown of a request's scope now, by the store.
  Roster Shown(const WatchRequest& request) const;
  Counts Counted(const WatchRequest& request) const;

  crdt::PresenceStore store;
  Now now{Instant{1'000'000}, 1'700'000'000'000'000};
  Output out;
  WatchHub hub;
  std::vector<std::unique_ptr<TestClient>> clients;

 private:
  struct Copy {
    crdt::StreamIdx stream;
    crdt::SessionIdx session;
    uint64_t seq;
  };
  Copy copies_[2];
  std::map<WatchId, TestClient*> by_id_;
};

}  // namespace muster::core

#endif  // MUSTER_TESTS_CORE_WATCH_WATCH_FIXTURE_H_
