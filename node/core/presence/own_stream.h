// The stream that this node writes: each call is one mutation, applied to the
// roll and put in the log.
#ifndef MUSTER_NODE_CORE_PRESENCE_OWN_STREAM_H_
#define MUSTER_NODE_CORE_PRESENCE_OWN_STREAM_H_

#include <string>

#include "absl/strings/string_view.h"
#include "crdt/log.h"
#include "crdt/mutation.h"
#include "node/core/presence/roll.h"

namespace muster::core {

class OwnStream {
 public:
  // `log`: that of presence.
  OwnStream(Roll& roll, crdt::MutationLog& log, Stream& stream)
      : roll_(roll), log_(log), stream_(stream) {}

  // A new session element.
  crdt::SessionIdx AddSession(const crdt::SessionContent& content);
  void UpdateSession(crdt::SessionIdx session,
                     const crdt::SessionContent& content);
  // REQUIRES: it has no live rows.
  void RemoveSession(crdt::SessionIdx session);

  // `ref`: none, or, for an adopted entry, its ref at the former owner; `root`
  // is then the element of its first track.
  crdt::RowIdx AddEntry(crdt::SessionIdx session, absl::string_view topic,
                        absl::string_view key, absl::string_view meta,
                        const crdt::Ref& ref, const crdt::EntryRoot& root);
  // The entry gets a new ref.
  void UpdateEntry(crdt::RowIdx row, absl::string_view meta);
  void RemoveEntry(crdt::RowIdx row);

  const Stream& stream() const { return stream_; }

 private:
  crdt::Mutation Next(crdt::Mutation::Kind kind);
  // Logs `bytes_`, its encoding.
  void Log(const crdt::Mutation& mutation);
  // Logs and applies it.
  void Commit(const crdt::Mutation& mutation);

  Roll& roll_;
  crdt::MutationLog& log_;
  Stream& stream_;
  std::string bytes_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_PRESENCE_OWN_STREAM_H_
