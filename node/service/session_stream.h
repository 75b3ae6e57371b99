// A call of Session (one session) or Sessions (many, by slot).
//
//   gRPC thread   OnRead: decode, check, hand over ──┐
//   loop thread   Run: parts in order, each to the core; a resume waits for
//                 its answer, and so do later parts for its slot
//   any thread    TakeNext: encode, write
//
// Invariants
//   1. Answers leave in the order of their requests, whatever finishes first.
//   2. Requests read and not answered are bounded (Limits::max_stream_...).
//      Past that the stream is not read: back-pressure.
//   3. One step of a stream waits for the loop at a time: streams take turns,
//      and a busy stream delays no other for more than that step.
//   4. When the call is over, each session it still holds is disconnected,
//      unless another stream has taken it or is about to.
//
// Threads: as marked. The loop's part needs no lock.
#ifndef MUSTER_NODE_SERVICE_SESSION_STREAM_H_
#define MUSTER_NODE_SERVICE_SESSION_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "node/service/context.h"
#include "node/service/session_work.h"
#include "node/service/slot_table.h"
#include "node/service/stream_writer.h"

namespace muster::service {

class SessionStream final : public StreamWriter {
 public:
  enum class Kind { kSession, kSessions };
  SessionStream(Kind kind, Context* context);

  // ---- StreamHandler ----
  void OnRead(std::string bytes) override;
  void OnReadsDone() override;

  // ---- loop thread ----
  // The session in `slot` is not this stream's any more.
  void OnSlotEnded(uint32_t slot, const absl::Status& why);
  // An entry of the session in `slot` was removed by an administrator.
  void OnEvicted(uint32_t slot, core::EntryEvicted entry);
  void OnDraining();

 protected:
  void OnStarted() override;
  bool HasNext() const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex());
  std::optional<Outgoing> TakeNext() override;
  void OnSent() override;
  void OnClosed() override;

 private:
  using Work = std::unique_ptr<SessionWork>;
  // A part of a work; neither moves in memory until the part is done.
  using PartAt = std::pair<SessionWork*, SessionPart*>;
  // A slot whose session is being resumed, and the parts that wait for that.
  struct Resuming {
    crdt::SessionId session;
    bool answered = false;
    std::deque<PartAt> waiting;
  };

  std::shared_ptr<SessionStream> Self();
  Work NewWork() ABSL_LOCKS_EXCLUDED(mutex());
  bool MayRead() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex());
  void HandOver(Work work) ABSL_LOCKS_EXCLUDED(mutex());
  void PostRun();

  // ---- loop thread ----
  void TakeIncoming() ABSL_LOCKS_EXCLUDED(mutex());
  // Works through the waiting requests, up to a budget.
  void Run(core::Replica& replica, core::Now now);
  // These return false if more is left to do: the budget is used up.
  bool RunResumed(core::Replica& replica, core::Now now, size_t& budget);
  bool RunSlot(core::Replica& replica, core::Now now, uint32_t slot,
               size_t& budget);
  bool RunWork(core::Replica& replica, core::Now now, SessionWork& work,
               size_t& budget);
  bool RunPart(core::Replica& replica, core::Now now, PartAt at,
               size_t& budget);
  bool ApplyOps(core::Replica& replica, core::Now now, SessionPart& part,
                size_t& budget);
  // Begins a part with its session: opens or resumes it.
  void StartPart(core::Replica& replica, core::Now now, PartAt at);
  absl::Status CheckSlot(const SessionPart& part) const;
  void StartResume(core::Replica& replica, core::Now now, PartAt at);
  void OnResumed(PartAt at, absl::StatusOr<core::ResumeReply> reply);
  void AfterResume(core::Replica& replica, core::Now now, PartAt at);
  // Hands on the complete works, in order.
  void Emit();
  void Queue(Work work) ABSL_LOCKS_EXCLUDED(mutex());
  void EndAfterAnswers(const absl::Status& status);
  void Close(core::Replica& replica, core::Now now);
  void DisconnectSome(core::Replica& replica, core::Now now);

  const Kind kind_;
  Context& context_;

  // Loop thread only.
  uint32_t index_ = 0;   // In the registry.
  bool over_ = false;    // Nothing more is taken.
  bool closed_ = false;  // The call is over.
  SlotTable slots_;
  uint32_t disconnected_ = 0;       // Slots below are dealt with (Close).
  std::deque<Work> order_;          // Not answered yet.
  std::deque<SessionWork*> to_do_;  // Of these, not worked through yet.
  std::map<uint32_t, Resuming> resuming_;  // By slot.
  std::deque<uint32_t> resumed_;           // Of these, the slots that go on.

  // Read, and not taken by the loop yet.
  std::vector<Work> incoming_ ABSL_GUARDED_BY(mutex());
  bool run_posted_ ABSL_GUARDED_BY(mutex()) = false;
  // Complete, to be encoded and written.
  std::deque<Work> ready_ ABSL_GUARDED_BY(mutex());
  // Requests read and not answered.
  size_t in_flight_ ABSL_GUARDED_BY(mutex()) = 0;
  size_t in_flight_bytes_ ABSL_GUARDED_BY(mutex()) = 0;
  bool paused_ ABSL_GUARDED_BY(mutex()) = false;
  // The request of the message that is being written.
  size_t sending_ ABSL_GUARDED_BY(mutex()) = 0;
  size_t sending_bytes_ ABSL_GUARDED_BY(mutex()) = 0;
  std::vector<Work> spare_ ABSL_GUARDED_BY(mutex());
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_SESSION_STREAM_H_
