// One request of a Session or Sessions stream: decoded and checked on a gRPC
// thread, worked through on the loop thread, encoded on any thread.
//
// A Session request is a Sessions request with one part, in slot 0.
//
// Faults. A fault of one operation becomes an error of that operation; a fault
// of one part, its `status`; a fault of the request as a whole, `fatal`, which
// ends the stream.
//
// A work that is used again keeps its memory: in a steady flow decoding
// allocates nothing an operation.
#ifndef MUSTER_NODE_SERVICE_SESSION_WORK_H_
#define MUSTER_NODE_SERVICE_SESSION_WORK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "muster/v1/presence.pb.h"
#include "node/core/client.h"
#include "node/core/output.h"
#include "node/service/limits.h"
#include "node/service/op_batch.h"

namespace muster::service {

// A resume as sent, and its views as the core wants it.
struct ResumeWish {
  v1::ResumeRequest message;
  core::ResumeRequest request;
};
// Checks and fills in `wish->request` from `wish->message`.
absl::Status CheckResume(const Limits& limits, ResumeWish* wish);
// Checks and fills in all but `session` and `stream`.
absl::Status CheckOpen(const v1::OpenSessionRequest& message,
                       const Limits& limits, core::OpenSessionRequest* open);

struct SessionPart {
  enum class Start : uint8_t { kNone, kOpen, kResume };

  uint32_t slot = 0;
  Start start = Start::kNone;
  bool close = false;
  std::string token;
  core::OpenSessionRequest open;
  std::unique_ptr<ResumeWish> resume;
  OpBatch ops;

  // The part's session was opened, or its resume begun.
  bool started = false;
  // The outcome. Not OK: the part has changed nothing, or its session has gone.
  absl::Status status;
  core::SessionInfo info;  // Of an open or resume.
  std::vector<crdt::Ref> missing;
  core::ApplyReply reply;

  void Reset(const Limits* limits, size_t room);
};

struct EndedSlot {
  uint32_t slot = 0;
  absl::Status status;
};
struct EvictedEntry {
  uint32_t slot = 0;
  core::EntryEvicted entry;
};

class SessionWork {
 public:
  // Takes the request and decodes it. Never fails: see above for faults.
  void DecodeSession(std::string bytes, const Limits& limits);
  void DecodeSessions(std::string bytes, const Limits& limits);
  // Forgets all, keeps memory.
  void Clear();

  std::string EncodeSession(absl::string_view node) const;
  std::string EncodeSessions(absl::string_view node) const;

  size_t bytes() const { return bytes_.size(); }
  size_t part_count() const { return used_; }
  SessionPart& part(size_t i) { return parts_[i]; }

  uint64_t number = 0;
  absl::Status fatal;
  // The stream ends, as its client wished.
  bool last = false;
  // A work that answers no request has one of these set.
  bool moving = false;
  std::vector<EndedSlot> ended;
  std::vector<EvictedEntry> evicted;

  // Parts worked through so far, and parts that wait for a resume.
  size_t next_part = 0;
  size_t waiting = 0;
  bool Complete() const { return next_part == used_ && waiting == 0; }

 private:
  SessionPart& AddPart(const Limits& limits);
  bool DecodePart(absl::string_view bytes, const Limits& limits);
  void Malformed(const char* type);

  std::string bytes_;
  std::vector<SessionPart> parts_;  // The first `used_` are of this request.
  size_t used_ = 0;
  size_t ops_ = 0;
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_SESSION_WORK_H_
