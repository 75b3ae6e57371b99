// Presence's part in a rebase: its elements are sessions, which are parents,
// and entries, which name them. See stream_state.h for the calls.
#ifndef MUSTER_NODE_CORE_PRESENCE_PRESENCE_REBASE_H_
#define MUSTER_NODE_CORE_PRESENCE_PRESENCE_REBASE_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "node/core/presence/roll.h"
#include "node/core/stream/stream_state.h"

namespace muster::core {

class PresenceWalk final : public ElementWalk {
 public:
  PresenceWalk(Roll& roll, Stream& stream);
  ~PresenceWalk() override;
  PresenceWalk(const PresenceWalk&) = delete;
  PresenceWalk& operator=(const PresenceWalk&) = delete;

  void Restart() override;
  // Sessions are sent whatever their seq: an entry up to `upto` may name a
  // session whose record is later.
  std::optional<Elements> Next(const Limits& limits) override;

 private:
  Roll& roll_;
  SeqCursor cursor_;
};

class PresenceMerge final : public ElementMerge {
 public:
  PresenceMerge(Roll& roll, Stream& stream);
  ~PresenceMerge() override;
  PresenceMerge(const PresenceMerge&) = delete;
  PresenceMerge& operator=(const PresenceMerge&) = delete;

  void Restart() override;
  Outcome Keep(const RebaseFrame& frame, NameProgress& progress,
               size_t& steps) override;
  bool Put(const RebaseFrame& frame, crdt::Seq& last) override;
  uint32_t Apply(absl::string_view bytes, crdt::Seq first,
                 uint32_t count) override;
  bool Sweep() override { return roll_.Sweep(stream_, cursor_); }

 private:
  // Move the cursor past the element named `seq`, and mark it as kept.
  Outcome PassSession(crdt::Seq seq, size_t& steps);
  Outcome PassRow(crdt::Seq seq, size_t& steps);

  Roll& roll_;
  Stream& stream_;
  SeqCursor cursor_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_PRESENCE_PRESENCE_REBASE_H_
