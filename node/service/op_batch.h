// The operations of one request for one session, on their way to the core and
// back. Each operation is checked as it is added. The core does not see one
// that fails: it becomes an error of its index, and the others are applied all
// the same.
//
//   client's list   a  BAD  c        core's list   a  c
//   answer          ref ""  ref  <--Complete--     ref ref     + {1, why}
#ifndef MUSTER_NODE_SERVICE_OP_BATCH_H_
#define MUSTER_NODE_SERVICE_OP_BATCH_H_

#include <cstddef>
#include <vector>

#include "node/codec/client_codec.h"
#include "node/core/client.h"
#include "node/service/limits.h"

namespace muster::service {

class OpBatch final : public codec::OpVisitor {
 public:
  // Forgets the operations, keeps the memory. Operations beyond the first
  // `room` are counted and not kept.
  void Reset(const Limits* limits, size_t room);

  void Untrack(absl::string_view ref) override;
  void Update(absl::string_view ref, absl::string_view meta) override;
  void Track(const core::TrackOp& op) override;

  // Operations added, good and bad.
  size_t size() const { return untracks_ + updates_ + tracks_; }
  bool empty() const { return size() == 0; }
  // For the core; the session is the caller's to set.
  core::ApplyRequest& request() { return request_; }
  // Turns the core's answer into an answer to the client's lists.
  void Complete(core::ApplyReply* reply) const;

 private:
  bool Full() const { return size() > room_; }

  const Limits* limits_ = nullptr;
  size_t room_ = 0;
  core::ApplyRequest request_;
  size_t untracks_ = 0;
  size_t updates_ = 0;
  size_t tracks_ = 0;
  std::vector<core::IndexedError> bad_untracks_;
  std::vector<core::IndexedError> bad_updates_;
  std::vector<core::IndexedError> bad_tracks_;
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_OP_BATCH_H_
