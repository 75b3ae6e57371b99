// The clients of a simulation: sessions and watchers, as an application would
// hold them. What they are acknowledged goes into the Model at once; an answer
// that the Model does not allow ends the run.
//
// A client is near its node: its calls arrive at once (when the process can
// take a step) and its stream breaks only with the process. What a client
// believes to hold (`held`) may differ from what is in force: that is what
// Resume reconciles.
#ifndef MUSTER_TESTS_SIM_CLIENTS_H_
#define MUSTER_TESTS_SIM_CLIENTS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/mirror.h"
#include "tests/sim/model.h"
#include "tests/sim/world.h"

namespace muster::sim {

struct Session {
  int number = -1;  // In the model; −1 until opened.
  crdt::SessionId id;
  bool stream = true;
  SimTime ttl = 0;
  SimTime grace = 0;
  uint64_t epoch = 0;
  uint64_t attempts = 0;     // Highest resume number, and attempts since.
  Process* at = nullptr;     // Null: its stream is broken, or not yet open.
  SimTime beaten = 0;        // Its last heartbeat.
  bool busy = false;         // A resume is under way,
  Process* going = nullptr;  // to there.
  bool over = false;         // Closed, or told that it has ended.
  Model::Entries held;
  uint64_t resumes = 0;  // That were answered OK;
  uint64_t missing = 0;  // refs that these answers named.
  absl::Status last_error;
};

// One batch of operations; refs that are not held when it is processed are
// left out.
struct Batch {
  std::vector<RefKey> untrack;
  std::vector<std::pair<RefKey, std::string>> update;  // ref, meta.
  std::vector<Content> track;
  bool allow_duplicate = false;
};

struct Watcher {
  Process* at = nullptr;
  core::WatchId id = 0;
  core::WatchRequest request;
  Mirror mirror;
  bool audit = false;    // Sees everything, writes soon.
  bool lagging = false;  // Writes nothing.
  size_t unwritten = 0;
  // What its node has not heard is written, and whether that has been so much
  // since there was none of it that the node may wait for all to be.
  size_t in_flight = 0;
  bool may_lag = false;
  bool begun = false;    // Something has come since it began at this node.
  uint64_t resets = 0;   // Batches that began a fresh state;
  uint64_t batches = 0;  // all batches.
  std::unique_ptr<Mirror::Listener> listener;
};

class Clients {
 public:
  Clients(World& world, Model& model);

  // ---- sessions ----
  Session& Open(Process& at, bool stream, SimTime ttl, SimTime grace,
                uint64_t epoch = 0);
  void Apply(Session& session, Batch batch);
  // Shorthand: one entry.
  void Track(Session& session, const std::string& topic, const std::string& key,
             const std::string& meta = "{}");
  // Takes the session to `to` with all it holds; what is missing there is
  // tracked again.
  void Resume(Session& session, Process& to, uint64_t epoch);
  void Disconnect(Session& session);
  void Close(Session& session);
  std::vector<std::unique_ptr<Session>>& sessions() { return sessions_; }

  // ---- administrators ----
  // What an evict or a forget has come to; nothing while it is under way, or
  // if its node has ended.
  struct Order {
    int process = 0;
    bool evict = false;
    SimTime begun = 0;
    std::optional<absl::StatusOr<core::OrderReply>> reply;
  };
  Order& Evict(Process& at, const std::string& topic, const std::string& key);
  Order& Forget(Process& at, const std::string& name);
  // In the model; −1 if there is none.
  int NumberOf(const crdt::SessionId& id) const;
  // Of the session of that number in the model; a third of it is the longest
  // time between two heartbeats. 0: it has a stream.
  SimTime TimeToLive(int number) const;

  // ---- watchers ----
  // Keeps trying until the process serves.
  Watcher& Watch(Process& at, core::WatchRequest request, bool audit = false,
                 std::unique_ptr<Mirror::Listener> listener = nullptr);
  // Ends the watch, and goes on where it was, at `to`.
  void WatchOn(Watcher& watcher, Process& to);
  void EndWatch(Watcher& watcher);
  void SetLagging(Watcher& watcher, bool lagging);
  std::vector<std::unique_ptr<Watcher>>& watchers() { return watchers_; }
  // The one that sees everything at a process, or null.
  Watcher* Audit(const Process& at);

  // ---- what processes say (see Observer) ----
  void OnReply(Process& from, core::AsyncReply& reply);
  void OnSessionEnded(Process& from, const core::SessionEnded& ended);
  void OnEvicted(Process& from, const core::EntryEvicted& evicted);
  void OnOrder(Process& from, const core::OrderDone& done);
  void OnWatch(Process& from, const core::WatchEvent& event);
  // `heard`: see Model::ProcessGone.
  void OnGone(Process& process, bool heard);
  // After it stood still since then.
  void OnThaw(Process& process, SimTime frozen_at);

 private:
  struct Resuming {
    Session* session;
    Model::Entries asked;
    int process;
  };
  void OpenNow(Session& session, Process& at, core::Replica& replica,
               core::Now now);
  void ApplyNow(Session& session, Process& at, core::Replica& replica,
                const Batch& batch, core::Now now);
  void Account(Session& session, Process& at, const Batch& batch,
               const core::ApplyReply& reply, bool sure);
  void ResumeNow(Session& session, Process& to, core::Replica& replica,
                 core::Now now);
  void Resumed(Process& from, Session& session, const Resuming& resuming,
               const core::ResumeReply& reply);
  void ResumeRefused(Process& from, Session& session,
                     const absl::Status& status);
  void Beat(Session& session, Process& at);
  void Lost(Session& session, Process& at);
  // The client has left all streams that it had, and beats no more.
  void Abandon(Session& session);
  void StopBeating(Session& session);
  // The model says that nothing may refuse this session here.
  bool Sure(const Session& session, const Process& at) const;
  Rank RankOf(const Session& session, const Process& at) const;
  void StartWatch(Watcher& watcher);
  void Write(Watcher& watcher);

  World& world_;
  Model& model_;
  core::RequestId next_request_ = 1;
  std::deque<Order> orders_;  // By request, from 1 on.
  std::vector<std::unique_ptr<Session>> sessions_;
  std::map<std::pair<uint64_t, uint64_t>, Session*> by_id_;
  std::map<core::RequestId, Resuming> resuming_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
  std::map<std::pair<int, core::WatchId>, Watcher*> by_watch_;
  // By the number of the process; some may have moved on since.
  std::map<int, std::vector<Watcher*>> watchers_at_;
  std::map<int, Watcher*> audits_;
};

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_CLIENTS_H_
